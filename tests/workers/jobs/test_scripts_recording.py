"""Scripts of recording: a shard once, with all that adds up; what nobody needs any more expires."""

from __future__ import annotations

import pytest

from tests.workers.jobs.queues import SHARDS, TTL, Queue
from workers.jobs import keys


async def test_a_shard_is_recorded_with_everything_at_once(queue: Queue) -> None:
    """Results, progress, the fence, the entry: in one."""
    job = await queue.begun(2)
    first, second = await queue.read(count=2)
    assert await queue.commit(first, job, 0, lines='{"ä":1}\n') == "OK"
    [(_, result)] = await queue.results(job)
    assert result == {"shard": "0", "rows": "10", "lines": '{"ä":1}\n'}
    told = await queue.job(job)
    counted = ("done", "rows", "ok", "bytes", "result_bytes", "error:timeout", "status:404")
    assert [told[name] for name in counted] == ["1", "10", "9", "100", "9", "1", "2"]
    assert await queue.do("GETBIT", keys.fence(job), 0) == 1
    assert await queue.do("HKEYS", keys.input_of(job)) == ["1"]
    assert await queue.pending() == [(second, "a", 1)]
    assert await queue.length() == 1
    await queue.commit(second, job, 1)
    assert (await queue.job(job))["error:timeout"] == "2"


async def test_who_comes_first_wins(queue: Queue) -> None:
    """Also where the entry is somebody else's by now; the later one leaves no trace."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    [[same, *_]] = await queue.claim("b")
    assert await queue.commit(entry, job, 0, lines="first\n") == "OK"
    recorded = queue.dump()
    assert await queue.commit(same, job, 0, lines="second\n") == "DUP"
    assert queue.dump() == recorded
    assert [result["lines"] for _, result in await queue.results(job)] == ["first\n"]


async def test_a_second_entry_of_a_recorded_shard_is_taken_out(queue: Queue) -> None:
    """Whoever forged it."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    forged = await queue.do("XADD", SHARDS, "*", "job", job, "shard", "0")
    await queue.read()
    assert await queue.commit(forged, job, 0) == "DUP"
    assert (await queue.length(), await queue.pending()) == (0, [])


async def test_a_shard_of_no_job_is_taken_out(queue: Queue) -> None:
    """And makes no key come back."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.delete(job)
    assert await queue.commit(entry, job, 0) == "NOJOB"
    assert await queue.there(job) == {}
    assert (await queue.length(), await queue.pending()) == (0, [])


@pytest.mark.parametrize("shard", [1, 2**31 - 1])
async def test_a_shard_that_was_never_fed_is_not_recorded(queue: Queue, shard: int) -> None:
    """It changes nothing; above all the fence does not grow to 256 MB."""
    job = await queue.begun(1)
    before = queue.dump()
    assert await queue.commit("7-7", job, shard) == "NOINPUT"
    assert queue.dump() == before
    told = await queue.run("load", [keys.job(job), keys.input_of(job), keys.fence(job)], shard)
    assert told == ["running", "images_info", "{}", "1", None, 0, None, None]
    assert await queue.do("EXISTS", keys.fence(job)) == 0


async def test_a_shard_is_loaded_from_the_jobs_own_keys(queue: Queue) -> None:
    """Not yet recorded, recorded, and of no job."""
    job = await queue.begun(1)
    named = [keys.job(job), keys.input_of(job), keys.fence(job)]
    assert await queue.run("load", named, 0) == [
        *("running", "images_info", "{}", "1", "rows of 0", 0, None, None)
    ]
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    assert (await queue.run("load", named, 0))[4:] == [None, 1, None, None]
    nowhere = [keys.job("7-7"), keys.input_of("7-7"), keys.fence("7-7")]
    assert await queue.run("load", nowhere, 0) == [*[None] * 5, 0, None, None]


async def test_the_rate_is_counted_from_two_looks_at_the_clock(queue: Queue) -> None:
    """Five seconds apart, or more; the first one is the start of the job."""
    job = await queue.begun(3)
    await queue.do("HSET", keys.job(job), "started", "1000.000")
    first, second, third = await queue.read(count=3)
    await queue.commit(first, job, 0)
    told = await queue.job(job)
    assert (told["rate_at"], told["rate_rows"], told["last_rows"]) == ("1000.000", "0", "10")
    await queue.commit(second, job, 1)
    assert (await queue.job(job))["last_at"] == told["last_at"]
    await queue.do("HSET", keys.job(job), "last_at", "1005.000")
    await queue.commit(third, job, 2)
    told = await queue.job(job)
    assert (told["rate_at"], told["rate_rows"], told["last_rows"]) == ("1005.000", "10", "30")


async def test_dropped_once(queue: Queue) -> None:
    """A shard of a cancelled job settles it; asked again, it is not counted again."""
    job = await queue.begun(2)
    first, second = await queue.read(count=2)
    await queue.cancel(job)
    assert await queue.drop(first, job, 0) == 1
    assert await queue.drop(first, job, 0) == 0
    assert (await queue.job(job))["dropped"] == "1"
    assert set((await queue.there(job)).values()) == {-1}  # one is under way still
    assert await queue.commit(second, job, 1) == "OK"
    assert all(0 < seconds <= TTL for seconds in (await queue.there(job)).values())
    assert (await queue.length(), await queue.pending()) == (0, [])
    assert await queue.drop("7-7", "8-8", 0) == 0
    assert await queue.there("8-8") == {}


async def test_a_shard_that_is_recorded_is_not_dropped(queue: Queue) -> None:
    """Its entry is taken out, and that is all."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    await queue.commit(entry, job, 0)
    assert await queue.drop(entry, job, 0) == 0
    assert int((await queue.job(job)).get("dropped", 0)) == 0
    assert len(await queue.results(job)) == 1


