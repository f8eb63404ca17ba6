"""A suspect runs alone: none begins beside it, and it begins beside none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.asserts import wait_for, wait_until
from tests.workers.jobs.dying import give_up
from tests.workers.jobs.queues import SHARDS, Queue
from tests.workers.jobs.running import consuming, entry_of, lines_of, split, until_over
from workers.engine import Engine
from workers.jobs.alone import Alone
from workers.jobs.leases import Held
from workers.jobs.runner import QUARANTINE_DELIVERIES, Ready


async def test_alone_waits_and_is_waited_for() -> None:
    """For those begun before; those that come later wait for it."""
    alone, told, gates = Alone(), [], {name: asyncio.Event() for name in "abc"}

    async def run(name: str) -> None:
        async with alone.alone() if name == "b" else alone.together():
            told.append(name)
            await gates[name].wait()

    tasks = [asyncio.create_task(run(name)) for name in "abc"]
    await wait_until(lambda: told == ["a"])
    gates["a"].set()
    await wait_until(lambda: told == ["a", "b"])
    gates["b"].set()
    await wait_until(lambda: told == ["a", "b", "c"])
    gates["c"].set()
    await asyncio.gather(*tasks)


async def test_of_what_is_claimed_a_suspect_is_taken_and_no_other(
    queue: Queue,
    engine_of: Callable[..., object],
    pictures: Callable[[int], list[str]],
    written: Callable[..., str],
) -> None:
    """The others go back without blame, and are run when it is over."""
    together: list[tuple[int, int]] = []
    async with engine_of(max_connections=8, shard_rows=2) as engine:  # type: ignore[attr-defined]
        assert isinstance(engine, Engine)
        async with consuming(engine, kinds=()):  # splits, and runs nothing
            await queue.room(20)
            job = await queue.added(**entry_of(written(pictures(10))))
            await wait_for(lambda: split(queue, job))
        entries = await queue.read(consumer="dead", count=4)
        await give_up(queue)
        await _deliveries(queue, entries[1], QUARANTINE_DELIVERIES - 1)
        async with consuming(engine, intake=False) as running:
            consumer = running.consumer
            run = consumer._runner.run

            async def noted(held: Held, ready: Ready) -> bool:
                done = await run(held, ready)
                together.append((held.entry.deliveries, consumer._leases.count(SHARDS)))
                return done

            consumer._runner.run = noted  # type: ignore[method-assign]
            await until_over(queue, job)
    suspects = [beside for deliveries, beside in together if deliveries >= QUARANTINE_DELIVERIES]
    assert suspects == [1]
    assert sorted(deliveries for deliveries, _ in together) == [1, 2, 2, 2, QUARANTINE_DELIVERIES]
    assert len(await lines_of(queue, job)) == 10


async def _deliveries(queue: Queue, entry: str, count: int) -> None:
    said = ("XCLAIM", SHARDS, "census", "dead", 0, entry, "IDLE", 86_400_000, "RETRYCOUNT", count)
    await queue.redis.execute_command(*said, "JUSTID", parse_justid=True)
