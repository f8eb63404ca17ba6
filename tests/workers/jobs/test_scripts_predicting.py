"""Scripts of jobs that are predicted: pinned with what; failed where that cannot be had."""

from __future__ import annotations

import pytest
from redis.crc import key_slot

from tests.workers.jobs.queues import KIND, SHARDS, TTL, Queue
from workers.jobs import keys

WHY = "of the test"


async def pin(queue: Queue, job: str, provenance: str) -> str | None:
    """What a job is predicted with."""
    found: str | None = await queue.run("pin", [keys.job(job)], provenance)
    return found


async def condemn(queue: Queue, entry: str, job: str, shard: int, reason: str = WHY) -> str | None:
    """Fail a job over a shard; the upload that is to be removed."""
    named = [*keys.of_job(job), SHARDS, keys.INTAKE, keys.open_jobs(KIND), *keys.COUNTED]
    upload: str | None = await queue.run("condemn", named, job, entry, shard, reason, TTL)
    return upload


async def counts(queue: Queue, job: str) -> tuple[str | None, ...]:
    """The state of a job; shards fed, recorded, dropped."""
    told = await queue.job(job)
    return tuple(told.get(name) for name in ("state", "fed", "done", "dropped"))


async def test_who_pins_first_wins(queue: Queue) -> None:
    """Everybody is told what it is; asked again it is the same."""
    job = await queue.begun(1)
    assert await pin(queue, job, "first") == "first"
    assert await pin(queue, job, "second") == "first"
    assert await pin(queue, job, "first") == "first"
    named = [keys.job(job), keys.input_of(job), keys.fence(job)]
    assert (await queue.run("load", named, 0))[6] == "first"


async def test_nothing_is_pinned_to_a_job_that_is_gone(queue: Queue) -> None:
    """It would come back by it."""
    assert await pin(queue, "7-7", "first") is None
    assert await queue.there("7-7") == {}


async def test_condemned_while_it_is_split(queue: Queue) -> None:
    """What waits is dropped, what is under way is recorded, and it is not split on."""
    job, other = await queue.begun(4), await queue.begun(2)
    first, second = await queue.read(count=2)
    assert await condemn(queue, first, job, 0) is None
    assert await counts(queue, job) == ("failed", "4", None, "3")
    told = await queue.job(job)
    assert told["reason"] == WHY
    assert float(told["finished"]) >= float(told["started"])
    assert await queue.do("HKEYS", keys.input_of(job)) == ["1"]
    assert await queue.do("SISMEMBER", keys.open_jobs(KIND), job) == 0
    assert [entry for entry, _, _ in await queue.pending(keys.INTAKE)] == [other]
    assert await queue.length(keys.INTAKE) == 1
    assert await queue.length() == 3  # the one under way, and the other job's
    assert set((await queue.there(job)).values()) == {-1}
    assert await queue.feed(job, 4) == ["STATE", "failed"]
    assert await queue.seal(job, 4) == ["STATE", "failed"]
    assert await queue.fail(job, "another reason") == ["STATE", "failed"]
    assert await queue.commit(second, job, 1) == "OK"
    assert await counts(queue, job) == ("failed", "4", "1", "3")
    assert (await queue.job(job))["reason"] == WHY
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())
    assert await queue.state(other) == "running"
    assert len(await queue.read(count=9)) == 2


async def test_condemned_by_each_of_its_shards(queue: Queue) -> None:
    """The first says why; each is dropped once, however often it is asked."""
    job = await queue.begun(3)
    entries = await queue.read(count=3)
    await condemn(queue, entries[0], job, 0)
    assert await counts(queue, job) == ("failed", "3", None, "1")
    await condemn(queue, entries[1], job, 1, "another reason")
    before = queue.dump()
    for shard in (0, 1):
        await condemn(queue, entries[shard], job, shard)
    assert queue.dump() == before
    await condemn(queue, entries[2], job, 2, "another reason")
    assert await counts(queue, job) == ("failed", "3", None, "3")
    assert (await queue.job(job))["reason"] == WHY
    assert (await queue.length(), await queue.pending()) == (0, [])
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())


async def test_condemned_once_it_is_split_whole(queue: Queue) -> None:
    """With what was recorded; its upload was removed then, and its name may be another's."""
    job = await queue.begun(3)
    await queue.do("HSET", keys.job(job), "upload", "a.tsv")
    first, second = await queue.read(count=2)
    assert await queue.commit(first, job, 0) == "OK"
    assert await queue.seal(job, 3) == ["OK"]
    assert await condemn(queue, second, job, 1) is None
    assert await counts(queue, job) == ("failed", "3", "1", "2")
    assert len(await queue.results(job)) == 1
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())


async def test_the_upload_is_told_though_an_answer_was_lost(queue: Queue) -> None:
    """But not to those who come later with reasons of their own."""
    job = await queue.begun(2)
    await queue.do("HSET", keys.job(job), "upload", "a.tsv")
    first, second = await queue.read(count=2)
    assert await condemn(queue, first, job, 0) == "a.tsv"
    assert await condemn(queue, first, job, 0) == "a.tsv"
    assert await condemn(queue, second, job, 1, "another reason") is None


@pytest.mark.parametrize("state", ["cancelled", "failed", "paused"])
async def test_condemned_as_it_ends_otherwise(queue: Queue, state: str) -> None:
    """It ended first, and that stands; a job that was paused is not any more."""
    job = await queue.begun(2)
    first, second = await queue.read(count=2)
    match state:
        case "cancelled":
            await queue.cancel(job)
        case "failed":
            await queue.fail(job, "first")
        case "paused":
            await queue.commit(first, job, 0)
            assert await queue.feed(job, 2, most=1) == ["PAUSED"]
    await condemn(queue, second, job, 1)
    told = await queue.job(job)
    assert told["state"] == ("failed" if state == "paused" else state)
    assert told.get("reason") == {"failed": "first", "paused": WHY}.get(state)
    assert "paused" not in told
    assert told["dropped"] == "1"


async def test_condemned_as_it_was_recorded(queue: Queue) -> None:
    """By another, who had what it takes: the shard counts once, the job is over all the same."""
    job = await queue.begun(2)
    first, _ = await queue.read(count=2)
    assert await queue.commit(first, job, 0) == "OK"
    await condemn(queue, first, job, 0)
    assert await counts(queue, job) == ("failed", "2", "1", "0")


async def test_a_job_that_is_gone_is_not_condemned(queue: Queue) -> None:
    """Nothing comes back; the entry has served."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.do("DEL", keys.job(job))
    assert await condemn(queue, entry, job, 0) is None
    assert await queue.state(job) is None
    assert (await queue.length(), await queue.pending()) == (0, [])


async def test_without_the_group_all_that_waits_is_dropped(queue: Queue) -> None:
    """Somebody removed it."""
    job = await queue.begun(3)
    [entry] = await queue.read()
    await queue.do("XGROUP", "DESTROY", SHARDS, keys.GROUP)
    await condemn(queue, entry, job, 0)
    assert await counts(queue, job) == ("failed", "3", None, "3")
    assert await queue.length() == 0


@pytest.mark.parametrize("kind", keys.KINDS)
def test_all_keys_are_in_one_slot(kind: str) -> None:
    """Else a cluster refuses the scripts."""
    named = [*keys.of_job("1-0"), keys.shards(kind), keys.INTAKE, keys.open_jobs(kind)]
    named += keys.COUNTED
    named += [keys.INDEX, keys.DEAD, keys.CONSUMERS, keys.CAPACITY + kind, keys.once("x")]
    assert len({key_slot(name.encode()) for name in named}) == 1
