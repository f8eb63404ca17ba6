"""What a monitor reads: totals that count each row once, and how the queue stands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asserts import wait_for
from tests.workers.jobs.queues import KIND, SHARDS, TTL, Queue, pairs
from workers.jobs import keys
from workers.jobs.backlog import JOB_EVENTS, Totals, read_backlog
from workers.jobs.connection import connect
from workers.jobs.living import say_alive
from workers.jobs.patience import Patience
from workers.metrics.of_queue import queue_metrics
from workers.settings import WorkSettings

NONE = Totals()


async def totals(queue: Queue) -> dict[str, str]:
    """The hash itself."""
    return pairs(await queue.redis.execute_command("HGETALL", keys.TOTALS))


async def events(queue: Queue) -> dict[str, int]:
    """What became of jobs, as far as anything did."""
    counted = (await read_backlog(queue.redis)).jobs
    return {event: count for event, count in counted.items() if count}


async def test_a_shard_is_counted_with_its_record_and_once(queue: Queue) -> None:
    """A second record of it is not, nor one of a job that is gone."""
    job = await queue.begun(3)
    first, second, third = await queue.read(count=3)
    assert await queue.commit(first, job, 0) == "OK"
    assert await queue.commit(first, job, 0) == "DUP"
    assert await queue.commit(second, job, 1, rows=5, ok=5) == "OK"
    backlog = await read_backlog(queue.redis)
    assert backlog.totals == {KIND: Totals(2, 15, 14, 200, {"timeout": 2}), "batch_predict": NONE}

    assert await queue.commit(third, job, 7) == "NOINPUT"
    await queue.delete(job)
    assert await queue.commit(third, job, 2) == "NOJOB"
    assert (await read_backlog(queue.redis)).totals == backlog.totals


async def test_rows_of_a_kind_are_that_kinds(queue: Queue) -> None:
    """By the stream that the shard was in."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    other = [*keys.of_job(job), keys.shards("batch_predict"), *keys.COUNTED]
    said = (entry, 0, 4, "{}\n", TTL, 3, 9, "", 1, 1, 1, "error:predictor_failed", 1)
    assert await queue.run("commit", other, *said) == "OK"

    found = (await read_backlog(queue.redis)).totals
    assert found == {KIND: NONE, "batch_predict": Totals(1, 4, 3, 9, {"predictor_failed": 1})}


async def test_how_jobs_end_is_counted_once(queue: Queue) -> None:
    """Also where a script is asked again, as its answer was lost."""
    done = await queue.finished()
    await queue.seal(done, 1)
    assert await events(queue) == {"started": 1, "done": 1}

    failed = await queue.begun()
    await queue.open(failed, 2)
    await queue.fail(failed)
    await queue.fail(failed)
    assert await events(queue) == {"started": 2, "done": 1, "failed": 1}

    cancelled, waiting = await queue.begun(2), await queue.added()
    for job in (cancelled, cancelled, waiting, waiting):
        assert await queue.cancel(job) == ["OK"]
    assert await events(queue) == {"started": 4, "done": 1, "failed": 1, "cancelled": 2}

    running = await queue.begun(1)
    assert (await read_backlog(queue.redis)).running == 1
    for job in (running, done, cancelled):
        await queue.delete(job)
    assert (await events(queue))["deleted"] == 1
    assert (await read_backlog(queue.redis)).running == 0


async def test_jobs_that_fail_in_other_ways_are_counted(queue: Queue) -> None:
    """Condemned, spoilt, or found without their rows."""
    condemned = await queue.begun(1)
    [entry] = await queue.read()
    named = [*keys.of_job(condemned), SHARDS, keys.INTAKE, keys.open_jobs(KIND), *keys.COUNTED]
    for _ in range(2):
        await queue.run("condemn", named, condemned, entry, 0, "no model", TTL)
    assert await events(queue) == {"started": 1, "failed": 1}

    spoilt = await queue.begun(1)
    named = [*keys.of_job(spoilt), keys.INTAKE, *keys.COUNTED]
    for _ in range(2):
        await queue.run("spoil", named, spoilt, "broken", TTL)
    assert await events(queue) == {"started": 2, "failed": 2}

    lost = await queue.begun(1)
    await queue.do("DEL", keys.input_of(lost))
    await queue.do("XDEL", keys.INTAKE, lost)
    named = [*keys.of_job(lost), SHARDS, keys.INTAKE, keys.open_jobs(KIND), *keys.COUNTED]
    for _ in range(2):
        await queue.run("repair", named, lost, TTL, "unsplit", "unread")
    assert await events(queue) == {"started": 3, "failed": 3}


@pytest.mark.parametrize(
    "broken",
    [("SET", keys.TOTALS, "foo"), ("HSET", keys.TOTALS, f"{KIND}:rows", "many", "foo", "bar")],
)
async def test_totals_that_somebody_broke_cost_no_row(
    queue: Queue, broken: tuple[str, ...]
) -> None:
    """What cannot be counted is not; all else is as ever."""
    await queue.do(*broken)
    job = await queue.finished()
    assert await queue.state(job) == "done"
    assert (await queue.job(job))["rows"] == "10"
    backlog = await read_backlog(queue.redis)
    assert backlog.totals[KIND].rows == 0
    assert backlog.totals[KIND].shards == (1 if broken[0] == "HSET" else 0)


