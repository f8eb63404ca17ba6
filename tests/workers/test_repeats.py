"""The same URL once: one download for all rows that have it, a record for each of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from imaging.facts import ErrorCode, Failure, ImageInfo
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from workers import repeats as module
from workers.changes import Earlier
from workers.engine import Engine, open_engine
from workers.fetch.download import Downloads
from workers.fetch.lanes import Ticket
from workers.fetch.targets import Target, parse_target
from workers.flow import Flow
from workers.manifest.rows import Row
from workers.options import BatchOptions, Depth, InfoOptions, Pixels
from workers.pipeline import inspect_rows, predict_batches, prepare_rows
from workers.pool.supervisor import PoolClosedError
from workers.records import Record
from workers.repeats import ANSWER_BYTES, Known, Repeats, url_key
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]

SMALL = "by-name/made-0012-grey.jpg"
#: With fewer URLs each than a placeholder has.
PAIR = (SMALL, "by-name/made-0028-grey.jpg")


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, having forgotten the tests before."""
    picture_host.reset()
    return picture_host


@pytest.fixture
async def engine(settings_of: SettingsOf) -> AsyncIterator[Engine]:
    """Everything rows need; nothing of it may be in use at the end, and no run may be known."""
    async with open_engine(settings_of(retries=0), resolver=resolving({})) as engine:
        yield engine
        assert engine.arrays.free == engine.arrays.size
        assert engine.turns.busy == 0
        assert not engine.turns._lanes
        assert not any(known.busy or known.lines for known in engine.turns._hosts._known.values())


def rows_of(urls: Sequence[str], *, first: int = 0) -> list[Row]:
    """A row for each URL."""
    return [Row(index, f"id-{index}", url) for index, url in enumerate(urls, first)]


async def given(rows: Sequence[Row]) -> AsyncIterator[Row]:
    """Rows that are there already."""
    for row in rows:
        yield row


async def everything(flow: Flow[Any]) -> list[Any]:
    """All records of a flow."""
    async with asyncio.timeout(20):
        return [record async for some in flow.batches(idle=5) for record in some]


async def inspect(
    engine: Engine,
    urls: Sequence[str],
    options: InfoOptions | None = None,
    known: Known | None = None,
    first: int = 0,
) -> list[Record]:
    """All records of a run, by the index of their rows, each of which must be there once."""
    asked = options or InfoOptions()
    async with inspect_rows(engine, given(rows_of(urls, first=first)), asked, known) as flow:
        records: list[Record] = await everything(flow)
    indexes = [record.index for record in records]
    assert sorted(indexes) == list(range(first, first + len(urls)))
    assert not asked.ordered or indexes == sorted(indexes)
    return sorted(records, key=lambda record: record.index)


def code(record: Record) -> ErrorCode | None:
    """Why a row failed."""
    return record.outcome.code if isinstance(record.outcome, Failure) else None


def check_shared(records: Sequence[Record]) -> None:
    """Rows of one URL are told the same, and all but one of them which row it was fetched for."""
    by_url: dict[str | None, list[Record]] = {}
    for record in records:
        by_url.setdefault(record.url, []).append(record)
    for same in by_url.values():
        [leader] = [one for one in same if one.fetch is not None and one.fetch.same_as is None]
        assert leader.fetch is not None
        assert leader.fetch.attempts == leader.fetch.requests == 1
        for one in same:
            assert (one.outcome, one.thumbnail) == (leader.outcome, leader.thumbnail)
            if one is not leader:
                free: dict[str, Any] = {"bytes": 0, "attempts": 0, "requests": 0, "ms": 0.0}
                assert one.fetch == replace(leader.fetch, **free, same_as=leader.index)
                told = orjson.loads(one.line())["fetch"]
                assert (told["same_as"], told["bytes"], told["requests"]) == (leader.index, 0, 0)


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_thousand_rows_of_ten_urls(
    engine: Engine, host: PictureHost, ordered: bool
) -> None:
    """Ten downloads, whatever the row waited for: one under way, or one long over."""
    urls = [f"{host}/slow/{20 * (n % 10 % 3)}/{PAIR[n % 2]}?n={n % 10}" for n in range(1000)]
    records = await inspect(engine, urls, InfoOptions(ordered=ordered))
    assert host.counts()["requests"] == 10
    check_shared(records)
    assert all(isinstance(record.outcome, ImageInfo) for record in records)
    assert engine.repeats.held == 0


