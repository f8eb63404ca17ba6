"""The rows of a shard through a flow of the pipeline, taken to their end, or cut short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from workers.flow import Flow
from workers.jobs.leases import Held
from workers.manifest.rows import Row
from workers.outbox import Placed

__all__ = ["collect", "given"]

R = TypeVar("R", bound=Placed)

#: Longer than any row takes: the pipeline answers every row.
IDLE_SECONDS = 60.0


async def collect(held: Held, opening: AbstractAsyncContextManager[Flow[R]]) -> list[R]:
    """All that comes. A cancelled job cuts it short: what is under way says so."""
    records: list[R] = []
    if held.over:
        return records
    async with opening as flow:
        stopping: list[asyncio.Task[bool]] = []
        held.on_over = lambda: stopping.append(asyncio.create_task(flow.stop()))
        try:
            async for some in flow.batches(idle=IDLE_SECONDS):
                records += some
        finally:
            held.on_over = None
            await asyncio.gather(*stopping)
    return records


async def given(rows: Sequence[Row]) -> AsyncIterator[Row]:
    """Rows that are there already, as a flow takes them."""
    for row in rows:
        yield row
