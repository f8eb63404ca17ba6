"""What nobody else removes: dead names, jobs that expired, uploads without a job."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asserts import wait_for
from tests.workers.jobs.queues import KIND, SHARDS, Queue
from workers.jobs import janitor, keys
from workers.jobs.janitor import Janitor
from workers.jobs.patience import Patience
from workers.jobs.streams import Streams
from workers.settings import WorkSettings


@pytest.fixture
def settings(queue_settings: Callable[..., WorkSettings]) -> WorkSettings:
    return queue_settings(result_ttl=1000)


@pytest.fixture
def cleaner(queue: Queue, settings: WorkSettings) -> Janitor:
    patience = Patience(queue.redis)
    streams = Streams(queue.redis, queue.redis, "cleaner", patience)
    return Janitor(settings, queue.redis, patience, streams, [SHARDS, keys.INTAKE])


async def test_dead_names_are_removed(
    queue: Queue, cleaner: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after; but for those who hold something still."""
    await queue.begun(1)
    await queue.read(consumer="holding")
    await queue.do("XGROUP CREATECONSUMER", SHARDS, keys.GROUP, "dead")
    await cleaner.round()
    assert await names(queue) == ["dead", "holding"]
    monkeypatch.setattr(janitor, "IDLE_SECONDS", 0.001)

    async def removed() -> bool:
        await cleaner.round()
        return await names(queue) == ["holding"]

    await wait_for(removed)
    assert len(await queue.pending()) == len(await queue.pending(keys.INTAKE)) == 1


async def names(queue: Queue) -> list[str]:
    found = await queue.redis.execute_command("XINFO CONSUMERS", SHARDS, keys.GROUP)
    return sorted(one["name"].decode() for one in found)


