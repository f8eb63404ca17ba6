"""Room for further shards: jobs that are split in this process wait for it in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

__all__ = ["Room"]

#: Shards recorded elsewhere are noticed after so long.
LOOK_SECONDS = 0.25
#: Each shard recorded here makes room for one, and one more may have been left unused.
WOKEN = 2


class Room:
    """Wakes those who wait longest first."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def made(self) -> None:
        """A shard was recorded here."""
        woken = 0
        while self._waiting and woken < WOKEN:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                woken += 1

    async def wait(self) -> None:
        """Wait until there may be room."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await future
        finally:
            with suppress(ValueError):
                self._waiting.remove(future)
