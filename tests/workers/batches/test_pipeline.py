"""Rows in, batches out: the same batches every time, whatever happens to a row."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from imaging.facts import ErrorCode, Failure
from imaging.options import Filter, Fit
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from workers.batches.records import BatchRecord
from workers.engine import Engine, open_engine
from workers.errors import ManifestError
from workers.fetch import retries
from workers.flow import Flow
from workers.manifest.rows import Row
from workers.options import BatchOptions, Pixels
from workers.pipeline import predict_batches
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, having forgotten the tests before."""
    picture_host.reset()
    return picture_host


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts, a hundred times shorter."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.005)


@pytest.fixture
async def engine(settings_of: SettingsOf) -> AsyncIterator[Engine]:
    """Everything rows need; nothing of it may be in use at the end."""
    async with open_engine(settings_of(pool_slots=2), resolver=resolving({})) as engine:
        yield engine
        assert engine.arrays.free == engine.arrays.size
        budget = engine.downloads._budget
        assert budget.free == budget.size
        await wait_until(lambda: not engine.pool.busy)


def rows_of(urls: Sequence[str | None], *, first: int = 0) -> list[Row]:
    """A row for each URL; None cannot be read."""
    bad = Failure(ErrorCode.BAD_ROW, "of the test")
    return [
        Row(index, f"id-{index}", url, problem=bad if url is None else None)
        for index, url in enumerate(urls, first)
    ]


async def given(rows: Sequence[Row], error: Exception | None = None) -> AsyncIterator[Row]:
    for row in rows:
        yield row
    if error is not None:
        raise error


async def predicted(
    engine: Engine, rows: Sequence[Row], error: Exception | None = None, **options: Any
) -> list[BatchRecord]:
    """All batches of a run, by their number."""
    asked = BatchOptions(**options)
    recipe = await engine.recipe(asked)
    async with predict_batches(engine, given(rows, error), asked, recipe) as flow:
        records = [record async for some in flow.batches(idle=5) for record in some]
    if asked.ordered:
        assert [record.batch for record in records] == sorted(record.batch for record in records)
    return sorted(records, key=lambda record: record.batch)


async def collect(flow: Flow[BatchRecord], into: list[BatchRecord]) -> None:
    async for some in flow.batches(idle=5):
        into += some


def told(record: BatchRecord) -> dict[str, Any]:
    """A record as clients read it."""
    line: dict[str, Any] = orjson.loads(record.line())
    return line


def predictions(records: Sequence[BatchRecord]) -> dict[int, Any]:
    """Of every row that has one."""
    return {
        row.index: orjson.loads(row.outcome)
        for record in records
        for row in record.rows
        if not isinstance(row.outcome, Failure)
    }


def codes(records: Sequence[BatchRecord]) -> dict[int, str]:
    """Why the others have none."""
    return {
        row.index: row.outcome.code.value
        for record in records
        for row in record.rows
        if isinstance(row.outcome, Failure)
    }


@pytest.mark.parametrize("ordered", [True, False])
async def test_the_same_rows_make_the_same_batches(
    engine: Engine, host: PictureHost, ordered: bool
) -> None:
    """Rows b·B and on, the last one short; two runs say the same to the byte."""
    rows = rows_of([f"{host}/picture/{number}" for number in range(29)])
    first = await predicted(engine, rows, batch_size=8, ordered=ordered)
    again = await predicted(engine, rows, batch_size=8, ordered=ordered)
    assert [[row.index for row in record.rows] for record in first] == [
        list(range(8)),
        list(range(8, 16)),
        list(range(16, 24)),
        list(range(24, 29)),
    ]
    assert [told(record)["batch_dimension"][0] for record in first] == [8, 8, 8, 5]
    assert [record.line() for record in first] == [record.line() for record in again]