async def test_jobs_that_expired_leave_the_index(
    queue: Queue, cleaner: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In rounds of some; those that are there, or young, or no jobs, stay."""
    monkeypatch.setattr(janitor, "ROUND", 3)
    running = await queue.begun()
    old = f"{int(time.time() - 2100) * 1000}-0"
    await queue.do("HSET", keys.job(old), "state", "running")
    young = f"{int(time.time() - 1900) * 1000}-0"
    expired = [f"{number}-{number}" for number in range(1, 11)]
    for job in (old, young, *expired):
        await queue.do("ZADD", keys.INDEX, 0, keys.member(job))
    await queue.do("ZADD", keys.INDEX, 0, "garbage", 0, b"\xff")
    for _ in range(6):
        await cleaner.round()
    left = await queue.redis.execute_command("ZRANGE", keys.INDEX, 0, -1)
    assert left == [
        *(keys.member(job).encode() for job in (old, young, running)),
        b"garbage",
        b"\xff",
    ]


async def test_what_runs_is_what_the_hashes_say(
    queue: Queue, cleaner: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed or broken by hand, begun by an older version, or no job at all."""
    monkeypatch.setattr(janitor, "ROUND", 3)
    older = [await queue.begun(1) for _ in range(5)]
    await queue.finished()
    await queue.do("DEL", keys.RUNNING)
    removed, broken, ended, running = [await queue.begun(1) for _ in range(4)]
    await queue.do("DEL", keys.job(removed))
    await queue.do("DEL", keys.job(broken))
    await queue.do("SET", keys.job(broken), "foo")
    await queue.do("HSET", keys.job(ended), "state", "done")
    await queue.do("SADD", keys.RUNNING, "garbage", b"\xff")

    async def exact() -> bool:
        await cleaner.round()
        found = await queue.redis.execute_command("SMEMBERS", keys.RUNNING)
        return set(found) == {job.encode() for job in (*older, running)}

    await wait_for(exact)


ODD = [
    "²" * 20 + "-" + "0" * 20,
    "0" * 5000 + "-1",
    "9" * 20 + "-" + "0" * 20,
    "-",
    "1-1",
    "\udcff",
]


async def test_what_is_no_name_of_a_job_ends_no_round(queue: Queue, cleaner: Janitor) -> None:
    """Whatever a person wrote into the index, or over a job: those behind it are looked at."""
    for text in ODD:
        await queue.do("ZADD", keys.INDEX, 0, text.encode(errors="surrogateescape"))
    spoilt = await queue.begun()
    await queue.do("DEL", keys.job(spoilt))
    await queue.do("SET", keys.job(spoilt), "x")
    job = await queue.begun(1)
    await queue.do("DEL", keys.INTAKE)
    await cleaner.round()
    assert await queue.state(job) == "failed"
    assert await queue.do("ZCARD", keys.INDEX) == len(ODD) + 2


async def test_names_of_jobs_that_are_not_split_lose_their_share(
    queue: Queue, cleaner: Janitor
) -> None:
    """Removed by hand, over, split whole; or never jobs."""
    removed, over, sealed, spoilt, split = [await queue.begun() for _ in range(5)]
    await queue.do("DEL", keys.job(removed), keys.job(spoilt))
    await queue.do("SET", keys.job(spoilt), "x")
    await queue.do("HSET", keys.job(over), "state", "failed")
    await queue.do("HSET", keys.job(sealed), "shards", 1, "fed", 1)
    await queue.do("SADD", keys.open_jobs(KIND), "x", b"\xff")
    await cleaner.round()
    assert list(await queue.redis.execute_command("SMEMBERS", keys.open_jobs(KIND))) == [
        split.encode()
    ]


async def test_entries_removed_by_hand_are_put_back(queue: Queue, cleaner: Janitor) -> None:
    """Those of shards; of a job that gets on, only when it stands still: looking is dear."""
    job = await queue.begun(3)
    [entry] = await queue.read()
    await cleaner.round()
    assert await queue.length() == 3
    await queue.do("XTRIM", SHARDS, "MAXLEN", 0)
    await queue.commit(entry, job, 0)
    await cleaner.round()
    assert await queue.length() == 0
    await cleaner.round()
    assert await queue.length() == 2
    taken = await queue.read(count=2)
    for shard, entry in enumerate(taken, 1):
        assert await queue.commit(entry, job, shard) == "OK"


async def test_more_shards_than_are_looked_at_are_not_put_back(
    queue: Queue, cleaner: Janitor
) -> None:
    """They may be there: else the stream grew with each round."""
    said = "for _ = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'job', '7-7', 'shard', '0') end"
    await queue.do("EVAL", said, 1, SHARDS)
    job = await queue.begun()
    await queue.room(20_000)
    assert await queue.feed(job, 0) == ["OK"]
    await cleaner.round()
    assert await queue.length() == 10_001
    await queue.do("XTRIM", SHARDS, "MAXLEN", 0)
    await cleaner.round()
    assert await queue.length() == 1


async def test_large_entries_are_looked_at_a_few_at_a_time(
    queue: Queue, cleaner: Janitor, settings: WorkSettings
) -> None:
    """By whoever looks for uploads: all are found, in more calls."""
    names = [f"{digit * 32}.tsv" for digit in "0123"]
    for name in names:
        await queue.added(kind=KIND, upload=name, images="x" * 3 * 2**20)
    first, *found = await queue.run("uploads", [keys.INTAKE], "-", 500)
    assert (first[:1], found) == ("(", names[:2])
    assert await cleaner._used() == set(names)


async def test_uploads_without_a_job_are_removed(
    queue: Queue, cleaner: Janitor, settings: WorkSettings
) -> None:
    """Of a day ago, and parts of an hour; not such as wait in the intake, nor what is no upload."""
    folder = Path(settings.data_root) / ".uploads"
    folder.mkdir()
    waiting, orphan, young = (f"{digit * 32}.tsv" for digit in "abd")
    part, coming = (f"{digit * 32}.csv.part" for digit in "ce")
    hours = {waiting: 25, orphan: 25, young: 23, part: 2, coming: 0, "notes.txt": 25}
    for name, age in hours.items():
        path = folder / name
        path.write_text("x")
        os.utime(path, (time.time() - 3600 * age,) * 2)
    await queue.added(kind=KIND, upload=waiting)
    await queue.added(kind=KIND, upload="\udc80".encode("utf-8", "surrogateescape"))
    await cleaner.round()
    kept = [young, coming, "notes.txt"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([waiting, *kept])
    await queue.do("DEL", keys.INTAKE)
    await cleaner.round()
    assert sorted(path.name for path in folder.iterdir()) == sorted(kept)


async def test_without_a_folder_of_uploads(cleaner: Janitor, queue: Queue) -> None:
    """There is nothing to remove, nor where streams are not there."""
    await queue.do("DEL", SHARDS, keys.INTAKE) if not queue.members[1:] else None
    await cleaner.round()


async def test_rows_removed_by_hand_fail_their_job(queue: Queue, cleaner: Janitor) -> None:
    """It says so, and is settled: nobody waits for them."""
    job = await queue.begun(3)
    assert await queue.seal(job, 3) == ["OK"]
    await queue.do("HDEL", keys.input_of(job), "0", "2")
    for _ in range(2):
        await cleaner.round()
    told = await queue.job(job)
    assert (told["state"], told["dropped"]) == ("failed", "2")
    assert "removed from Redis" in told["reason"]
    assert await queue.length() == 3  # their entries are let go when they are taken