async def test_the_queue_as_it_stands(queue: Queue) -> None:
    """What waits, what is under way, and since when."""
    job = await queue.begun(3)
    other = await queue.added()
    await queue.read(consumer="a")
    await wait_for(lambda: _older(queue, 0.01))

    backlog = await read_backlog(queue.redis)
    shards, intake = backlog.streams[f"shards:{KIND}"], backlog.streams["intake"]
    assert (shards.length, shards.pending, shards.waiting) == (3, 1, 2)
    assert (intake.length, intake.pending, intake.waiting) == (2, 1, 1)
    assert intake.lag in (1, None)  # from Redis 7 on
    assert 0 < (shards.oldest_waiting or 0) < 60
    assert 0 < (intake.oldest_waiting or 0) < 60
    empty = backlog.streams["shards:batch_predict"]
    assert (empty.length, empty.pending, empty.waiting, empty.oldest_waiting) == (0, 0, 0, None)
    assert backlog.splitting == {KIND: 1, "batch_predict": 0}
    assert (backlog.running, backlog.dead) == (1, 0)
    assert job != other


async def _older(queue: Queue, seconds: float) -> bool:
    intake = (await read_backlog(queue.redis)).streams["intake"]
    return (intake.oldest_waiting or 0) > seconds


async def test_who_lives_and_what_they_run(queue: Queue) -> None:
    """Those that did not say so for long do not; nor does garbage."""
    patience = Patience(queue.redis)
    await say_alive(queue.redis, patience, "a", {"kinds": list(keys.KINDS), "capacity": 3})
    await say_alive(queue.redis, patience, "b", {"kinds": [KIND], "capacity": 2})
    old = '{"seen":1000,"kinds":["images_info"],"capacity":9}'
    await queue.do("HSET", keys.CONSUMERS, "old", old, "foo", "bar", "list", "[1]")

    backlog = await read_backlog(queue.redis)

    assert backlog.consumers == {KIND: 2, "batch_predict": 1}
    assert backlog.capacity == {KIND: 5, "batch_predict": 3}


async def test_without_anything_there_are_zeros(queue_settings: Any) -> None:
    """A Redis that no consumer saw yet."""
    settings: WorkSettings = queue_settings()
    redis = connect(settings)
    try:
        backlog = await read_backlog(redis)
    finally:
        await redis.aclose()
    assert backlog.totals == dict.fromkeys(keys.KINDS, NONE)
    assert backlog.jobs == dict.fromkeys(JOB_EVENTS, 0)
    assert {one.length for one in backlog.streams.values()} == {0}
    assert {one.pending for one in backlog.streams.values()} == {None}


async def test_keys_that_are_no_streams_are_left_out(queue: Queue) -> None:
    """All else is told."""
    for key in (keys.INTAKE, keys.DEAD, keys.CONSUMERS, keys.open_jobs(KIND), keys.CAPACITY + KIND):
        await queue.do("DEL", key)
        await queue.do("LPUSH", key, "foo")
    await queue.do("SET", keys.shards("batch_predict"), "foo")

    backlog = await read_backlog(queue.redis)

    assert list(backlog.streams) == [f"shards:{KIND}"]
    assert backlog.dead is None
    assert backlog.capacity == dict.fromkeys(keys.KINDS, 0)
    assert backlog.consumers == dict.fromkeys(keys.KINDS, 0)


async def test_an_entry_of_the_future_is_not_of_the_past(queue: Queue) -> None:
    """Somebody gave it its id by hand."""
    await queue.do("XADD", keys.INTAKE, "99999999999999-0", "kind", KIND)
    assert (await read_backlog(queue.redis)).streams["intake"].oldest_waiting == 0


def test_metrics_have_names_also_without_values() -> None:
    """What is missing while Redis is away is the values."""
    away = list(queue_metrics(None, up=False))
    nowhere = list(queue_metrics(None, up=None))

    assert [metric.name for metric in away] == [metric.name for metric in nowhere]
    told = [(sample.name, sample.value) for metric in away for sample in metric.samples]
    assert told == [("imagecensus_redis_up", 0)]
    assert [sample for metric in nowhere for sample in metric.samples] == []


async def running(queue: Queue) -> int | None:
    """How many jobs are said to run."""
    return (await read_backlog(queue.redis)).running


async def test_what_runs_is_told_whatever_was_counted(queue: Queue) -> None:
    """Jobs begun before there were totals, and totals that somebody removed."""
    first, second = await queue.begun(1), await queue.begun(1)
    await queue.do("DEL", keys.TOTALS)
    assert await running(queue) == 2
    await queue.seal(first, 1)
    [entry, _] = await queue.read(count=2)
    assert await queue.commit(entry, first, 0) == "OK"
    assert await running(queue) == 1
    await queue.cancel(second)
    assert await running(queue) == 0

    await queue.do("DEL", keys.RUNNING)
    await queue.do("LPUSH", keys.RUNNING, "foo")
    other = await queue.begun(1)
    assert await running(queue) is None
    await queue.delete(other)


async def test_a_job_of_an_older_version_runs_as_soon_as_somebody_works_on_it(
    queue: Queue,
) -> None:
    """Its name was not noted when it was begun."""
    job = await queue.begun(1)
    await queue.do("DEL", keys.RUNNING)
    await queue.open(job, 2)
    assert await running(queue) == 1


async def test_a_job_with_a_key_that_is_no_hash_does_not_run(queue: Queue) -> None:
    """Nor any more once it is removed."""
    job, other = await queue.begun(1), await queue.begun(1)
    for one in (job, other):
        await queue.do("SET", keys.job(one), "foo")
    await queue.run("spoil", [*keys.of_job(job), keys.INTAKE, *keys.COUNTED], job, "broken", TTL)
    assert await running(queue) == 1
    await queue.delete(other)
    assert await running(queue) == 0
