"""Consumers that die, freeze or are asked to end; jobs cancelled and deleted while they run."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.asserts import wait_for, wait_until
from tests.picture_hosts import PictureHost
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.dying import Poison, give_up
from tests.workers.jobs.queues import KIND, SHARDS, Queue
from tests.workers.jobs.running import (
    FORMATS,
    consuming,
    entry_of,
    fed,
    inspected,
    lines_of,
    plain,
    recorded,
    records_of,
    until_over,
)
from workers.engine import Engine
from workers.jobs import keys, runner, work
from workers.options import InfoOptions
from workers.pipeline import inspect_rows


@pytest.mark.parametrize("name", FORMATS)
async def test_a_splitter_that_dies_is_taken_over_where_it_was(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written, name: str
) -> None:
    """Every row once, as if nothing had happened."""
    written(FORMATS[name](pictures(30)), name)
    async with consuming(engine, kinds=()) as splitter:  # without consumers two shards are fed
        job = await queue.added(**entry_of(name, extra=1))
        await wait_for(lambda: fed(queue, job, 2))
        await splitter.killed()
    async with consuming(engine):
        told = await until_over(queue, job)
    assert (told["rows"], told["total"], told["ok"]) == ("30", "30", "30")
    lines = [plain(line) for line in await lines_of(queue, job)]
    assert lines == await inspected(engine, name, InfoOptions(extra=True))
    content = (Path(engine.settings.data_root) / name).read_bytes()
    assert told["manifest_sha256"] == hashlib.sha256(content).hexdigest()


async def test_inline_rows_go_on_where_the_splitter_died(
    queue: Queue, engine: Engine, pictures: Pictures
) -> None:
    """They are read again, from the entry, but not fed again."""
    images = pictures(14)
    async with consuming(engine, kinds=()) as splitter:
        job = await queue.added(kind=KIND, images=orjson.dumps(images))
        await wait_for(lambda: fed(queue, job, 2))
        await splitter.killed()
    async with consuming(engine):
        assert (await until_over(queue, job))["total"] == "14"
    lines = [plain(line) for line in await lines_of(queue, job)]
    assert lines == await inspected(engine, images)


@pytest.mark.parametrize("name", ["list.tsv", "list.ndjson"])
async def test_what_was_split_is_not_read_again(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written, name: str
) -> None:
    """It goes on at the offset: rows before it might as well be gone."""
    content = FORMATS[name](pictures(12)).encode()
    written(content, name)
    path = Path(engine.settings.data_root) / name
    async with consuming(engine, kinds=()) as splitter:
        job = await queue.added(**entry_of(name))
        await wait_for(lambda: fed(queue, job, 2))
        await splitter.killed()
    offset, found = int((await queue.job(job))["offset"]), path.stat()
    first = content.index(b"\n") + 1  # is looked at: is it the same manifest?
    path.write_bytes(content[:first] + b"\xff" * (offset - first) + content[offset:])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    async with consuming(engine):
        assert (await until_over(queue, job))["ok"] == "12"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes() + b"z\thttp://h/\n"),
            "changed after row 8",
        ),
        (lambda path: os.utime(path, ns=(1, 1)), "changed after row 8"),
        (lambda path: path.unlink(), "gone after row 8"),
    ],
)
async def test_a_manifest_that_changed_meanwhile_fails_the_job(
    queue: Queue,
    engine: Engine,
    pictures: Pictures,
    written: Written,
    change: Callable[[Path], object],
    reason: str,
) -> None:
    """With that reason; rows fed before are recorded."""
    name = written(pictures(30))
    async with consuming(engine, kinds=()) as splitter:
        job = await queue.added(**entry_of(name))
        await wait_for(lambda: fed(queue, job, 2))
        await splitter.killed()
    change(Path(engine.settings.data_root) / name)
    async with consuming(engine):
        told = await until_over(queue, job, "failed")
    assert reason in told["reason"]
    assert [record["index"] for record in await records_of(queue, job)] == list(range(8))


async def test_an_upload_that_was_sent_again_meanwhile_is_the_same(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """Its name is of what is in it: another file, another time, the same manifest."""
    name = f"{'0f' * 16}.tsv"
    written(pictures(12), f".uploads/{name}")
    path = Path(engine.settings.data_root) / ".uploads" / name
    async with consuming(engine, kinds=()) as splitter:
        job = await queue.added(kind=KIND, upload=name)
        await wait_for(lambda: fed(queue, job, 2))
        await splitter.killed()
    again = path.with_suffix(".part")
    again.write_bytes(path.read_bytes())
    os.utime(again, ns=(1, 1))
    again.rename(path)
    async with consuming(engine):
        assert (await until_over(queue, job))["ok"] == "12"


async def test_what_a_dead_consumer_held_is_taken_over(
    queue: Queue, engine: Engine, picture_host: PictureHost, written: Written
) -> None:
    """When its lease ran out; so is an entry whose delivery got lost on the way."""
    slow = [f"{picture_host}/slow/30/{n}.jpg" for n in range(16)]
    job = await queue.added(**entry_of(written(slow)))
    async with consuming(engine) as running:
        await wait_until(lambda: running.consumer._leases.count(SHARDS))
        await wait_for(lambda: fed(queue, job, 2))
        await running.killed()
    assert await queue.read(consumer="lost")
    assert {name for _, name, _ in await queue.pending()} == {"lost", running.consumer.name}
    async with consuming(engine):
        told = await until_over(queue, job)
    assert (told["rows"], told["ok"]) == ("16", "16")
    assert len(await lines_of(queue, job)) == 16


async def test_a_lease_that_was_lost_records_nothing_twice(
    queue: Queue, engine: Engine, picture_host: PictureHost, written: Written
) -> None:
    """Two run the same shard: who comes first is recorded."""
    slow = [f"{picture_host}/slow/100/{n}.jpg" for n in range(4)]
    async with consuming(engine) as frozen, consuming(engine, intake=False):
        beating = frozen.consumer._leases
        beating._renew = asyncio.Event().wait  # type: ignore[assignment]  # as a frozen one does
        job = await queue.added(**entry_of(written(slow)))
        await give_up_when_held(queue)
        told = await until_over(queue, job)
        await wait_until(lambda: not beating.count(SHARDS))
    assert (told["rows"], told["done"]) == ("4", "1")
    assert len(await lines_of(queue, job)) == 4
    assert (await queue.length(), await queue.pending()) == (0, [])


async def give_up_when_held(queue: Queue) -> None:
    await wait_for(queue.pending)
    await give_up(queue)


async def test_a_row_that_kills_costs_itself_alone(
    queue: Queue,
    engine_of: EngineOf,
    monkeypatch: pytest.MonkeyPatch,
    pictures: Pictures,
    written: Written,
) -> None:
    """After six deaths it is answered instead of looked at; its neighbours have their facts."""
    poison = Poison(21)
    monkeypatch.setattr(work, "inspect_rows", poison.over(inspect_rows))
    async with engine_of(shard_rows=40, max_connections=10) as engine:
        job = await queue.added(**entry_of(written(pictures(40))))
        told = await poison.survived(queue, engine, job, 6)
    records = await records_of(queue, job)
    assert [record["index"] for record in records] == list(range(40))
    [error] = [record for record in records if "error" in record]
    assert (error["index"], error["error"]["code"]) == (21, "worker_died")
    assert "4 consumers died" in error["error"]["message"]
    assert (told["ok"], told["error:worker_died"], poison.deaths) == ("39", "1", 6)
    assert await queue.do("HGETALL", keys.marks(job)) in ([], {}, ["21", "4"], {b"21": b"4"})
    assert [21] in poison.looked_at  # alone, in the end


async def test_two_rows_that_kill(
    queue: Queue,
    engine_of: EngineOf,
    monkeypatch: pytest.MonkeyPatch,
    pictures: Pictures,
    written: Written,
) -> None:
    """Each costs itself."""
    poison = Poison(3, 4)
    monkeypatch.setattr(work, "inspect_rows", poison.over(inspect_rows))
    async with engine_of(shard_rows=8) as engine:
        job = await queue.added(**entry_of(written(pictures(8))))
        told = await poison.survived(queue, engine, job, 9)
    assert (told["ok"], told["error:worker_died"]) == ("6", "2")


async def test_a_shard_nobody_finishes_is_answered(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """After thirty attempts each row says so, and a dead letter tells a person."""
    job = await queue.added(**entry_of(written([*pictures(3), "foo"])))
    async with consuming(engine, kinds=()):
        await wait_for(lambda: fed(queue, job, 1))
    [entry] = await queue.read(consumer="dead")
    await give_up(queue, runner.MOST_DELIVERIES)
    async with consuming(engine):
        told = await until_over(queue, job)
    assert (told["ok"], told["error:worker_died"]) == ("0", "4")
    assert [record["index"] for record in await records_of(queue, job)] == [0, 1, 2, 3]
    [dead] = await queue.dead()
    assert (dead["source"], dead["id"]) == (SHARDS, entry)
    assert "30 attempts" in dead["reason"]
    assert job in dead["raw"]


async def test_one_attempt_less_is_not_enough(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """The last consumer looks at the rows still."""
    job = await queue.added(**entry_of(written(pictures(3))))
    async with consuming(engine, kinds=()):
        await wait_for(lambda: fed(queue, job, 1))
    await queue.read(consumer="dead")
    await give_up(queue, runner.MOST_DELIVERIES - 1)
    async with consuming(engine):
        assert (await until_over(queue, job))["ok"] == "3"
    assert await queue.dead() == []


async def test_cancelled_while_it_runs(
    queue: Queue, engine: Engine, picture_host: PictureHost, written: Written
) -> None:
    """Rows under way say so, rows nobody began have no record, and it settles soon."""
    rows = [f"{picture_host}/{n}.jpg" for n in range(4)]
    rows += [f"{picture_host}/silent/{n}" for n in range(40)]
    async with consuming(engine):
        job = await queue.added(**entry_of(written(rows)))
        await wait_for(lambda: recorded(queue, job, 1))
        await wait_until(lambda: picture_host.counts()["in_flight"])
        asked = await queue.added(kind="cancel", job=job)
        told = await until_over(queue, job, "cancelled")
        await wait_for(lambda: gone(queue, keys.INTAKE, asked))
    records = await records_of(queue, job)
    assert 5 <= len(records) <= 8
    assert all(record["error"]["code"] == "cancelled" for record in records[4:])
    assert int(told["dropped"]) >= 1
    assert int(told["rows"]) == len(records)
    assert (await queue.length(), await queue.pending()) == (0, [])
    assert await queue.length(keys.INTAKE) == 0
    assert all(seconds > 0 for seconds in (await queue.there(job)).values())
    assert await queue.dead() == []


async def gone(queue: Queue, stream: str, entry: str) -> bool:
    return not await queue.redis.execute_command("XRANGE", stream, entry, entry)


async def test_cancelled_behind_a_dead_consumer(
    queue: Queue, engine: Engine, picture_host: PictureHost, written: Written
) -> None:
    """What it held is let go of by whoever takes it over, unrecorded."""
    silent = [f"{picture_host}/silent/{n}" for n in range(8)]
    job = await queue.added(**entry_of(written(silent)))
    async with consuming(engine) as running:
        await wait_until(lambda: running.consumer._leases.count(SHARDS))
        await wait_for(lambda: fed(queue, job, 2))
        await running.killed()
    assert await queue.cancel(job) == ["OK"]
    async with consuming(engine):
        told = await until_over(queue, job, "cancelled")
    assert (told["dropped"], told.get("rows", "0")) == ("2", "0")
    assert (await queue.length(), await queue.pending()) == (0, [])


async def test_deleted_while_it_runs(
    queue: Queue, engine: Engine, picture_host: PictureHost, pictures: Pictures, written: Written
) -> None:
    """Nothing of it comes back, and the consumer is free for others soon."""
    silent = [f"{picture_host}/silent/{n}" for n in range(40)]
    async with consuming(engine):
        job = await queue.added(**entry_of(written(silent, "silent.tsv")))
        await wait_until(lambda: picture_host.counts()["in_flight"])
        assert await queue.delete(job) == 1
        other = await queue.added(**entry_of(written(pictures(3))))
        assert (await until_over(queue, other))["ok"] == "3"
        await wait_for(lambda: nothing_left(queue))
    assert await queue.there(job) == {}
    assert await queue.dead() == []
    assert await queue.length(keys.INTAKE) == 0


async def nothing_left(queue: Queue) -> bool:
    return await queue.length() == 0 and not await queue.pending()


async def test_asked_to_stop_it_hands_back(
    queue: Queue, engine_of: EngineOf, picture_host: PictureHost, written: Written
) -> None:
    """Shards and the job, without blame and at once; its name goes."""
    silent = [f"{picture_host}/silent/{n}" for n in range(40)]
    async with engine_of(lease_seconds=3600, shutdown_grace=0) as engine:
        job = await queue.added(**entry_of(written(silent)))
        async with consuming(engine) as running:
            await wait_until(lambda: picture_host.counts()["in_flight"])
            [(entry, _, deliveries)] = await queue.pending()
            assert deliveries == 1
            await running.stop()
        assert await queue.pending() == [(entry, running.consumer.name, 0)]
        assert await queue.pending(keys.INTAKE) == [(job, running.consumer.name, 0)]
        async with consuming(engine) as running:  # long before the lease ran out
            await wait_for(lambda: held_by(queue, running.consumer.name, 2))
            assert [count for _, _, count in await queue.pending()] == [1]
            await queue.cancel(job)
            await until_over(queue, job, "cancelled")
        assert await queue.length() == 0


async def held_by(queue: Queue, name: str, entries: int) -> bool:
    held = [*await queue.pending(), *await queue.pending(keys.INTAKE)]
    return [owner for _, owner, _ in held] == [name] * entries


async def test_asked_to_stop_it_finishes_what_is_under_way(
    queue: Queue, engine: Engine, picture_host: PictureHost, written: Written
) -> None:
    """Within the grace; and takes nothing more."""
    slow = [f"{picture_host}/slow/50/{n}.jpg" for n in range(40)]
    job = await queue.added(**entry_of(written(slow)))
    async with consuming(engine) as running:
        await wait_until(lambda: picture_host.counts()["in_flight"])
        begun = len(await queue.pending())
        before = int((await queue.job(job)).get("done", 0))
        await running.stop()
        assert await queue.pending() == []
        assert int((await queue.job(job))["done"]) == before + begun
    async with consuming(engine):
        assert (await until_over(queue, job))["ok"] == "40"
