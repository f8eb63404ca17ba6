"""Scripts that look at jobs: at large entries a few at a time, as Redis has others to answer."""

from __future__ import annotations

from pathlib import Path

from tests.workers.jobs.queues import KIND, TTL, Queue
from workers.jobs import keys
from workers.jobs.ledger import Ledger

#: Two of them are more than a script looks at.
LARGE = "x" * 3 * 1024 * 1024


async def looked(queue: Queue, *jobs: str) -> list[str]:
    """What is answered of each job, as far as it goes."""
    named = [keys.INTAKE, keys.INDEX, *map(keys.job, jobs)]
    said = [part for job in jobs for part in (job, keys.member(job))]
    _, *finds = await queue.run("look", named, *said)
    return [find[0] for find in finds]


async def test_large_entries_are_looked_at_a_few_at_a_time(queue: Queue) -> None:
    """Of jobs that were begun they are not looked at: what is needed of them is in the hash."""
    jobs = [await queue.added(kind=KIND, images=LARGE) for _ in range(5)]
    assert await looked(queue, *jobs) == ["ENTRY"] * 2
    for job in jobs[:3]:
        assert (await queue.open(job))[0] == "OK"
    assert await looked(queue, *jobs) == ["JOB"] * 3 + ["ENTRY"] * 2
    assert await looked(queue, "7-7", *jobs[3:]) == ["NONE", "ENTRY", "ENTRY"]


async def test_names_of_large_entries_come_a_few_at_a_time(queue: Queue) -> None:
    """As many calls as it needs; where the last was the last, there is none more."""
    jobs = [await queue.added(kind=KIND, images=LARGE) for _ in range(4)][::-1]
    named = [keys.INDEX, keys.INTAKE]
    await queue.do("ZADD", keys.INDEX, 0, keys.member(jobs[0]))
    assert await queue.run("page", named, "+", "+", 9) == [
        [keys.member(jobs[0])],
        jobs[:2],
        f"({jobs[1]}",
    ]
    assert await queue.run("page", named, "-", f"({jobs[1]}", 2) == [[], jobs[2:], ""]
    assert await queue.run("page", named, "-", f"({jobs[3]}", 9) == [[], [], ""]


async def test_the_list_has_large_entries_too(queue: Queue, tmp_path: Path) -> None:
    """Each once, newest first, however many calls it takes."""
    rows = '["http://h/' + LARGE + '"]'
    jobs = [await queue.added(kind=KIND, images=rows) for _ in range(5)][::-1]
    await queue.open(jobs[2])
    ledger = Ledger(queue.redis, root=tmp_path, ttl=TTL)
    states, following = await ledger.page(None, 4)
    assert [one.id for one in states] == jobs[:4]
    assert [one.state for one in states] == ["queued", "queued", "running", "queued"]
    states, following = await ledger.page(following, 4)
    assert ([one.id for one in states], following) == (jobs[4:], None)


async def test_the_upload_of_a_job_is_known_until_it_is_split(queue: Queue, tmp_path: Path) -> None:
    """Later its name may be another's: of the same request, handed in again."""
    name = f"{'a' * 32}.tsv"
    job = await queue.added(kind=KIND, upload=name)
    ledger = Ledger(queue.redis, root=tmp_path, ttl=TTL)
    assert (await ledger.state(job)).upload == name
    named = [keys.INTAKE, keys.job(job), keys.INDEX, keys.open_jobs(KIND), *keys.COUNTED]
    await queue.run("open", named, job, keys.member(job), 1, "kind", KIND, "upload", name)
    assert (await queue.job(job))["upload"] == name
    assert (await ledger.state(job)).upload == name
    assert await queue.feed(job, 0) == ["OK"]
    assert await queue.seal(job, 1) == ["OK"]
    assert await queue.state(job) == "running"
    assert (await ledger.state(job)).upload is None


async def test_a_job_of_every_status_is_told(queue: Queue, tmp_path: Path) -> None:
    """Hosts may answer with any; a hash of more fields than that is none of ours."""
    job = await queue.begun()
    statuses = [part for status in range(100, 1000) for part in (f"status:{status}", 1)]
    await queue.do("HSET", keys.job(job), *statuses)
    ledger = Ledger(queue.redis, root=tmp_path, ttl=TTL)
    assert len((await ledger.state(job)).summary.http_statuses) == 900
    await queue.do("HSET", keys.job(job), *range(4000))
    assert await looked(queue, job) == ["ODD"]
