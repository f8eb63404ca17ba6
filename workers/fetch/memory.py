"""How many bytes of bodies may be held at once, all streams together.

A body of told length is reserved in one step before its first byte is read. One of unknown length
begins with a little and grows while there is room at once; where there is none it lets go of what
it holds and begins again with the most a body may have. So nobody who holds bytes waits for more,
and it cannot deadlock.

Most pictures are small, and a few large ones, or ones that only claim to be, must not hold them up:
a part of the budget is kept for small claims.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Budget", "Reservation"]

#: A claim of at most this part of the budget is small.
_SMALL_PART = 64
#: So much of the budget large claims leave to the small ones, if they fit into the rest.
_KEPT_PART = 4


class Reservation:
    """Bytes held. `shrink` when the size is known, `release` when the body is gone."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget = budget
        self.size = size

    def grow(self, size: int) -> bool:
        """Hold *size* bytes if the missing ones are free now and nobody waits for them."""
        if not self._budget.resize(self.size, size):
            return False
        self.size = size
        return True

    def shrink(self, size: int) -> None:
        """Keep *size* bytes only."""
        if size < self.size:
            held, self.size = self.size, size
            self._budget.give(held, size)

    def release(self) -> None:
        """Hand all back; calling it again does nothing."""
        self.shrink(0)


class _Queue:
    """Claims of one kind: bytes held, and who waits, first come, first served."""

    __slots__ = ("held", "waiting")

    def __init__(self) -> None:
        self.held = 0
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()


class Budget:
    """Bytes to share out: among claims of a kind first come, first served."""

    def __init__(self, size: int, *, largest: int | None = None) -> None:
        """*largest* is the most one claim may be; all of the budget by default."""
        self.size = size
        self._small_most = size // _SMALL_PART
        self._large_most = max(size - size // _KEPT_PART, size if largest is None else largest)
        self._small, self._large = _Queue(), _Queue()

    @property
    def free(self) -> int:
        """Bytes nobody holds."""
        return self.size - self._small.held - self._large.held

    @property
    def held(self) -> int:
        """Bytes somebody holds."""
        return self.size - self.free

    @property
    def pressed(self) -> bool:
        """Whether somebody waits for bytes."""
        return bool(self._small.waiting or self._large.waiting)

    def take(self, size: int) -> Reservation | None:
        """Reserve *size* bytes if they are free now and nobody of this kind waits."""
        queue = self._of(size)
        if queue.waiting or not self._fits(size):
            return None
        queue.held += size
        return Reservation(self, size)

    async def wait(self, size: int) -> Reservation:
        """Reserve *size* bytes, at most `largest`, waiting for them."""
        taken = self.take(size)
        if taken is not None:
            return taken
        queue = self._of(size)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(size, 0)
            else:
                queue.waiting = deque(entry for entry in queue.waiting if entry[1] is not turn)
                self._serve()
            raise
        return Reservation(self, size)

    def resize(self, held: int, size: int) -> bool:
        """Turn a claim of *held* bytes into one of *size*, if that can be done at once."""
        before, after = self._of(held), self._of(size)
        before.held -= held
        if after.waiting or not self._fits(size):
            before.held += held
            return False
        after.held += size
        return True

    def give(self, held: int, kept: int) -> None:
        """Hand back all but *kept* of a claim of *held* bytes, and serve who waits."""
        self._of(held).held -= held
        self._of(kept).held += kept
        self._serve()

    def _of(self, size: int) -> _Queue:
        return self._small if size <= self._small_most else self._large

    def _fits(self, size: int) -> bool:
        if size > self.free:
            return False
        if size > self._small_most:
            return self._large.held + size <= self._large_most
        # While a large claim waits, small ones keep to their part, or it would wait for ever.
        kept = self.size - self._large_most
        return not self._large.waiting or self._small.held + size <= kept

    def _serve(self) -> None:
        for queue in (self._large, self._small):
            while queue.waiting and self._fits(queue.waiting[0][0]):
                size, turn = queue.waiting.popleft()
                if not turn.done():
                    queue.held += size
                    turn.set_result(None)
