"""A predictor that fails on rows: these rows, no others, and in so many tries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from imaging.facts import ErrorCode, Failure
from tests.asserts import wait_until
from tests.workers.batches.own_predictors import HERE
from workers.batches import predicting
from workers.batches.assembly import Prepared
from workers.batches.predicting import predict_batch
from workers.batches.records import BatchRecord
from workers.engine import Engine, open_engine
from workers.manifest.rows import Row
from workers.options import BatchOptions, Pixels
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]
NAMES = (
    "Forger",
    "Mean",
    "Obedient",
    "Short",
    "Sleepy",
    "Slices",
    "Wide",
)


@pytest.fixture
async def engine(settings_of: SettingsOf) -> AsyncIterator[Engine]:
    """With all of our own predictors."""
    named = ",".join(f"{name.lower()}={HERE}:{name}" for name in NAMES)
    settings = settings_of(predictors=named, predict_timeout=2, pool_slots=2, pool_memory="512MiB")
    async with open_engine(settings) as engine:
        await engine.predictors.all()
        yield engine


def prepared(ids: Sequence[str]) -> list[Prepared]:
    """Rows of those ids, each a picture of one grey, of its own; an id `failed` has none."""
    return [
        Prepared(
            Row(index, name, None),
            None,
            Failure(ErrorCode.EMPTY_BODY) if name == "failed" else bytes([index]) * 3 * 64 * 64,
        )
        for index, name in enumerate(ids)
    ]


async def run(engine: Engine, predictor: str, ids: Sequence[str], **options: Any) -> BatchRecord:
    recipe = await engine.recipe(BatchOptions(predictor=predictor, **options))
    return await predict_batch(engine, recipe, 0, prepared(ids))


def split(record: BatchRecord) -> tuple[dict[int, Any], dict[int, Failure]]:
    """Predictions and failures, by index."""
    good, bad = {}, {}
    for row in record.rows:
        if isinstance(row.outcome, Failure):
            bad[row.index] = row.outcome
        else:
            good[row.index] = orjson.loads(row.outcome)
    return good, bad


async def test_one_call_for_a_whole_batch(engine: Engine) -> None:
    """Of the decoded rows only, with their ids, in their order."""
    good, bad = split(await run(engine, "mean", ["a", "failed", "c", "c"]))
    assert set(bad) == {1}
    assert [good[index]["id"] for index in (0, 2, 3)] == ["a", "c", "c"]
    assert [good[index]["rows"] for index in (0, 2, 3)] == [3, 3, 3]
    assert [good[index]["mean"] for index in (0, 2, 3)] == [[0.0] * 3, [2.0] * 3, [3.0] * 3]


async def test_the_layout_is_the_predictors(engine: Engine) -> None:
    """Its size too, where nobody asks for another."""
    recipe = await engine.recipe(BatchOptions(predictor="wide"))
    assert recipe.resize.size == (32, 16)
    rows = [Prepared(Row(0, "a", None), None, bytes(3 * 32 * 16))]
    good, _ = split(await predict_batch(engine, recipe, 0, rows))
    assert good == {0: [1, 16, 32, 3]}


@pytest.mark.parametrize("fate", ["raise", "exit", "kill", "sleep", "allocate", "odd", "long"])
async def test_a_row_that_ends_the_predictor_fails_alone(engine: Engine, fate: str) -> None:
    """Whatever it does; the others have what they have without it."""
    ids = [f"row-{index}" for index in range(9)]
    plain, _ = split(await run(engine, "obedient", ids))
    ids[4] = f"{fate}-4"
    good, bad = split(await run(engine, "obedient", ids))
    if fate in ("odd", "long"):  # the batch has an answer, and none of it can be told
        assert set(bad) == set(range(9))
    else:
        assert good == {index: value for index, value in plain.items() if index != 4}
    assert {failure.code for failure in bad.values()} == {ErrorCode.PREDICTOR_FAILED}


async def test_rows_that_fail_stay_in_the_array(engine: Engine) -> None:
    """They were decoded: positions count them, and pixels show them."""
    record = await run(engine, "obedient", ["a", "raise", "failed", "d"], pixels=Pixels.LIST)
    assert [row.position for row in record.rows] == [0, 1, None, 2]
    line = orjson.loads(record.line())
    array = np.array(line["pixels"], np.uint8)
    assert list(array.shape) == line["batch_dimension"] == [3, 3, 64, 64]
    assert array[:, 0, 0, 0].tolist() == [0, 1, 3]


async def test_wrong_number_of_values(engine: Engine) -> None:
    """Is no answer for anybody, though each row has its one value where it stands alone."""
    good, bad = split(await run(engine, "short", ["a", "b", "c", "d"]))
    assert good == {}
    told = {failure.message for failure in bad.values()}
    assert told == {"the predictor returned 1 values, not 2"}


async def test_values_as_numpy_has_them(engine: Engine) -> None:
    """Slices, numbers and texts are written as lists and such."""
    good, _ = split(await run(engine, "slices", ["a", "b"]))
    assert good[1] == {"slice": [1, 1, 1], "number": 3.5, "texts": ["a", "b"]}


async def test_loading_has_a_time_of_its_own(settings_of: SettingsOf) -> None:
    """Together with a first call it may take longer than either may."""
    settings = settings_of(predictors=f"slow={HERE}:Slow", predict_timeout=5, pool_slots=2)
    async with open_engine(settings) as engine:
        await engine.predictors.all()  # loads it in one of two processes
        both = await asyncio.gather(*[run(engine, "slow", ["a"]) for _ in range(2)])
        assert [split(record) for record in both] == [({0: 1}, {})] * 2
        assert engine.pool.restarts == 0


async def test_tries_have_an_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A predictor that dies of everything costs so many children, and every row has its answer."""
    monkeypatch.setattr(predicting, "MOST_DEATHS", 5)
    before = engine.pool.restarts
    good, bad = split(await run(engine, "obedient", [f"exit-{index}" for index in range(32)]))
    assert good == {}
    assert len(bad) == 32
    # Each death is one of two: the second try tells it from another's.
    assert engine.pool.restarts - before <= 2 * (5 + 6)


