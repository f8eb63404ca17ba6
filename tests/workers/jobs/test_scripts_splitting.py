"""Scripts of the splitter: handed in once, fed in order and no further than there is room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.asserts import wait_until
from tests.workers.jobs.queues import KIND, SHARDS, TTL, Queue
from workers.jobs import keys
from workers.jobs.feeding import Feed
from workers.jobs.fields import Job
from workers.jobs.patience import Patience
from workers.jobs.room import Room
from workers.manifest.rows import Row
from workers.options import InfoOptions


async def test_a_token_hands_in_one_job(queue: Queue) -> None:
    """Asked again, also by many at once: the same job. Another request is told apart."""
    first, *others = await asyncio.gather(*(queue.submit("t") for _ in range(10)))
    assert {job for _, job in (first, *others)} == {first[1]}
    assert sorted(answer for answer, _ in (first, *others)) == ["KNOWN"] * 9 + ["OK"]
    assert await queue.submit("t", "other") == ["OTHER", first[1]]
    answer, job = await queue.submit("u")
    assert (answer, await queue.length(keys.INTAKE)) == ("OK", 2)
    assert job != first[1]
    assert 0 < await queue.do("TTL", keys.once("t")) <= 60


async def test_a_job_is_begun_once(queue: Queue) -> None:
    """Asked again: nothing is begun anew, and no death is seen in it."""
    job = await queue.added()
    await queue.read(keys.INTAKE, "a")
    assert await queue.open(job) == ["OK", "0", "0", "0", "", "0"]
    begun = queue.dump()
    assert await queue.open(job) == ["OK", "0", "0", "0", "", "0"]
    assert queue.dump() == begun
    told = await queue.job(job)
    assert told["state"] == "running"
    assert told["kind"] == KIND
    assert told["created"] == "1.000"
    assert float(told["started"]) > 1.7e9
    assert await queue.do("ZRANGE", keys.INDEX, 0, -1) == [keys.member(job)]
    assert await queue.do("SMEMBERS", keys.open_jobs(KIND)) in ([job], {job.encode()})


async def test_a_splitter_goes_on_where_another_died(queue: Queue) -> None:
    """Rows, shards, offset and stamp; deaths are counted since a row was fed last."""
    job = await queue.begun(2)
    assert await queue.open(job, 2) == ["OK", "20", "2", "140", "s", "0"]
    assert (await queue.open(job, 5))[-1] == "3"
    assert (await queue.open(job, 6))[-1] == "4"
    assert await queue.feed(job, 2) == ["OK"]
    assert await queue.open(job, 7) == ["OK", "30", "3", "210", "s", "0"]
    assert (await queue.open(job, 8))[-1] == "1"


async def test_waiting_for_results_to_be_released_is_no_lack_of_progress(queue: Queue) -> None:
    """Consumers that come and go meanwhile did not die of the manifest."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    assert await queue.feed(job, 1, most=1) == ["PAUSED"]
    for deliveries in (5, 30, 60):
        assert (await queue.open(job, deliveries))[-1] == "0"


async def test_what_ended_or_was_removed_is_not_begun_again(queue: Queue) -> None:
    """The entry, still with somebody, is let go of."""
    cancelled = await queue.added()
    await queue.read(keys.INTAKE, "a")
    await queue.cancel(cancelled)
    assert await queue.open(cancelled) == ["STATE", "cancelled"]
    deleted = await queue.added()
    await queue.read(keys.INTAKE, "a")
    await queue.delete(deleted)
    assert await queue.open(deleted) == ["GONE"]
    by_hand = await queue.begun(1)
    await queue.do("DEL", keys.job(by_hand))
    assert await queue.open(by_hand, 2) == ["GONE"]
    trimmed = await queue.added()
    await queue.read(keys.INTAKE, "a")
    await queue.do("XDEL", keys.INTAKE, trimmed)
    assert await queue.open(trimmed) == ["GONE"]
    assert await queue.length(keys.INTAKE) == 0
    assert await queue.pending(keys.INTAKE) == []
    assert await queue.state(by_hand) is None


