"""A Redis whose memory is full: a script does all of its work or nothing, and what frees works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
from redis.exceptions import RedisError

from tests.redis_servers import RedisServer
from tests.workers.jobs.queues import KIND, SHARDS, Queue, memory_short
from workers.jobs import keys


class Stage:
    """A queue with a job at every stage, and what may be asked of it."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.job = ""
        self.under_way = ""

    async def set(self) -> None:
        """One shard recorded, one under way, one waiting; a job in the intake; garbage."""
        queue = self.queue
        self.job = await queue.begun(3)
        recorded, self.under_way = await queue.read(count=2)
        await queue.commit(recorded, self.job, 0)
        self.queued = await queue.added()
        await queue.read(keys.INTAKE)
        self.garbage = await queue.do("XADD", SHARDS, "*", "foo", "bar")

    async def alive(self) -> object:
        named = [keys.CONSUMERS, keys.CAPACITY + KIND]
        return await self.queue.run("alive", named, "a", '{"capacity":1}', 15, KIND)

    async def bury(self) -> object:
        named = [SHARDS, keys.DEAD]
        return await self.queue.run("bury", named, self.garbage, "no shard", "foo bar")

    async def mark(self) -> object:
        return await self.queue.run("mark", [keys.job(self.job), keys.marks(self.job)], 500, 1, 1)


WRITING: dict[str, Callable[[Stage], Awaitable[object]]] = {
    "submit": lambda stage: stage.queue.submit("token"),
    "open a new one": lambda stage: stage.queue.open(stage.queued),
    "open again": lambda stage: stage.queue.open(stage.job, 2),
    "feed": lambda stage: stage.queue.feed(stage.job, 3),
    "pause": lambda stage: stage.queue.feed(stage.job, 3, most=1),
    "seal": lambda stage: stage.queue.seal(stage.job, 3),
    "fail": lambda stage: stage.queue.fail(stage.job),
    "commit": lambda stage: stage.queue.commit(stage.under_way, stage.job, 1),
    "bury": Stage.bury,
    "mark": Stage.mark,
    "alive": Stage.alive,
}


@pytest.fixture
async def stage(queue: Queue) -> Stage:
    stage = Stage(queue)
    await stage.set()
    return stage


@pytest.mark.parametrize("asked", WRITING)
async def test_without_memory_nothing_happens(
    stage: Stage, redis_members: list[RedisServer], asked: str
) -> None:
    """None of its effects; and all of them once there is memory again."""
    await stage.queue.room(9)
    before = stage.queue.dump()
    with memory_short(redis_members):
        with pytest.raises(RedisError, match=r"OOM|maxmemory"):
            await WRITING[asked](stage)
        assert stage.queue.dump() == before
    await WRITING[asked](stage)
    assert stage.queue.dump() != before


@pytest.fixture
def full(stage: Stage, redis_members: list[RedisServer]) -> Iterator[None]:
    with memory_short(redis_members):
        yield


async def test_leases_are_kept_and_given_back_without_memory(stage: Stage, full: None) -> None:
    """So nothing is lost meanwhile, and no other begins the same."""
    queue = stage.queue
    assert await queue.run("beat", [SHARDS, keys.job(stage.job)], "a", stage.under_way) == [
        [],
        ["running"],
    ]
    assert await queue.run("handback", [SHARDS], "a", stage.under_way) == 1
    assert [entry for entry, _, _ in await queue.claim("b")] == [stage.under_way]
    assert await queue.run("finish", [SHARDS], stage.garbage) == 1


async def test_results_are_released_without_memory(stage: Stage, full: None) -> None:
    """It is what makes room."""
    [(cursor, _)] = await stage.queue.results(stage.job)
    assert await stage.queue.release(stage.job, cursor) == ["1", "10", cursor]
    told = await stage.queue.job(stage.job)
    assert (told["result_bytes"], told["released"]) == ("0", cursor)
    assert await stage.queue.results(stage.job) == []


async def test_a_job_is_cancelled_and_deleted_without_memory(stage: Stage, full: None) -> None:
    """That makes room as well."""
    queue = stage.queue
    for job in (stage.job, stage.queued):
        assert await queue.cancel(job) == ["OK"]
        assert await queue.state(job) == "cancelled"
    assert (await queue.job(stage.job))["dropped"] == "1"
    assert await queue.drop(stage.under_way, stage.job, 1) == 1
    assert (await queue.job(stage.job))["dropped"] == "2"
    assert (await queue.there(stage.job))["job"] > 0
    for job in (stage.job, stage.queued):
        assert await queue.delete(job) == 1
        assert await queue.there(job) == {}
