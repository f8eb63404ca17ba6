"""Scripts that end a job before its time: cancelled, it keeps what it has; deleted, it is gone."""

from __future__ import annotations

import pytest

from tests.workers.jobs.queues import KIND, SHARDS, TTL, Queue
from workers.jobs import keys


async def test_cancelled_while_queued(queue: Queue) -> None:
    """Nobody will take it; what it was is kept to be looked at."""
    job = await queue.added()
    assert await queue.cancel(job) == ["OK"]
    assert await queue.length(keys.INTAKE) == 0
    told = await queue.job(job)
    assert (told["state"], told["kind"], told["manifest"]) == ("cancelled", KIND, "a.tsv")
    assert float(told["finished"]) >= float(told["started"]) > 1.7e9
    assert await queue.do("ZRANGE", keys.INDEX, 0, -1) == [keys.member(job)]
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())


async def test_cancelled_while_running(queue: Queue) -> None:
    """Shards that wait are dropped; those under way are recorded, then the job has settled."""
    job, other = await queue.begun(4), await queue.begun(2)
    first, second = await queue.read(count=2)
    await queue.commit(first, job, 0)
    assert await queue.cancel(job) == ["OK"]
    told = await queue.job(job)
    counted = (told["state"], told["fed"], told["done"], told["dropped"])
    assert counted == ("cancelled", "4", "1", "2")
    assert await queue.do("HKEYS", keys.input_of(job)) == ["1"]
    assert await queue.length() == 3  # the one under way, and the other job's
    assert await queue.length(keys.INTAKE) == 1
    assert set((await queue.there(job)).values()) == {-1}
    assert await queue.commit(second, job, 1) == "OK"
    told = await queue.job(job)
    assert (told["state"], told["done"], told["dropped"], told["rows"]) == (
        *("cancelled", "2", "2", "20"),
    )
    there = await queue.there(job)
    assert all(0 < seconds <= TTL for seconds in there.values()), there
    assert await queue.state(other) == "running"
    assert len(await queue.read(count=9)) == 2


async def test_cancelled_twice(queue: Queue) -> None:
    """The second time nothing changes."""
    for job in (await queue.added(), await queue.begun(3)):
        await queue.cancel(job)
        before = queue.dump()
        assert await queue.cancel(job) == ["OK"]
        assert queue.dump() == before


async def test_what_is_over_cannot_be_cancelled(queue: Queue) -> None:
    """Nor what is not known."""
    done, failed = await queue.finished(), await queue.begun()
    await queue.fail(failed)
    before = queue.dump()
    assert await queue.cancel(done) == ["FINAL", "done"]
    assert await queue.cancel(failed) == ["FINAL", "failed"]
    assert await queue.cancel("7-7") == ["NONE"]
    assert queue.dump() == before


async def test_a_paused_job_is_cancelled(queue: Queue) -> None:
    """It does not wait any more."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    await queue.feed(job, 1, most=1)
    assert await queue.cancel(job) == ["OK"]
    assert "paused" not in await queue.job(job)
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())


async def test_a_job_without_the_stream_of_shards_is_cancelled(queue: Queue) -> None:
    """No group was made yet, or somebody removed it: what waits is dropped all the same."""
    job = await queue.begun(2)
    await queue.do("XGROUP", "DESTROY", SHARDS, keys.GROUP)
    assert await queue.cancel(job) == ["OK"]
    assert (await queue.job(job))["dropped"] == "2"
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())


@pytest.mark.parametrize("state", ["queued", "running", "done", "failed", "cancelled"])
async def test_deleted(queue: Queue, state: str) -> None:
    """Whatever it was, nothing of it is left, and nothing of others is touched."""
    other = await queue.begun(1)
    await queue.read()
    match state:
        case "queued":
            job = await queue.added()
        case "done":
            job = await queue.finished()
        case _:
            job = await queue.begun(2)
    if state == "failed":
        await queue.fail(job)
    if state == "cancelled":
        await queue.cancel(job)
    assert await queue.delete(job) == 1
    assert await queue.there(job) == {}
    assert await queue.do("ZRANGE", keys.INDEX, 0, -1) == [keys.member(other)]
    left = [entry for entry, _, _ in await queue.pending(keys.INTAKE)]
    assert left == [other]
    assert await queue.length() == 1
    assert await queue.delete(job) == 0
    assert await queue.state(other) == "running"


async def test_deleted_with_shards_under_way(queue: Queue) -> None:
    """Whoever ends one finds no job, and nothing comes back."""
    job = await queue.begun(3)
    first, second = await queue.read(count=2)
    assert await queue.delete(job) == 1
    assert await queue.length() == 2
    assert await queue.commit(first, job, 0) == "NOJOB"
    assert await queue.drop(second, job, 1) == 0
    assert await queue.feed(job, 3) == ["STATE", "gone"]
    assert await queue.seal(job, 3) == ["STATE", "gone"]
    assert await queue.fail(job) == ["STATE", "gone"]
    assert await queue.there(job) == {}
    assert (await queue.length(), await queue.pending()) == (0, [])
    assert await queue.length(keys.INTAKE) == 0


async def test_only_a_name_without_a_job_is_forgotten(queue: Queue) -> None:
    """Of the index."""
    job = await queue.begun()
    named = [keys.job(job), keys.INDEX]
    assert await queue.run("forget", named, keys.member(job)) == 0
    await queue.do("DEL", keys.job(job))
    assert await queue.run("forget", named, keys.member(job)) == 1
    assert await queue.run("forget", named, keys.member(job)) == 0


async def test_more_shards_than_are_looked_at_are_dropped_when_taken(queue: Queue) -> None:
    """Behind ten thousand of others: the job settles all the same, or is gone."""
    cancelled, deleted = await queue.begun(), await queue.begun()
    said = "for _ = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'job', '7-7', 'shard', '0') end"
    await queue.do("EVAL", said, 1, SHARDS)
    await queue.room(20_000)
    assert await queue.feed(cancelled, 0) == ["OK"]
    assert await queue.feed(deleted, 0) == ["OK"]
    assert await queue.cancel(cancelled) == ["OK"]
    assert await queue.delete(deleted) == 1
    assert set((await queue.there(cancelled)).values()) == {-1}
    *_, first, second = await queue.read(count=10_002)
    assert await queue.drop(first, cancelled, 0) == 1
    assert await queue.drop(second, deleted, 0) == 0
    told = await queue.job(cancelled)
    assert (told["state"], told["fed"], told["dropped"]) == ("cancelled", "1", "1")
    assert all(0 < seconds <= TTL for seconds in (await queue.there(cancelled)).values())
    assert await queue.there(deleted) == {}
    assert await queue.length() == 10_000