async def test_shards_are_fed_in_order_and_once(queue: Queue) -> None:
    """What was fed already, and what comes too early, is told apart by how far the job is."""
    job = await queue.begun(1)
    assert await queue.feed(job, 0) == ["SEEN", "1", "10"]  # its answer was lost
    assert await queue.feed(job, 2) == ["SEEN", "1", "10"]
    assert await queue.feed(job, 1) == ["OK"]
    assert await queue.length() == 2
    told = await queue.job(job)
    assert (told["fed"], told["rows_fed"], told["offset"], told["stamp"]) == ("2", "20", "140", "s")
    assert await queue.do("HGET", keys.input_of(job), 1) == "rows of 1"
    assert set((await queue.there(job)).values()) == {-1}


async def test_two_splitters_of_other_shard_sizes_feed_every_row_once(queue: Queue) -> None:
    """One began with tens, one goes on with fives: whoever is behind is told so."""
    job = await queue.begun(1)
    assert await queue.feed(job, 0, rows=5) == ["SEEN", "1", "10"]
    assert await queue.feed(job, 1, first=5, rows=5) == ["SEEN", "1", "10"]  # same number, no gap
    assert await queue.feed(job, 1, first=10, rows=5) == ["OK"]
    assert await queue.feed(job, 1) == ["SEEN", "2", "15"]
    assert await queue.feed(job, 2) == ["SEEN", "2", "15"]
    assert await queue.length() == 2


async def test_the_window_is_twice_what_consumers_run(queue: Queue) -> None:
    """Full through all jobs together; a shard that is recorded makes room."""
    job = await queue.begun()
    await queue.room(3)
    for shard in range(6):
        assert await queue.feed(job, shard) == ["OK"]
    full = queue.dump()
    assert await queue.feed(job, 6) == ["FULL"]
    assert queue.dump() == full
    [entry] = await queue.read()
    assert await queue.feed(job, 6) == ["FULL"]  # begun is not recorded
    await queue.commit(entry, job, 0)
    assert await queue.feed(job, 6) == ["OK"]


async def test_without_consumers_two_shards_wait(queue: Queue) -> None:
    """Whoever comes has something to begin with."""
    job = await queue.begun()
    await queue.do("DEL", keys.CAPACITY + KIND)
    assert [await queue.feed(job, shard) for shard in range(3)] == [["OK"], ["OK"], ["FULL"]]


async def test_jobs_share_the_window_evenly(queue: Queue) -> None:
    """Each job that is being split has its part, and at least one shard; a paused one has none."""
    jobs = [await queue.begun() for _ in range(4)]
    await queue.room(4)
    for job in jobs:
        answers = [await queue.feed(job, shard) for shard in range(3)]
        assert answers == [["OK"], ["OK"], ["FULL"]]
    assert await queue.seal(jobs[3], 2) == ["OK"]
    assert await queue.feed(jobs[0], 2) == ["FULL"]  # the window as a whole
    for shard in range(2):
        [entry] = await queue.read()
        await queue.commit(entry, jobs[0], shard)
    assert await queue.feed(jobs[0], 2) == ["OK"]
    late = await queue.begun()
    await queue.room(4)
    assert await queue.feed(late, 0) == ["OK"]
    assert await queue.feed(late, 1) == ["FULL"]


async def test_a_share_is_at_least_one_shard(queue: Queue) -> None:
    """However many jobs there are."""
    jobs = [await queue.begun() for _ in range(5)]
    await queue.room(2)
    answers = [(await queue.feed(job, 0))[0] for job in jobs]
    assert answers == ["OK"] * 4 + ["FULL"]
    assert await queue.feed(jobs[0], 1) == ["FULL"]