async def test_every_key_of_a_finished_job_expires(queue: Queue) -> None:
    """Also the marks of a quarantine; of a running job none does."""
    job = await queue.begun(2)
    assert await queue.run("mark", [keys.job(job), keys.marks(job)], 500, 1, 3, 4) == 1
    first, second = await queue.read(count=2)
    await queue.commit(first, job, 0)
    there = await queue.there(job)
    assert 0 < there.pop("marks") <= 500
    assert there == {"job": -1, "results": -1, "input": -1, "fence": -1}
    await queue.commit(second, job, 1)
    await queue.seal(job, 2)
    there = await queue.there(job)
    assert sorted(there) == ["fence", "job", "marks", "results"]
    assert all(0 < seconds <= TTL for seconds in there.values()), there


async def test_marks_count_deaths_and_make_no_job(queue: Queue) -> None:
    """As many as are said, also when asked twice; of a job that is gone nothing is kept."""
    job = await queue.begun(1)
    named = [keys.job(job), keys.marks(job)]
    for _ in range(2):
        await queue.run("mark", named, 500, 1, 3, 4)
    for _ in range(2):
        await queue.run("mark", named, 500, 2, 4)
    assert await queue.do("HMGET", keys.marks(job), 3, 4) == ["1", "2"]
    assert await queue.run("mark", [keys.job("7-7"), keys.marks("7-7")], 500, 1, 3) == 0
    assert await queue.there("7-7") == {}


async def test_results_are_released_in_small_pieces(queue: Queue) -> None:
    """Up to and with the cursor, and not beyond; asked again, nothing more."""
    job = await queue.begun(5)
    for shard, entry in enumerate(await queue.read(count=5)):
        await queue.commit(entry, job, shard, lines="x" * (shard + 1), rows=shard + 1)
    found = [entry for entry, _ in await queue.results(job)]
    assert await queue.release(job, found[3], count=2) == ["2", "3", found[1]]
    told = await queue.job(job)
    assert (told["result_bytes"], told["released_rows"], told["released"]) == ("12", "3", found[1])
    assert await queue.release(job, found[3], count=2) == ["2", "7", found[3]]
    released = queue.dump()
    assert await queue.release(job, found[3], count=2) == ["0", "0", ""]
    assert await queue.release(job, found[0]) == ["0", "0", ""]
    assert queue.dump() == released
    told = await queue.job(job)
    assert (told["result_bytes"], told["released_rows"], told["released"]) == ("5", "10", found[3])
    assert (told["rows"], told["done"]) == ("15", "5")  # what was recorded does not change
    assert [entry for entry, _ in await queue.results(job)] == found[4:]
    assert await queue.release("7-7", "9-9") == ["NONE"]
    assert await queue.there("7-7") == {}
