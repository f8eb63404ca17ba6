"""Keys that a person broke: their job fails and says so, all others go on."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from tests.asserts import wait_for
from tests.workers.jobs.conftest import Pictures, Written
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import consuming, entry_of, lines_of, until_over
from workers.engine import Engine
from workers.jobs import keys, runner


async def split(queue: Queue, engine: Engine, name: str) -> str:
    """A job that is split, of which nothing is run."""
    async with consuming(engine, kinds=()):
        await queue.room(50)
        job = await queue.added(**entry_of(name))
        await wait_for(lambda: _sealed(queue, job))
    return job


async def _sealed(queue: Queue, job: str) -> bool:
    return "shards" in await queue.job(job)


@pytest.mark.parametrize("broken", [keys.results, keys.input_of, keys.fence, keys.marks])
async def test_one_jobs_broken_key_stops_no_other(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written, broken: Callable[[str], str]
) -> None:
    """Its shards go to the dead letters, and make room."""
    name = written(pictures(40))
    job = await split(queue, engine, name)
    await queue.do("DEL", broken(job))
    await queue.do("RPUSH", broken(job), "of another kind")
    async with consuming(engine):
        other = await queue.added(**entry_of(name))
        told = await until_over(queue, other)
        if broken is not keys.marks:  # which only a quarantine looks at
            failed = await until_over(queue, job, "failed")
            assert "WRONGTYPE" in failed["reason"]
    assert (told["rows"], told["ok"]) == ("40", "40")
    assert (await queue.length(), await queue.pending()) == (0, [])


async def test_a_broken_count_fails_its_job(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """As a key of another kind does."""
    job = await split(queue, engine, written(pictures(8)))
    await queue.do("HSET", keys.job(job), "rows", "many")
    async with consuming(engine):
        told = await until_over(queue, job, "failed")
    assert "not an integer" in told["reason"]


@pytest.mark.parametrize(
    "rows",
    [
        "[[1",
        '[[4,"a","http://h/",null,null],[4,"b","http://h/",null,null]]',
        '[[5,"a","http://h/",null,null],[4,"b","http://h/",null,null]]',
        '[["4","a","http://h/",null,null]]',
    ],
)
async def test_rows_that_cannot_be_read_fail_their_job(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written, rows: str
) -> None:
    """Those recorded before are kept."""
    job = await split(queue, engine, written(pictures(8)))
    await queue.do("HSET", keys.input_of(job), "1", rows)
    async with consuming(engine):
        told = await until_over(queue, job, "failed")
    assert "cannot be read" in told["reason"]
    assert {orjson.loads(line)["index"] for line in await lines_of(queue, job)} <= set(range(4))


async def test_options_of_another_version_wait_for_it(
    queue: Queue,
    engine: Engine,
    pictures: Pictures,
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For a while: when nobody comes who knows them, the job fails."""
    monkeypatch.setattr(runner, "MOST_DELIVERIES", 2)
    job = await split(queue, engine, written(pictures(4)))
    options = orjson.loads(await queue.do("HGET", keys.job(job), "options"))
    await queue.do("HSET", keys.job(job), "options", orjson.dumps({**options, "hue": 3}))
    async with consuming(engine, intake=False):
        await wait_for(lambda: _delivered(queue, 1))
        assert (await queue.job(job))["state"] == "running"
        told = await until_over(queue, job, "failed")
    assert "hue" in told["reason"]
    assert "version" in told["reason"]


async def _delivered(queue: Queue, times: int) -> bool:
    return any(deliveries >= times for _, _, deliveries in await queue.pending())