async def test_a_job_pauses_at_its_results_and_goes_on_when_they_are_released(queue: Queue) -> None:
    """It leaves the share to others meanwhile."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0, lines="x" * 50)
    assert await queue.feed(job, 1, most=51) == ["OK"]
    [entry] = await queue.read()
    await queue.commit(entry, job, 1, lines="x" * 50)
    assert await queue.feed(job, 2, most=100) == ["PAUSED"]
    paused = queue.dump()
    assert await queue.feed(job, 2, most=100) == ["PAUSED"]
    assert queue.dump() == paused
    assert (await queue.job(job))["paused"] == "1"
    assert await queue.do("SCARD", keys.open_jobs(KIND)) == 0
    assert await queue.state(job) == "running"
    [(cursor, _), _] = await queue.results(job)
    await queue.release(job, cursor)
    assert await queue.feed(job, 2, most=100) == ["OK"]
    assert "paused" not in await queue.job(job)
    assert await queue.do("SCARD", keys.open_jobs(KIND)) == 1


async def test_a_paused_job_that_is_opened_again_leaves_its_share_again(queue: Queue) -> None:
    """Its splitter was stopped, another has it: it waits for results to be released as before."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    assert await queue.feed(job, 1, most=1) == ["PAUSED"]
    assert (await queue.open(job, 2))[0] == "OK"
    assert await queue.feed(job, 1, most=1) == ["PAUSED"]
    assert await queue.do("SCARD", keys.open_jobs(KIND)) == 0


@pytest.mark.parametrize("found_by", ["feed", "open"])
async def test_a_job_removed_by_hand_leaves_its_share(queue: Queue, found_by: str) -> None:
    """Else all others had less room, for ever."""
    removed, trimmed, ended = [await queue.begun() for _ in range(3)]
    await queue.do("DEL", keys.job(removed))
    if found_by == "feed":
        await queue.do("HSET", keys.job(ended), "shards", 0)
        await queue.do("HSET", keys.job(trimmed), "state", "failed")
        for job in (removed, trimmed, ended):
            assert (await queue.feed(job, 0))[0] == "STATE"
    else:
        await queue.do("HSET", keys.job(ended), "state", "done")
        await queue.do("XDEL", keys.INTAKE, trimmed)
        answers = [(await queue.open(job, 2))[0] for job in (removed, trimmed, ended)]
        assert answers == ["GONE", "GONE", "STATE"]
    assert await queue.do("SCARD", keys.open_jobs(KIND)) == 0


async def test_room_is_asked_for_without_rows(queue: Queue) -> None:
    """Nothing changes by it; whoever sends them may find it taken."""
    job, other = await queue.begun(1), await queue.begun()
    await queue.do("DEL", keys.CAPACITY + KIND)
    before = queue.dump()
    assert await queue.feed(other, 0, text="") == ["ROOM"]
    assert await queue.feed(job, 0, text="") == ["SEEN", "1", "10"]
    assert queue.dump() == before
    assert await queue.feed(other, 0) == ["OK"]
    assert await queue.feed(job, 1, text="") == ["FULL"]
    assert await queue.feed(job, 1) == ["FULL"]


