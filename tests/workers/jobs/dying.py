"""Consumers that die of rows, and leases that run out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from tests.asserts import wait_until
from tests.workers.jobs.queues import SHARDS, Queue
from tests.workers.jobs.running import Running, consuming, until_over
from workers.engine import Engine
from workers.flow import Flow
from workers.jobs import keys
from workers.jobs.collecting import given
from workers.manifest.rows import Row

__all__ = ["Poison", "give_up"]

#: A day: whoever held it is long gone.
LONG_MS = 86_400_000

Opening = Callable[..., AbstractAsyncContextManager[Flow[Any]]]


async def give_up(queue: Queue, deliveries: int | None = None, stream: str = SHARDS) -> None:
    """Let all leases of a stream run out; perhaps as if entries were delivered so often."""
    for entry, consumer, _ in await queue.pending(stream):
        said: list[Any] = ["XCLAIM", stream, keys.GROUP, consumer, 0, entry, "IDLE", LONG_MS]
        if deliveries is not None:
            said += ["RETRYCOUNT", deliveries]
        await queue.redis.execute_command(*said, "JUSTID", parse_justid=True)


class Poison:
    """Rows that kill whoever looks at them."""

    def __init__(self, *indexes: int) -> None:
        self.indexes = set(indexes)
        self.victim: Running | None = None
        self.looked_at: list[list[int]] = []
        self.deaths = 0

    def over(self, opening: Opening) -> Opening:
        """In the place of *opening*, one of the pipeline's."""

        @asynccontextmanager
        async def poisoned(
            engine: Engine, rows: AsyncIterator[Row], *rest: Any
        ) -> AsyncIterator[Flow[Any]]:
            taken = [row async for row in rows]
            self.looked_at.append([row.index for row in taken])
            if self.indexes & {row.index for row in taken}:
                victim = await wait_until(lambda: self.victim)  # shards may come before it is ready
                assert victim is not None
                self.deaths += 1
                victim.die()
                await asyncio.Event().wait()
            async with opening(engine, given(taken), *rest) as flow:
                yield flow

        return poisoned

    async def survived(
        self, queue: Queue, engine: Engine, job: str, most: int, stream: str = SHARDS
    ) -> dict[str, str]:
        """Start consumers until the job is done; no more than *most* may die."""
        while self.deaths <= most:
            async with consuming(engine) as self.victim:
                over = asyncio.create_task(until_over(queue, job))
                await asyncio.wait({over, self.victim.task}, return_when="FIRST_COMPLETED")
                if over.done():
                    return await over
                over.cancel()
            self.victim = None
            await give_up(queue, stream=stream)
        raise AssertionError(f"{self.deaths} died")