async def test_full_depth_with_a_thumbnail(engine: Engine, host: PictureHost) -> None:
    """It is decoded once as well."""
    urls = [f"{host}/picture/{n % 3}" for n in range(30)]
    records = await inspect(engine, urls, InfoOptions(depth=Depth.FULL, thumbnail=16))
    assert host.counts()["requests"] == 3
    check_shared(records)
    assert all(record.thumbnail for record in records)


async def test_arrays_of_batches_are_the_same(engine: Engine, host: PictureHost) -> None:
    """A row may belong to a later batch than the one that it was fetched for."""
    options = BatchOptions(batch_size=4, size=(8, 8), pixels=Pixels.LIST)
    recipe = await engine.recipe(options)

    async def told(urls: list[str]) -> list[dict[str, Any]]:
        async with predict_batches(engine, given(rows_of(urls)), options, recipe) as flow:
            records = sorted(await everything(flow), key=lambda record: record.batch)
        return [orjson.loads(record.line()) for record in records]

    repeated = await told([f"{host}/{SMALL}?n={n % 2}" for n in range(22)])
    assert host.counts()["requests"] == 2
    single = await told([f"{host}/{SMALL}?one={n}" for n in range(22)])
    assert host.counts()["requests"] == 24
    assert [len(line["rows"]) for line in repeated] == [4] * 5 + [2]
    for line, other in zip(repeated, single, strict=True):
        assert np.array_equal(line["pixels"], other["pixels"])
        assert [row["prediction"] for row in line["rows"]] == [
            row["prediction"] for row in other["rows"]
        ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("status/404/x", ErrorCode.HTTP_STATUS),
        ("html/x", ErrorCode.NOT_AN_IMAGE),
        ("silent/x", ErrorCode.TIMEOUT),
    ],
)
@pytest.mark.parametrize("depth", list(Depth))
async def test_what_failed_has_failed_for_all(
    engine: Engine, host: PictureHost, path: str, expected: ErrorCode, depth: Depth
) -> None:
    """Those that wait are told when it is known, and nobody asks again."""
    options = InfoOptions(depth=depth, timeout=0.3)
    records = await inspect(engine, [f"{host}/{path}"] * 70, options)
    assert {code(record) for record in records} == {expected}
    assert host.counts()["requests"] == 1
    check_shared(records)


