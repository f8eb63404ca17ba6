"""Bodies of one run in the pool: an even share of those that wait, a chunk at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from imaging.facts import ErrorCode, Failure
from workers.fetch.lanes import Body, Ticket
from workers.metrics.histogram import Histogram
from workers.pool.pool import ImagePool
from workers.pool.slot import Slot
from workers.pool.supervisor import PoolClosedError

__all__ = ["Decoding", "Entry"]

logger = logging.getLogger(__name__)

#: What one pool call carries at most.
CHUNK_ITEMS = 12
CHUNK_BYTES = 32 * 1024 * 1024


class Entry(NamedTuple):
    """What the pool does with a body."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class Decoding:
    """Takes bodies; says of each what the entry point made of it."""

    def __init__(
        self, pool: ImagePool, done: Callable[[Ticket, Any], None], decoding: Histogram
    ) -> None:
        """*decoding* is told how long each took in its process."""
        self._pool = pool
        self._done = done
        self._timed = decoding
        self._waiting: deque[tuple[Ticket, Body]] = deque()
        self._came = asyncio.Event()
        self._under_way: dict[Ticket, Body] = {}

    def add(self, ticket: Ticket, body: Body) -> None:
        """Take a body, and its room with it."""
        self._waiting.append((ticket, body))
        self._came.set()

    async def run(self, entry: Entry) -> None:
        """Take a slot, then what waits for it: so chunks grow only while the pool is busy.

        For ever; as many times at once as there may be chunks under way. Raises PoolClosedError.
        """
        while True:
            await self._came.wait()
            async with self._pool.slot() as slot:
                chunk = self._chunk(self._pool.size)
                if not chunk:
                    continue
                data = [body.data for _, body in chunk]
                results = await _decoded(slot, entry, data, self._timed)
            for (ticket, body), result in zip(chunk, results, strict=True):
                del self._under_way[ticket]
                body.room.release()
                self._done(ticket, result)

    def drop(self) -> list[Ticket]:
        """Let go of all bodies; returns whose they were. Nothing runs any more."""
        dropped: list[Ticket] = []
        for ticket, body in [*self._waiting, *self._under_way.items()]:
            body.room.release()
            dropped.append(ticket)
        self._waiting.clear()
        self._under_way.clear()
        return dropped

    def _chunk(self, slots: int) -> list[tuple[Ticket, Body]]:
        """The next bodies, an even share of those waiting, within the bounds of a chunk."""
        share = max(1, min(CHUNK_ITEMS, len(self._waiting) // slots))
        chunk: list[tuple[Ticket, Body]] = []
        size = 0
        while self._waiting and len(chunk) < share:
            size += len(self._waiting[0][1].data)
            if chunk and size > CHUNK_BYTES:
                break
            ticket, body = self._waiting.popleft()
            chunk.append((ticket, body))
            self._under_way[ticket] = body
        if not self._waiting:
            self._came.clear()
        return chunk


async def _decoded(slot: Slot, entry: Entry, data: list[bytes], timed: Histogram) -> list[Any]:
    try:
        return await slot.run(entry.function, data, *entry.args, timed=timed)
    except PoolClosedError:
        raise
    except Exception:  # a bug: their rows have an answer all the same
        logger.exception("a chunk was not decoded", extra={"action": "decode_failed"})
        return [Failure(ErrorCode.INTERNAL, "no process to decode it")] * len(data)
