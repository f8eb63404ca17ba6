"""How many bytes of bodies may be held at once, all streams together.

A body's bytes are reserved in one step before the first is read, and nobody who holds a
reservation waits for another: so it cannot deadlock. Of unknown length, the cap is reserved and
what was not needed is handed back at the end.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Budget", "Reservation"]


class Reservation:
    """Bytes held. `shrink` when the size is known, `release` when the body is gone."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget = budget
        self.size = size

    def shrink(self, size: int) -> None:
        """Keep *size* bytes only."""
        if size < self.size:
            freed, self.size = self.size - size, size
            self._budget.give(freed)

    def release(self) -> None:
        """Hand all back; calling it again does nothing."""
        self.shrink(0)


class Budget:
    """First come, first served; a large claim is not overtaken for ever by small ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def take(self, size: int) -> Reservation | None:
        """Reserve *size* bytes if they are free now."""
        if self._waiting or size > self.free:
            return None
        self.free -= size
        return Reservation(self, size)

    async def wait(self, size: int) -> Reservation:
        """Reserve *size* bytes, at most the whole budget, waiting for them."""
        taken = self.take(size)
        if taken is not None:
            return taken
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(size)
            else:
                self._waiting = deque(entry for entry in self._waiting if entry[1] is not turn)
                self._serve()
            raise
        return Reservation(self, size)

    def give(self, size: int) -> None:
        """Hand *size* bytes back and serve who waits."""
        self.free += size
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.free:
            size, turn = self._waiting.popleft()
            if not turn.done():
                self.free -= size
                turn.set_result(None)