@pytest.mark.parametrize("size", [1, 3, 64, 1024])
async def test_batch_sizes(engine: Engine, host: PictureHost, size: int) -> None:
    """Also of more rows than there are, and than the window has connections for."""
    rows = rows_of([f"{host}/picture/{number}" for number in range(10)])
    records = await predicted(engine, rows, batch_size=size)
    assert len(records) == -(-10 // size)
    assert sorted(predictions(records)) == list(range(10))


@pytest.mark.parametrize("size", [2, 40, 1000])
async def test_few_connections_and_one_process(
    settings_of: SettingsOf, host: PictureHost, size: int
) -> None:
    """A batch is larger than the window there would be for single rows: it is assembled all the
    same, and the next one begun meanwhile.
    """
    settings = settings_of(max_connections=1, pool_slots=1)
    async with open_engine(settings, resolver=resolving({})) as engine:
        rows = rows_of([f"{host}/picture/{number}" for number in range(100)])
        records = await predicted(engine, rows, batch_size=size, ordered=True)
    assert len(records) == -(-100 // size)
    assert sorted(predictions(records)) == list(range(100))


async def test_a_shard_in_the_middle_has_its_own_numbers(engine: Engine, host: PictureHost) -> None:
    """Batches are numbered by the manifest, not by what was given."""
    rows = rows_of([f"{host}/picture/{number}" for number in range(6)], first=96)
    records = await predicted(engine, rows, batch_size=4, ordered=True)
    assert [record.batch for record in records] == [24, 25]


async def test_rows_that_fail_move_no_neighbour(engine: Engine, host: PictureHost) -> None:
    """Whatever goes wrong with a row, the others have the predictions they have without it."""
    good = [f"{host}/picture/{number}" for number in range(12)]
    mixed: list[str | None] = list(good)
    mixed[1] = None
    mixed[2] = f"{host}/status/404"
    mixed[5] = f"{host}/html/product"
    mixed[6] = "foo"
    mixed[11] = f"{host}/truncated/picture/11"
    plain = predictions(await predicted(engine, rows_of(good), batch_size=4))
    records = await predicted(engine, rows_of(mixed), batch_size=4, ordered=True)
    assert set(codes(records)) == {1, 2, 5, 6, 11}
    assert predictions(records) == {index: plain[index] for index in (0, 3, 4, 7, 8, 9, 10)}
    positions = [[row.position for row in record.rows] for record in records]
    assert positions == [[0, None, None, 1], [0, None, None, 1], [0, 1, 2, None]]


async def test_a_batch_where_every_row_failed(engine: Engine) -> None:
    """Is a line all the same, of no pictures."""
    (record,) = await predicted(engine, rows_of([None, "foo", None]))
    line = told(record)
    assert line["batch_dimension"] == [0, 3, 64, 64]
    assert [row["error"]["code"] for row in line["rows"]] == ["bad_row", "bad_url", "bad_row"]


@pytest.mark.parametrize("form", [Pixels.NPY, Pixels.LIST])
async def test_pixels_are_those_of_the_positions(
    engine: Engine, host: PictureHost, form: Pixels
) -> None:
    """The decoded rows, in their order, (N, 3, H, W); the same in both forms."""
    urls = [f"{host}/picture/1", None, f"{host}/picture/2"]
    options: dict[str, Any] = {"size": (20, 10), "fit": Fit.PAD, "filter": Filter.BOX}
    (record,) = await predicted(engine, rows_of(urls), pixels=form, predictor="none", **options)
    line = told(record)
    array = _array(line["pixels"])
    assert array.dtype == np.uint8
    assert list(array.shape) == line["batch_dimension"] == [2, 3, 10, 20]
    (alone,) = await predicted(engine, rows_of(urls[2:]), pixels=Pixels.NPY, **options)
    assert np.array_equal(_array(told(alone)["pixels"])[0], array[1])


def _array(pixels: str | list[Any]) -> np.ndarray:
    if isinstance(pixels, list):
        return np.array(pixels, np.uint8)
    loaded: np.ndarray = np.load(io.BytesIO(base64.b64decode(pixels)), allow_pickle=False)
    return loaded


@pytest.mark.parametrize("ordered", [True, False])
async def test_batches_that_are_left_out(engine: Engine, host: PictureHost, ordered: bool) -> None:
    """Done already, as where a cut run goes on: the others are those of the whole manifest."""
    rows = rows_of([f"{host}/picture/{number}" for number in range(22)])
    options: dict[str, Any] = {"batch_size": 4, "size": (8, 8), "pixels": Pixels.LIST}
    whole = await predicted(engine, rows, **options)
    left = [row for row in rows if row.index // 4 not in (0, 2, 3)]
    records = await predicted(engine, left, ordered=ordered, **options)
    assert [record.line() for record in records] == [whole[batch].line() for batch in (1, 4, 5)]
    some = [row for row in rows if row.index not in (3, 4)]  # never two batches in one
    records = await predicted(engine, some, ordered=ordered, **options)
    told = [[row.index for row in record.rows] for record in records]
    assert told[:2] == [[0, 1, 2], [5, 6, 7]]
    assert [record.line() for record in records[2:]] == [one.line() for one in whole[2:]]


async def test_a_manifest_that_breaks_off(engine: Engine, host: PictureHost) -> None:
    """What was read has its answer, in a batch that is short; the error comes behind it."""
    options = BatchOptions(batch_size=4)
    recipe = await engine.recipe(options)
    rows = given(rows_of([f"{host}/picture/1"] * 6), ManifestError("torn"))
    records: list[BatchRecord] = []
    async with predict_batches(engine, rows, options, recipe) as flow:
        with pytest.raises(ManifestError, match="torn"):
            await collect(flow, records)
    assert sorted(len(record.rows) for record in records) == [2, 4]


async def test_stopping_tells_what_was_begun(engine: Engine, host: PictureHost) -> None:
    """Rows under way and rows that wait for their batch are cancelled; the others have no row."""
    urls = [f"{host}/picture/1", None, *[f"{host}/silent/picture/{n}" for n in range(60)]]
    options = BatchOptions(batch_size=4)
    recipe = await engine.recipe(options)
    async with predict_batches(engine, given(rows_of(urls)), options, recipe) as flow:
        await wait_until(lambda: len(flow._lane.under_way) >= 8)
        await wait_until(lambda: len(flow._assemblies[0]._prepared) == 2)  # type: ignore[attr-defined]
        assert await flow.stop()
        records = [record async for some in flow.batches(idle=5) for record in some]
    found = codes(records)
    assert found.pop(1) == "bad_row"
    assert set(found.values()) == {"cancelled"}
    assert 0 in found
    assert len(found) < 60
    assert all(told(record)["batch_dimension"][0] == 0 for record in records)


async def test_leaving_gives_everything_back(engine: Engine, host: PictureHost) -> None:
    """Arrays, bodies, slots: the fixture looks."""
    options = BatchOptions(batch_size=4)
    recipe = await engine.recipe(options)
    urls = [f"{host}/picture/{number}" for number in range(200)]
    async with predict_batches(engine, given(rows_of(urls)), options, recipe) as flow:
        async for _ in flow.batches(idle=5):
            break


async def test_memory_of_arrays_is_shared(settings_of: SettingsOf, host: PictureHost) -> None:
    """Two runs, where but one batch of all fits, both end."""
    settings = settings_of(max_inflight_bytes="1MiB", max_image_bytes="1MiB")
    async with open_engine(settings, resolver=resolving({})) as engine:
        rows = rows_of([f"{host}/picture/{number}" for number in range(12)])
        options: dict[str, Any] = {"batch_size": 4, "size": (200, 200), "predictor": "none"}
        taken = engine.arrays.take(engine.arrays.size // 4)
        assert taken is not None
        both = await asyncio.gather(*(predicted(engine, rows, **options) for _ in range(2)))
        taken.release()
        assert [len(predictions(records)) for records in both] == [12, 12]