async def test_a_bug_of_a_download_costs_nobody_the_record(
    engine: Engine, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that waited say so too; such an outcome is not kept for others."""
    asked: Counter[str] = Counter()

    async def fails(_: Downloads, ticket: Ticket) -> None:
        asked[str(ticket.target.url)] += 1
        raise RuntimeError("a bug")

    monkeypatch.setattr(Downloads, "header", fails)
    records = await inspect(engine, [f"{host}/{n % 4}" for n in range(200)])
    assert {code(record) for record in records} == {ErrorCode.INTERNAL}
    assert len(asked) == 4
    assert max(asked.values()) > 1  # the window is smaller than the manifest


async def test_chunks_that_are_not_decoded(
    engine: Engine, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row that waited for one has a record."""

    async def fails(*_: object, **__: object) -> list[object]:
        raise RuntimeError("no child process of the pool starts")

    monkeypatch.setattr("workers.pool.slot.Slot.run", fails)
    urls = [f"{host}/{SMALL}?{n % 3}" for n in range(30)]
    records = await inspect(engine, urls, InfoOptions(depth=Depth.FULL))
    assert {code(record) for record in records} == {ErrorCode.INTERNAL}


async def test_a_pool_that_is_closed_ends_them_all(engine: Engine, host: PictureHost) -> None:
    """With an error, and not never."""
    await engine.pool._close()
    with pytest.raises(PoolClosedError):
        await inspect(engine, [f"{host}/{SMALL}"] * 10, InfoOptions(depth=Depth.FULL))


async def test_stopping_answers_those_that_wait(engine: Engine, host: PictureHost) -> None:
    """Where anything was sent for them; rows behind one that was not begun have no record."""
    connections = engine.settings.max_connections
    urls = [f"{host}/silent/{n % (connections + 1)}" for n in range(3 * (connections + 1))]
    async with inspect_rows(engine, given(rows_of(urls)), InfoOptions()) as flow:
        await wait_until(lambda: len(flow._lane.under_way) == connections)
        await wait_until(lambda: flow._outbox._open == len(urls))
        assert await flow.stop()
        records = await everything(flow)
    assert {code(record) for record in records} == {ErrorCode.CANCELLED}
    assert len(records) == 3 * connections == len({record.index for record in records})
    alike = Counter(record.fetch.same_as for record in records)
    assert alike.pop(None) == connections
    assert set(alike.values()) == {2}


async def test_little_memory_costs_downloads_and_no_row(engine: Engine, host: PictureHost) -> None:
    """What was let go is fetched again; the bound holds at every moment."""
    most = 6 * ANSWER_BYTES
    engine = replace(engine, repeats=Repeats(most))
    urls = [f"{host}/{SMALL}?n={n % 100}" for n in range(400)]
    options, held = InfoOptions(), list[int]()
    async with inspect_rows(engine, given(rows_of(urls)), options) as flow:
        records = []
        async for some in flow.batches(idle=5):
            records += some
            held.append(engine.repeats.held)
    assert sorted(record.index for record in records) == list(range(400))
    assert all(isinstance(record.outcome, ImageInfo) for record in records)
    assert 100 < host.counts()["requests"] <= 400
    assert 0 < max(held) <= most
    assert engine.repeats.held == 0


async def test_what_a_url_asks_for(engine: Engine, host: PictureHost) -> None:
    """Fragments are not sent, passwords are."""
    plain, secret = f"{host}/{SMALL}", f"http://user:one@127.0.0.1:{host.port}/{SMALL}"
    urls = [plain, f"{plain}#a", f"{plain}#b", secret, secret.replace("one", "two"), secret]
    records = await inspect(engine, urls, InfoOptions(ordered=True))
    assert host.counts()["requests"] == 3
    same = [record.fetch.same_as for record in records if record.fetch is not None]
    assert [one is None for one in same] == [True, False, False, True, True, False]


async def test_a_row_that_is_looked_at_again_has_its_own_question(
    engine: Engine, host: PictureHost
) -> None:
    """What was found before may differ from row to row."""
    before = Earlier(Failure(ErrorCode.TIMEOUT), None, None)
    rows = [Row(0, "x", f"{host}/{SMALL}")]
    rows += [Row(index, "x", f"{host}/{SMALL}", before=before) for index in range(1, 5)]
    async with inspect_rows(engine, given(rows), InfoOptions()) as flow:
        records = await everything(flow)
    assert [record.fetch.same_as for record in records] == [None] * 5
    assert host.counts()["requests"] == 5


async def test_suspects_are_fetched_each_for_itself(engine: Engine, host: PictureHost) -> None:
    """A row that may end this process must be seen to do it."""
    records = await inspect(engine, [f"{host}/{SMALL}"] * 9, known=engine.repeats.none())
    assert [record.fetch.same_as for record in records if record.fetch] == [None] * 9
    assert host.counts()["requests"] == 9


async def test_parts_of_a_run_know_of_one_another(engine: Engine, host: PictureHost) -> None:
    """At the same time, and one after the other; other runs do not."""
    known = engine.repeats.of_job("a job")
    urls = [f"{host}/slow/50/{SMALL}?n={n % 4}" for n in range(40)]
    await asyncio.gather(*(inspect(engine, urls, known=known, first=40 * n) for n in range(3)))
    assert host.counts()["requests"] == 4
    later = await inspect(engine, urls, known=engine.repeats.of_job("a job"), first=120)
    assert host.counts()["requests"] == 4
    assert all(record.fetch is not None and record.fetch.same_as is not None for record in later)
    await inspect(engine, urls, known=engine.repeats.of_job("another"))
    await inspect(engine, urls)
    assert host.counts()["requests"] == 12


async def test_a_part_that_comes_again_is_told_as_it_was(engine: Engine, host: PictureHost) -> None:
    """Its records were lost: they say what was fetched for them, and nothing is fetched again."""
    known = engine.repeats.of_job("a job")
    urls = [f"{host}/{SMALL}?n={n % 3}" for n in range(6)]
    before = await inspect(engine, urls, known=known)
    again = await inspect(engine, urls, known=known)
    assert [record.line() for record in again] == [record.line() for record in before]
    assert host.counts()["requests"] == 3


@pytest.mark.parametrize("stopped", [True, False])
async def test_whoever_waited_for_a_part_that_ends_goes_on(
    engine: Engine, host: PictureHost, stopped: bool
) -> None:
    """One of them fetches, the others wait for that."""
    known = engine.repeats.of_job("a job")
    url = f"{host}/slow/2000/{SMALL}"
    first = [url] * 2 + [f"{host}/silent/{n}" for n in range(3)]
    async with inspect_rows(engine, given(rows_of(first)), InfoOptions(), known) as flow:
        await wait_until(lambda: host.counts()["requests"] == 4)
        parts = [inspect(engine, [url] * 3, known=known, first=first) for first in (10, 20)]
        others = [asyncio.create_task(part) for part in parts]
        key = url_key(url, target_of(url))
        await wait_until(lambda: len(known._under_way[key].followers or ()) == 7)
        if stopped:
            assert await flow.stop()
            cut = await everything(flow)
            assert [code(record) for record in cut] == [ErrorCode.CANCELLED] * 5
    records = [*await others[0], *await others[1]]
    assert all(isinstance(record.outcome, ImageInfo) for record in records)
    assert Counter(record.fetch.same_as for record in records if record.fetch)[None] == 1
    assert host.counts()["requests"] == 5
    assert not known._under_way


async def test_prepared_rows_share_their_pixels(engine: Engine, host: PictureHost) -> None:
    """Where batches are made by somebody else, too."""
    options = BatchOptions(size=(8, 8))
    recipe = await engine.recipe(options)
    rows = rows_of([f"{host}/{SMALL}"] * 6)
    async with prepare_rows(engine, given(rows), options, recipe) as flow:
        prepared = await everything(flow)
    assert len({one.outcome for one in prepared}) == 1
    assert len(prepared) == 6
    assert host.counts()["requests"] == 1


def target_of(url: str) -> Target:
    """What would be dialled."""
    target = parse_target(url)
    assert isinstance(target, Target)
    return target


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://h/a", "HTTP://H:80/a#x", True),
        ("https://h/a", "https://h:443/a?", True),
        ("http://h/a", "http://h/a#x", True),
        ("http://h", "http://h/", True),
        ("http://h./a", "http://h/a", True),
        ("http://h/ä", "http://H/%C3%A4", True),
        ("http://u:p@h/a", "http://u:p@H/a#", True),
        ("http://h/a", "https://h/a", False),
        ("http://h/a", "http://h:81/a", False),
        ("http://h/a", "http://h/A", False),
        ("http://h/a", "http://h/a?b", False),
        ("http://h/%28", "http://h/(", False),
        ("http://u@h/a", "http://h/a", False),
        ("http://u:p@h/a", "http://u:q@h/a", False),
        ("http://h/@x/a", "http://h@x/a", False),
    ],
)
def test_keys(one: str, other: str, same: bool) -> None:
    """Two URLs have the same where the same is sent to the same host, only then."""
    keys = [url_key(url, target_of(url)) for url in (one, other)]
    # Quoted and not, both are sent alike; such a pair may be fetched twice, and never mixed up.
    assert (keys[0] == keys[1]) is same or "ä" in one
    assert {len(key) for key in keys} == {16}


