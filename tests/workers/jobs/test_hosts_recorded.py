"""Failures by host, as jobs keep them: added up over shards, bounded, mended."""

from __future__ import annotations

import orjson
import pytest

from imaging.facts import ErrorCode, Failure
from tests.workers.jobs.conftest import Pictures, Written
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import consuming, entry_of, until_over
from workers.engine import Engine
from workers.hosts_counted import (
    MOST_HOSTS,
    MOST_JSON_BYTES,
    MOST_REASONS,
    HostCount,
    HostsCounted,
    Reason,
)
from workers.jobs import keys
from workers.jobs.states import JobState, of_hash

TIMEOUT = Failure(ErrorCode.TIMEOUT)
SLOW_DOWN = Failure(ErrorCode.HTTP_STATUS, "", 429)


def failed(*rows: tuple[int, str, Failure]) -> HostsCounted:
    """What a shard counted of rows, by index and host."""
    counted = HostsCounted()
    for index, host, failure in rows:
        counted.failed(index, f"http://{host}/", failure)
    return counted


async def committed(queue: Queue, *shards: HostsCounted | None) -> str:
    """A job with these shards, recorded in this order."""
    job = await queue.begun(len(shards))
    for shard, (entry, hosts) in enumerate(
        zip(await queue.read(count=len(shards)), shards, strict=True)
    ):
        assert await queue.commit(entry, job, shard, hosts=hosts) == "OK"
    return job


async def state(queue: Queue, job: str) -> JobState:
    """What is told of it."""
    found = await queue.job(job)
    return of_hash(job, {name.encode(): value.encode() for name, value in found.items()}, 1e9)


async def hosts(queue: Queue, job: str) -> HostsCounted:
    """What is kept of hosts."""
    return (await state(queue, job)).summary.hosts


async def test_shards_add_up(queue: Queue) -> None:
    """In whatever order they come: the first row is the least."""
    job = await committed(
        queue,
        failed((40, "a", SLOW_DOWN), (41, "a", SLOW_DOWN), (42, "b", TIMEOUT)),
        None,
        failed((8, "a", SLOW_DOWN), (9, "a", TIMEOUT), (5, "c", TIMEOUT)),
    )
    assert await hosts(queue, job) == HostsCounted(
        {
            "a": HostCount(8, 4, 0, False, {"http_429": Reason(3, 8), "timeout": Reason(1, 9)}),
            "b": HostCount(42, 1, 0, False, {"timeout": Reason(1, 42)}),
            "c": HostCount(5, 1, 0, False, {"timeout": Reason(1, 5)}),
        }
    )


async def test_no_failures_make_no_field(queue: Queue) -> None:
    """Most jobs need none."""
    job = await committed(queue, None, None)
    assert "hosts" not in await queue.job(job)
    assert (await state(queue, job)).json()["diagnosis"] == []


async def test_a_shard_that_comes_twice_is_counted_once(queue: Queue) -> None:
    """As all of it is."""
    job = await queue.begun(1)
    [entry] = await queue.read()
    for answer in ("OK", "DUP"):
        counted = failed((1, "a", TIMEOUT))
        assert await queue.commit(entry, job, 0, hosts=counted) == answer
    assert (await hosts(queue, job)).hosts["a"].failed == 1


BROKEN = [
    "many",
    "[]",
    "{}",
    '{"hosts":7}',
    '{"hosts":{"a":null}}',
    '{"hosts":{"b":"x"}}',
    '{"hosts":{"a":{"failed":"x"}}}',
    '{"hosts":{"a":{"failed":1,"placeholders":0,"first":1,"reasons":{"http_429":7}}}}',
    '{"hosts":{"a":{"failed":1e999,"placeholders":0,"first":1,"reasons":{}}}}',
    '{"hosts":' * 2000,
    '{"dropped":false,"hosts":{}}' + " " * MOST_JSON_BYTES,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda text: text[:50])
