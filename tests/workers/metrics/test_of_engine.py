"""What an engine tells of its work: each thing where it happened, once."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from imaging.facts import Failure
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.prometheus import Scrape
from tests.workers.fetch.downloading import resolving
from tests.workers.pool.hostile_work import act
from workers.engine import Engine, open_engine
from workers.manifest.rows import Row
from workers.metrics.of_engine import EngineMetrics
from workers.options import BatchOptions, Depth, InfoOptions
from workers.pipeline import inspect_rows, predict_batches
from workers.records import Record
from workers.settings import WorkSettings


async def given(urls: Sequence[str]) -> AsyncIterator[Row]:
    """Rows of these."""
    for number, url in enumerate(urls):
        yield Row(number, str(number), url)


async def inspected(
    engine: Engine, urls: Sequence[str], depth: Depth = Depth.HEADER
) -> list[Record]:
    """A stream of them."""
    async with inspect_rows(engine, given(urls), InfoOptions(depth)) as flow:
        return [record async for some in flow.batches(idle=10) for record in some]


def told(engine: Engine) -> Scrape:
    """What it says now."""
    return Scrape(EngineMetrics(engine).collect())


def count(scrape: Scrape, span: str) -> float | None:
    """How many there were of a span."""
    return scrape("span_seconds_count", span=span)


async def test_downloads_and_their_bytes_are_those_of_the_records(
    settings: WorkSettings, picture_host: PictureHost
) -> None:
    """A row that shares an answer has none of its own; one that cannot be asked for neither."""
    urls = [f"{picture_host}/{n}.jpg" for n in range(5)] + [f"{picture_host}/0.jpg"]
    urls += [f"{picture_host}/status/404/a", "http://nowhere.example/a.jpg", "ftp://a/b", "foo"]
    async with open_engine(settings, resolver=resolving({})) as engine:
        before = told(engine)
        records = await inspected(engine, urls)
        after = told(engine)
        await wait_until(lambda: told(engine)("downloads_inflight") == 0)

    assert before.by("outcome", "downloads_total") == {}
    fetches = [record.fetch for record in records if record.fetch is not None]
    outcomes = Counter(
        record.outcome.code.value if isinstance(record.outcome, Failure) else "ok"
        for record in records
        if record.fetch is not None and record.fetch.same_as is None
    )
    assert after.by("outcome", "downloads_total") == outcomes
    assert outcomes == {"ok": 5, "http_status": 1, "dns_not_found": 1}
    assert after("download_bytes_total") == sum(fetch.bytes for fetch in fetches)


async def test_each_span_is_counted_where_it_happens(
    settings: WorkSettings, picture_host: PictureHost
) -> None:
    """Kept connections are not dialled anew; literal addresses are not looked up."""
    name = f"http://pictures.example:{picture_host.port}"
    urls = [f"{name}/{n}.jpg" for n in range(6)] + ["http://nowhere.example/a.jpg"]
    chosen = settings.model_copy(update={"max_connections": 1})
    resolver = resolving({"pictures.example": ["127.0.0.1"]})
    async with open_engine(chosen, resolver=resolver) as engine:
        await inspected(engine, urls, Depth.FULL)
        scrape = told(engine)

    assert count(scrape, "permit_wait") == 7
    assert count(scrape, "dns") == 2
    assert count(scrape, "connect") == 1
    assert count(scrape, "first_byte") == 6
    assert count(scrape, "body") == 6
    assert count(scrape, "decode") == 6
    assert count(scrape, "predict") == 0
    for span in ("permit_wait", "connect", "first_byte", "decode"):
        assert 0 < (scrape("span_seconds_sum", span=span) or 0) < 60, span


async def test_a_slow_answer_is_first_byte_and_a_dial_is_not(
    settings: WorkSettings, picture_host: PictureHost
) -> None:
    """What the host takes to answer, told apart from what it takes to be reached."""
    async with open_engine(settings, resolver=resolving({})) as engine:
        await inspected(engine, [f"{picture_host}/slow/1000/0.jpg"])
        scrape = told(engine)

    assert (scrape("span_seconds_sum", span="first_byte") or 0) >= 0.9
    assert (scrape("span_seconds_sum", span="connect") or 9) < 0.9


async def test_predictions_are_timed_without_loading(
    settings: WorkSettings, picture_host: PictureHost
) -> None:
    """One for each batch."""
    options = BatchOptions(batch_size=2)
    async with open_engine(settings, resolver=resolving({})) as engine:
        recipe = await engine.recipe(options)
        rows = given([f"{picture_host}/{n}.jpg" for n in range(4)])
        async with predict_batches(engine, rows, options, recipe) as flow:
            assert [one async for some in flow.batches(idle=10) for one in some]
        scrape = told(engine)

    assert count(scrape, "decode") == 4
    assert count(scrape, "predict") == 2


async def test_rows_that_are_cut_off_are_cancelled_downloads(
    settings: WorkSettings, picture_host: PictureHost
) -> None:
    """Those begun; the others were none."""
    urls = [f"{picture_host}/silent/{n}" for n in range(30)]
    chosen = settings.model_copy(update={"max_connections": 3, "max_connections_per_host": 3})
    async with open_engine(chosen, resolver=resolving({})) as engine:
        async with inspect_rows(engine, given(urls), InfoOptions()) as flow:
            await wait_until(lambda: engine.turns.busy == 3)
            assert told(engine)("downloads_inflight") == 3
            assert await flow.stop()
        scrape = told(engine)

    assert scrape.by("outcome", "downloads_total") == {"cancelled": 3}


@pytest.mark.parametrize(
    ("way", "cause"), [("kill", "died"), ("hang", "timeout"), ("much", "recycled")]
)
async def test_processes_that_are_replaced_have_a_cause(
    settings: WorkSettings, way: str, cause: str
) -> None:
    """Each once, though it may be several that notice."""
    async with open_engine(settings, resolver=resolving({})) as engine:
        async with engine.pool.slot() as slot:
            scrape = told(engine)
            assert (scrape("pool_slots"), scrape("pool_inflight")) == (1, 1)
            if way == "much":
                engine.pool._supervisors[0].replace(
                    await engine.pool._supervisors[0].child(), "recycled"
                )
            elif way == "kill":
                child = await engine.pool._supervisors[0].child()
                os.kill(child.pid, 9)
            else:
                (found,) = await slot.run(act, ["loop_in_python"], item_timeout=0.2)
                assert isinstance(found, Failure)
        await wait_until(lambda: told(engine).by("cause", "pool_restarts_total") != {})
        await wait_until(lambda: engine.pool.warm == 1)
        scrape = told(engine)

    assert list(scrape.by("cause", "pool_restarts_total")) == [cause]


async def test_who_waits_for_the_pool_is_counted(settings: WorkSettings) -> None:
    """Until it has its slot, or leaves."""
    async with open_engine(settings, resolver=resolving({})) as engine:

        async def use() -> None:
            async with engine.pool.slot():
                pass

        async with engine.pool.slot():
            waiting = [asyncio.create_task(use()) for _ in range(2)]
            await wait_until(lambda: told(engine)("pool_waiting") == 2)
            waiting.pop().cancel()
            await wait_until(lambda: told(engine)("pool_waiting") == 1)
        await waiting[0]
        scrape = told(engine)

    assert (scrape("pool_waiting"), scrape("pool_inflight")) == (0, 0)


async def test_memory_in_use_and_its_bound(settings: WorkSettings) -> None:
    """Of bodies and of arrays."""
    async with open_engine(settings, resolver=resolving({})) as engine:
        body, array = engine.downloads.budget.take(1000), engine.arrays.take(500)
        assert body is not None
        assert array is not None
        scrape = told(engine)
        body.release()
        array.release()
        after = told(engine)

    assert scrape.by("what", "inflight_bytes") == {"bodies": 1000, "arrays": 500}
    most = float(settings.max_inflight_bytes)
    assert scrape.by("what", "inflight_max_bytes") == {"bodies": most, "arrays": most}
    assert after.by("what", "inflight_bytes") == {}
