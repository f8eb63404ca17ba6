"""The process pool: for whatever must not happen in the event loop, and may not survive.

Chunks of bytes go in, plain values come out, and nothing an item does (a segfault, an endless
loop, gigabytes of memory) costs more than that item. The pipeline takes a slot and runs a chunk
on it; slots are the back-pressure. `slot` runs chunks, `supervisor` keeps a child there for it,
`child` is what runs inside.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from workers.pool import child
from workers.pool.slot import Slot
from workers.pool.supervisor import PoolClosedError, PoolSettings, Supervisor

__all__ = ["ImagePool", "PoolClosedError", "PoolSettings", "Slot", "open_pool"]

logger = logging.getLogger(__name__)

#: How long closing may take: children are killed first, the rest is tidying.
CLOSE_SECONDS = 1.0


class ImagePool:
    """Slots of one process each. Made by `open_pool`."""

    def __init__(self, settings: PoolSettings) -> None:
        self.settings = settings
        # Two per slot: one child may be buried while the next one starts.
        self._threads = ThreadPoolExecutor(2 * settings.slots, thread_name_prefix="pool")
        self._supervisors = [Supervisor(settings, self._threads) for _ in range(settings.slots)]
        self._slots = [(Slot(settings, supervisor), supervisor) for supervisor in self._supervisors]
        self._free = self._slots.copy()
        self._permits = asyncio.Semaphore(settings.slots)
        self._closed = False
        self.waiting = 0  #: callers that wait for a slot

    @property
    def size(self) -> int:
        """How many slots there are."""
        return len(self._supervisors)

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return len(self._free)

    @property
    def busy(self) -> int:
        """How many slots somebody has."""
        return self.size - self.free

    @property
    def warm(self) -> int:
        """How many children are up."""
        return sum(supervisor.warm for supervisor in self._supervisors)

    @property
    def restarts(self) -> int:
        """How many children ended unasked so far; neither recycled nor cancelled ones."""
        return sum(supervisor.deaths for supervisor in self._supervisors)

    @property
    def replaced(self) -> list[Counter[str]]:
        """For each slot, how many children were replaced, by why (`supervisor.CAUSES`)."""
        return [supervisor.replaced.copy() for supervisor in self._supervisors]

    @property
    def healthy(self) -> bool:
        """Whether children start. A dead child alone is no illness."""
        return not self._closed and not any(each.failing for each in self._supervisors)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a free slot, first come first served, and have it to oneself."""
        self.waiting += 1
        try:
            await self._permits.acquire()
        finally:
            self.waiting -= 1
        try:
            if self._closed:
                raise PoolClosedError("the pool is closed")
            ready = (pair for pair in self._free if pair[1].warm and pair[0].leaving is None)
            chosen = next(ready, self._free[0])
            self._free.remove(chosen)
            try:
                yield chosen[0]
            finally:
                self._free.append(chosen)
        finally:
            self._permits.release()

    async def probe(self, timeout: float) -> bool:
        """Whether the pool works: a real round trip when a slot is free, else its health."""
        if not self.healthy or all(slot.leaving is not None for slot, _ in self._free):
            return self.healthy
        try:
            async with asyncio.timeout(timeout), self.slot() as slot:
                return await slot.run(child.echo, [True], leave=0) == [True]
        except (TimeoutError, PoolClosedError):
            return False

    async def _open(self) -> None:
        await asyncio.gather(*(each.open() for each in self._supervisors))
        logger.info("the process pool is up", extra={"action": "pool.opened", "slots": self.size})

    async def _close(self) -> None:
        self._closed = True
        tasks: set[asyncio.Task[Any]] = set()
        for supervisor in self._supervisors:
            tasks |= supervisor.close()
        tasks |= {slot.leaving for slot, _ in self._slots if slot.leaving is not None}
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            self._threads.shutdown(wait=False)


@asynccontextmanager
async def open_pool(settings: PoolSettings, *, idle: bool = False) -> AsyncIterator[ImagePool]:
    """Start all children, so that the first call is warm; kill them promptly at the end.

    An *idle* one has none, and is never called.
    """
    pool = ImagePool(settings)
    try:
        if not idle:
            await pool._open()  # noqa: SLF001 - this module's own
        yield pool
    finally:
        await pool._close()  # noqa: SLF001
