"""Batches whose consumers die, jobs of batches that are cancelled or wait for their readers."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.asserts import wait_for, wait_until
from tests.picture_hosts import PictureHost
from tests.workers.jobs.batches import KIND, STREAM
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.dying import Poison, give_up
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import (
    consuming,
    entry_of,
    fed,
    lines_of,
    predicted,
    recorded,
    records_of,
    until_over,
)
from workers import pipeline
from workers.engine import Engine
from workers.jobs import batch_work, runner
from workers.jobs.runner import QUARANTINE_DELIVERIES
from workers.options import BatchOptions, Pixels


async def split(queue: Queue, engine: Engine, deliveries: int, **entry: Any) -> tuple[str, str]:
    """A job whose first shard was given out so often, by whoever is gone; both ids."""
    async with consuming(engine, kinds=()):
        job = await queue.added(**entry)
        await wait_for(lambda: fed(queue, job, 1))
    [shard] = await queue.read(STREAM, "gone")
    await give_up(queue, deliveries, STREAM)
    return job, shard


@pytest.mark.parametrize("poisonous", [(21,), (2, 21)])
async def test_a_row_that_kills_costs_itself_alone(
    queue: Queue,
    engine_of: EngineOf,
    monkeypatch: pytest.MonkeyPatch,
    pictures: Pictures,
    written: Written,
    poisonous: tuple[int, ...],
) -> None:
    """All others of its batch have the predictions, and the pixels, that they would have had."""
    poison = Poison(*poisonous)
    for name in ("predict_batches", "prepare_rows"):
        monkeypatch.setattr(batch_work, name, poison.over(getattr(batch_work, name)))
    urls = pictures(32)
    said = {"kind": KIND, "batch_size": 8, "size": "4x4", "pixels": "list"}
    async with engine_of(shard_rows=32, max_connections=8) as engine:
        job = await queue.added(**entry_of(written(urls), **said))
        told = await poison.survived(queue, engine, job, 4 * len(poisonous) + 2, STREAM)
        for row in poisonous:
            urls[row] = "nonsense"
        options = BatchOptions(8, size=(4, 4), pixels=Pixels.LIST)
        expected = [orjson.loads(line) for line in await predicted(engine, written(urls), options)]
    records = await records_of(queue, job)
    for row in poisonous:
        found = records[row // 8]["rows"][row % 8]
        assert found.pop("error")["code"] == "worker_died"
        assert not {"position", "prediction"} & found.keys()
        records[row // 8]["rows"][row % 8] = expected[row // 8]["rows"][row % 8]
    assert records == expected
    assert (told["ok"], told["error:worker_died"]) == (
        *(str(32 - len(poisonous)), str(len(poisonous))),
    )
    assert all([row] in poison.looked_at for row in poisonous)  # alone, in the end
    assert (await queue.length(STREAM), await queue.pending(STREAM)) == (0, [])


async def test_a_shard_nobody_finishes_is_answered(
    queue: Queue, engine_of: EngineOf, pictures: Pictures, written: Written
) -> None:
    """With a line for each batch, in which a bad row is what it was; a dead letter tells people."""
    async with engine_of(shard_rows=8) as engine:
        urls = "".join(f"{url}\n" for url in pictures(4))
        name = written(urls.encode() + b"http://h/\xff\n")
        deliveries = runner.MOST_DELIVERIES
        job, shard = await split(
            queue, engine, deliveries, **entry_of(name, kind=KIND, batch_size=2)
        )
        async with consuming(engine):
            told = await until_over(queue, job)
    records = await records_of(queue, job)
    assert [len(record["rows"]) for record in records] == [2, 2, 1]
    assert [record["batch_dimension"] for record in records] == [[0, 3, 64, 64]] * 3
    rows = [row for record in records for row in record["rows"]]
    assert [row["index"] for row in rows] == list(range(5))
    assert [row["error"]["code"] for row in rows] == ["worker_died"] * 4 + ["bad_row"]
    assert (told["ok"], told["error:worker_died"], told["error:bad_row"]) == ("0", "4", "1")
    [dead] = await queue.dead()
    assert (dead["source"], dead["id"]) == (STREAM, shard)


async def test_in_quarantine_batches_are_what_they_are(
    queue: Queue,
    engine_of: EngineOf,
    picture_host: PictureHost,
    pictures: Pictures,
    written: Written,
) -> None:
    """Byte for byte, with rows that fail and batches larger than what is looked at together."""
    name = written([*pictures(20), "foo", f"{picture_host}/status/404/x", *pictures(23)])
    said = {"kind": KIND, "batch_size": 20, "pixels": "npy", "size": "5x6"}
    options = BatchOptions(20, size=(5, 6), pixels=Pixels.NPY)
    async with engine_of(shard_rows=60) as engine:
        deliveries = QUARANTINE_DELIVERIES - 1
        job, _ = await split(queue, engine, deliveries, **entry_of(name, **said))
        async with consuming(engine):
            told = await until_over(queue, job)
        assert await lines_of(queue, job) == await predicted(engine, name, options)
    assert (told["ok"], told["done"]) == ("43", "1")
    assert "marks" not in await queue.there(job)


@pytest.mark.parametrize("deliveries", [0, QUARANTINE_DELIVERIES - 1])
async def test_cancelled_while_it_runs(
    queue: Queue, engine_of: EngineOf, picture_host: PictureHost, written: Written, deliveries: int
) -> None:
    """Rows under way say so and have no place in the array; what nobody began has no record."""
    rows = [f"{picture_host}/{n}.jpg" for n in range(6)]
    rows += [f"{picture_host}/silent/{n}" for n in range(40)]
    entry = entry_of(written(rows), kind=KIND, batch_size=4, pixels="npy")
    # A lease that no pause of this process outlasts: nobody else begins the shard anew.
    async with engine_of(max_connections=2, shard_rows=20, lease_seconds=60) as engine:
        job, _ = await split(queue, engine, deliveries, **entry)
        predict = engine.instruments.timings.predict
        picture_host.reset()
        async with consuming(engine):
            await wait_until(lambda: predict.count == 1 and _silent(picture_host) == 2, 20)
            await queue.added(kind="cancel", job=job)
            told = await until_over(queue, job, "cancelled")
    records = await records_of(queue, job)
    assert [record["batch"] for record in records] == list(range(len(records)))
    assert [row["index"] for row in records[0]["rows"]] == [0, 1, 2, 3]
    assert all("prediction" in row for row in records[0]["rows"])
    assert len(records) >= 2
    for record in records[1:]:
        assert record["batch_dimension"] == [0, 3, 64, 64]
        assert {row["error"]["code"] for row in record["rows"]} == {"cancelled"}
        assert not any("position" in row for row in record["rows"])
        assert "pixels" not in record
    counted = sum(len(record["rows"]) for record in records)
    assert (told["rows"], told["ok"]) == (str(counted), "4")
    assert counted <= 20
    assert int(told["done"]) + int(told["dropped"]) == int(told["fed"])
    assert (await queue.length(STREAM), await queue.pending(STREAM)) == (0, [])


def _silent(picture_host: PictureHost) -> int:
    """Requests that will have no answer."""
    return sum("/silent/" in request["target"] for request in picture_host.requests())


async def test_cancelled_while_it_is_predicted(
    queue: Queue,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    pictures: Pictures,
    written: Written,
) -> None:
    """Nobody waits for the predictor; what failed before has failed."""
    asked = asyncio.Event()

    async def endless(*_: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(pipeline, "predict_batch", endless)
    async with consuming(engine):
        job = await queue.added(**entry_of(written([*pictures(3), "foo"]), kind=KIND))
        await asyncio.wait_for(asked.wait(), 10)
        await queue.cancel(job)
        await until_over(queue, job, "cancelled")
    [record] = await records_of(queue, job)
    codes = [row["error"]["code"] for row in record["rows"]]
    assert codes == ["cancelled"] * 3 + ["bad_url"]


async def test_a_job_pauses_at_its_results_and_goes_on(
    queue: Queue, engine_of: EngineOf, pictures: Pictures, written: Written
) -> None:
    """Nothing is lost by it, and every batch is whole."""
    name = written(pictures(50))
    lines: list[bytes] = []
    async with engine_of(max_redis_results=6000) as engine, consuming(engine):
        job = await queue.added(**entry_of(name, kind=KIND, batch_size=4))

        async def paused_or_over() -> str | None:
            told = await queue.job(job)
            waits = "paused" in told and int(told["result_bytes"]) >= 6000
            waits = waits and told["fed"] == told["done"]
            return "paused" if waits else "over" if told.get("state") == "done" else None

        while await wait_for(paused_or_over, 10) == "paused":
            lines += await lines_of(queue, job)
            await queue.release(job, (await queue.results(job))[-1][0], 1000)
        lines += await lines_of(queue, job)
        assert lines == await predicted(engine, name, BatchOptions(4))
    told = await queue.job(job)
    assert int(told["released_rows"]) >= 4
    assert told["rows"] == "50"


async def test_killed_and_taken_over(
    queue: Queue, engine: Engine, picture_host: PictureHost, written: Written
) -> None:
    """What one held, another records, with what the first one pinned."""
    name = written([f"{picture_host}/slow/20/{n}.jpg" for n in range(20)])
    async with consuming(engine) as running:
        job = await queue.added(**entry_of(name, kind=KIND, batch_size=2))
        await wait_for(lambda: recorded(queue, job, 1))
        await wait_until(lambda: running.consumer._leases.count(STREAM))
        await running.killed()
    pinned = (await queue.job(job))["provenance"]
    async with consuming(engine):
        told = await until_over(queue, job)
    assert await lines_of(queue, job) == await predicted(engine, name, BatchOptions(2))
    assert (told["provenance"], told["rows"]) == (pinned, "20")