def test_answers_of_the_run_with_most_go_first() -> None:
    """The oldest of them, and no more than it takes."""
    repeats = Repeats(10 * ANSWER_BYTES)
    large, small = repeats.run(), repeats.run()
    for number in range(3):
        settle(small, f"http://h/small/{number}")
    for number in range(20):
        settle(large, f"http://h/large/{number}")
    assert (small.answers, large.answers) == (3, 6)
    assert repeats.held == small.weight + large.weight <= 10 * ANSWER_BYTES
    assert large.find(key_of("http://h/large/0")) is None
    assert large.find(key_of("http://h/large/19")) is not None
    large.close()
    assert (repeats.held, large.answers) == (small.weight, 0)
    small.close()
    assert repeats.held == 0
    settle(small, "http://h/late")  # of a flow that is about to end
    assert (repeats.held, small.answers) == (0, 0)


def test_what_is_of_any_length_counts() -> None:
    """Pixels, and what a host wrote."""
    repeats = Repeats(10 * ANSWER_BYTES)
    known = repeats.run()
    settle(known, "http://h/a", b"x" * 5000, etag="y" * 500)
    assert repeats.held == ANSWER_BYTES + 5500
    settle(known, "http://h/b", b"x" * 50_000)  # more than there is room for
    assert (repeats.held, known.answers) == (0, 0)