async def test_rows_are_sent_when_there_is_room_for_them(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not each time it is looked for."""
    monkeypatch.setattr("workers.jobs.room.LOOK_SECONDS", 0.01)
    job = await queue.begun(1)
    await queue.do("DEL", keys.CAPACITY + KIND)
    feed = Feed(queue.redis, Patience(queue.redis), Room(), job, KIND)
    await feed.open(Job(KIND, InfoOptions(), filepath="a.tsv"), 1)
    asked: list[bool] = []
    execute = queue.redis.execute_command

    async def listen(*said: Any, **options: Any) -> Any:
        asked.append(any(isinstance(one, bytes) and b"http://h/" in one for one in said))
        return await execute(*said, **options)

    monkeypatch.setattr(queue.redis, "execute_command", listen)

    async def give(*indexes: int) -> None:
        rows = [Row(index, str(index), f"http://h/{index}", index) for index in indexes]
        await feed.feed(rows, most_bytes=1000, about={})

    await give(10, 11)
    waiting = asyncio.create_task(give(12))
    await wait_until(lambda: len(asked) > 10)
    assert (asked.count(True), asked[1]) == (1, True)
    await queue.do("SET", keys.CAPACITY + KIND, 2)
    await waiting
    assert asked.count(True) == 2
    assert (await queue.job(job))["rows_fed"] == "13"
    assert "http://h/12" in await queue.do("HGET", keys.input_of(job), 2)


async def test_nothing_is_fed_to_a_job_that_ended(queue: Queue) -> None:
    """Nor to one that is sealed: its number of rows is told already."""
    cancelled, failed, sealed = [await queue.begun() for _ in range(3)]
    await queue.cancel(cancelled)
    await queue.fail(failed)
    await queue.room(9)
    assert await queue.feed(sealed, 0) == ["OK"]
    await queue.seal(sealed, 1)
    before = queue.dump()
    assert await queue.feed(cancelled, 0) == ["STATE", "cancelled"]
    assert await queue.feed(failed, 0) == ["STATE", "failed"]
    assert await queue.feed("7-7", 0) == ["STATE", "gone"]
    assert await queue.feed(sealed, 1) == ["STATE", "sealed"]
    assert queue.dump() == before


async def test_sealed_before_the_last_shard_is_recorded(queue: Queue) -> None:
    """Done comes with the last shard, and only then do keys expire."""
    job = await queue.begun(2)
    first, second = await queue.read(count=2)
    await queue.commit(first, job, 0)
    assert await queue.seal(job, 1) == ["SEEN", "2"]
    assert await queue.length(keys.INTAKE) == 1
    assert await queue.seal(job, 2) == ["OK"]
    assert await queue.seal(job, 2) == ["OK"]  # its answer was lost
    told = await queue.job(job)
    assert (told["state"], told["total"], told["shards"]) == ("running", "20", "2")
    assert told["manifest_sha256"] == "abc"
    assert await queue.length(keys.INTAKE) == 0
    assert await queue.pending(keys.INTAKE) == []
    assert await queue.do("SCARD", keys.open_jobs(KIND)) == 0
    assert set((await queue.there(job)).values()) == {-1}
    await queue.commit(second, job, 1)
    assert await queue.state(job) == "done"
    assert "finished" in await queue.job(job)


async def test_sealed_after_the_last_shard_is_recorded(queue: Queue) -> None:
    """Done at once, and again the same; an empty manifest as well."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    assert await queue.state(job) == "running"
    assert await queue.seal(job, 1) == ["OK"]
    done = await queue.job(job)
    assert done["state"] == "done"
    assert await queue.seal(job, 1) == ["STATE", "done"]
    assert await queue.job(job) == done
    empty = await queue.begun()
    assert await queue.seal(empty, 0) == ["OK"]
    told = await queue.job(empty)
    assert (told["state"], told["total"], told["shards"]) == ("done", "0", "0")
    assert await queue.seal("7-7", 0) == ["STATE", "gone"]
    assert await queue.state("7-7") is None
    for keys_there in (await queue.there(job), await queue.there(empty)):
        assert all(0 < seconds <= TTL for seconds in keys_there.values()), keys_there


async def test_a_failed_job_keeps_what_was_fed(queue: Queue) -> None:
    """Its shards are recorded still; only then do its keys expire."""
    job = await queue.begun(2)
    assert await queue.fail(job, "cut off") == ["OK"]
    assert await queue.fail(job, "another reason") == ["STATE", "failed"]
    told = await queue.job(job)
    assert (told["state"], told["reason"]) == ("failed", "cut off")
    assert await queue.length(keys.INTAKE) == 0
    assert await queue.length(SHARDS) == 2
    assert set((await queue.there(job)).values()) == {-1}
    for shard, entry in enumerate(await queue.read(count=2)):
        assert await queue.commit(entry, job, shard) == "OK"
    told = await queue.job(job)
    assert (told["state"], told["rows"], told["done"]) == ("failed", "20", "2")
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())


async def test_a_job_split_whole_cannot_fail(queue: Queue) -> None:
    """A splitter that comes late does not find the upload any more: that says nothing."""
    job = await queue.begun(1)
    await queue.seal(job, 1)
    assert (await queue.fail(job, "the upload is gone"))[0] == "STATE"
    assert await queue.state(job) == "running"
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    assert await queue.state(job) == "done"