async def test_a_field_broken_by_hand_is_begun_anew(queue: Queue, broken: str) -> None:
    """It is no reason not to record a shard, nor to record half of one."""
    job = await queue.begun(2)
    first, second = await queue.read(count=2)
    assert await queue.commit(first, job, 0, hosts=failed((1, "a", TIMEOUT))) == "OK"
    await queue.do("HSET", keys.job(job), "hosts", broken)
    assert (await state(queue, job)).json()["diagnosis"] is not None
    after = failed((7, "a", SLOW_DOWN), (8, "c", TIMEOUT))
    assert await queue.commit(second, job, 1, hosts=after) == "OK"
    assert await hosts(queue, job) == after
    told = await queue.job(job)
    assert [told[name] for name in ("rows", "done", "ok", "error:timeout")] == [
        "20",
        "2",
        "18",
        "2",
    ]
    assert await queue.length() == 0


async def test_hosts_are_bounded_and_the_worst_is_kept(queue: Queue) -> None:
    """Shards of a hundred hosts each, which fail once, and one that fails more and more."""
    shards = []
    for shard in range(6):
        rows = [(shard * 1000 + n, f"h{shard}-{n}", TIMEOUT) for n in range(100)]
        if shard > 2:
            rows += [(shard * 1000 + 500 + n, "cdn", SLOW_DOWN) for n in range(20)]
        shards.append(failed(*rows))
    job = await committed(queue, *shards)
    found = await hosts(queue, job)
    assert len(orjson.loads(await queue.do("HGET", keys.job(job), "hosts"))["hosts"]) <= MOST_HOSTS
    assert found.dropped
    assert found.hosts["cdn"] == HostCount(3500, 60, 0, True, {"http_429": Reason(60, 3500)})


async def test_what_a_shard_let_go_of_makes_lower_bounds(queue: Queue) -> None:
    """Of hosts that it does not tell of there may have been some."""
    many = failed(*[(n, f"h{n}", TIMEOUT) for n in range(MOST_HOSTS + 1)])
    assert many.dropped
    job = await committed(queue, failed((900, "a", TIMEOUT)), many, failed((901, "b", TIMEOUT)))
    found = await hosts(queue, job)
    assert found.dropped
    assert found.hosts["b"].at_least
    assert found.hosts["a"].at_least


async def test_reasons_are_bounded(queue: Queue) -> None:
    """Of one host, with statuses of its own in each shard."""
    shards = [
        failed(
            *[
                (shard * 100 + n, "a", Failure(ErrorCode.HTTP_STATUS, "", 200 + n))
                for n in range(9)
            ],
            *[(shard * 100 + n, "a", SLOW_DOWN) for n in range(3)],
        )
        for shard in range(4)
    ]
    job = await committed(queue, *shards)
    host = orjson.loads(await queue.do("HGET", keys.job(job), "hosts"))["hosts"]["a"]
    assert (host["failed"], host["reasons"]["http_429"]) == (48, [12, 0])
    assert len(host["reasons"]) <= MOST_REASONS


async def test_the_script_lets_go_of_the_same_hosts_as_we_do(queue: Queue) -> None:
    """By weight, then by who began earlier, then by name."""
    rows = [
        (index, f"h{number}", SLOW_DOWN if number % 2 else TIMEOUT)
        for number in range(100)
        for index in range(number // 7, number // 3 + 1)
    ]
    shards = [failed(*rows), failed(*[(index, f"x{host}", why) for index, host, why in rows])]
    job = await committed(queue, *shards)
    both = HostsCounted({**shards[0].hosts, **shards[1].hosts})
    assert len(both.hosts) > MOST_HOSTS
    assert await hosts(queue, job) == HostsCounted.read(both.json())


async def test_a_job_tells_the_host_that_limits_it(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """Over several shards, by a real consumer: which host, since which row, what to do."""
    urls = pictures(20)
    base = urls[0].rpartition("/")[0]
    job_of = written(urls + [f"{base}/status/429/{n}.jpg" for n in range(12)])
    async with consuming(engine):
        job = await queue.added(**entry_of(job_of))
        await until_over(queue, job)
    told = (await state(queue, job)).json()
    name = base.removeprefix("http://")
    assert told["rows"]["failed"] == 12
    assert [finding["rule"] for finding in told["diagnosis"]] == ["rate_limited", "retryable"]
    assert told["diagnosis"][0]["says"].startswith(
        f"{name} answers 429 since row 20 (12 rows, all the failures): "
    )
    assert told["diagnosis"][1]["says"].startswith("All 12 failures may pass")