def test_what_was_asked_for_lately_stays() -> None:
    """However long ago it was fetched."""
    repeats = Repeats(4 * ANSWER_BYTES)
    known = repeats.run()
    settle(known, "http://h/first")
    for number in range(10):
        settle(known, f"http://h/{number}")
        assert known.find(key_of("http://h/first")) is not None


def test_of_so_many_jobs_is_known() -> None:
    """The one whose last shard came longest ago is forgotten."""
    repeats = Repeats()
    for number in range(module.MOST_JOBS):
        settle(repeats.of_job(number), "http://h/a")
    settle(repeats.of_job(0), "http://h/b")
    settle(repeats.of_job("one more"), "http://h/a")
    assert repeats.of_job(0).answers == 2
    assert repeats.held == (module.MOST_JOBS + 1) * ANSWER_BYTES
    assert repeats.of_job(1).answers == 0


@pytest.mark.parametrize("passing", ["cancelled", "internal", "worker_died", "not asked"])
def test_what_says_nothing_of_a_url_is_not_kept(passing: str) -> None:
    """A later row has a download of its own."""
    known = Repeats().run()
    if passing == "not asked":  # its host is silent: it may not be, later
        settle(known, "http://h/a", Failure(ErrorCode.TIMEOUT), attempts=0)
    else:
        settle(known, "http://h/a", Failure(ErrorCode(passing)))
    assert known.answers == 0
    assert known.find(key_of("http://h/a")) is None


def key_of(url: str) -> bytes:
    """Of the text alone."""
    return url_key(url, target_of(url))


def settle(known: Known, url: str, outcome: Any = None, **fetched: Any) -> None:
    """A row asks for a URL, and has this outcome."""
    ticket = Ticket(None, Row(0, "0", url), target_of(url), key_of(url))  # type: ignore[arg-type]
    ticket.fetch = replace(ticket.fetch, **{"attempts": 1, **fetched})
    known.begin(ticket)
    known.settle(ticket, outcome or ImageInfo("PNG", (1, 1)))