async def test_timeouts_have_an_end_of_their_own(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are dearer."""
    monkeypatch.setattr(predicting, "MOST_TIMEOUTS", 1)
    ids = ["a", "b", "c", "sleep"]
    good, bad = split(await run(engine, "obedient", ids))
    assert good == {}
    assert {failure.message for failure in bad.values()} == {"the predictor took more than 2 s"}


async def test_none_asks_nobody(engine: Engine) -> None:
    """An empty prediction for each decoded row, without the pool."""
    async with engine.pool.slot(), engine.pool.slot():
        good, bad = split(await run_none(engine))
    assert good == {0: {}, 2: {}}
    assert set(bad) == {1}


async def run_none(engine: Engine) -> BatchRecord:
    recipe = await engine.recipe(BatchOptions(predictor="none"))
    return await predict_batch(engine, recipe, 0, prepared(["a", "failed", "c"]))


async def test_a_small_request_beside_a_slow_one(engine: Engine) -> None:
    """It waits for calls that are under way, not for all the other has to make."""
    recipe = await engine.recipe(BatchOptions(predictor="sleepy"))
    slow = [
        asyncio.create_task(predict_batch(engine, recipe, batch, prepared(["a"])))
        for batch in range(60)
    ]
    await wait_until(lambda: engine.pool.busy == engine.pool.size)
    good, _ = split(await run(engine, "mean", ["a"]))
    assert good
    assert sum(task.done() for task in slow) <= 4 * engine.pool.size
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_a_value_that_forges_lines(engine: Engine) -> None:
    """Is none."""
    good, bad = split(await run(engine, "forger", ["a", "b"]))
    assert good == {}
    assert {failure.code for failure in bad.values()} == {ErrorCode.PREDICTOR_FAILED}


async def test_a_predictor_that_leaves_no_descriptors(settings_of: SettingsOf) -> None:
    """Spoils its process, and nobody else's next request: what is loaded then has another."""
    async with open_engine(settings_of(predictors=f"leaky={HERE}:Leaky", pool_slots=1)) as engine:
        good, bad = split(await run(engine, "leaky", ["a"]))
        assert (good, set(bad)) == ({}, {0})
        good, _ = split(await run(engine, "appearance", ["a"]))
        assert good
