"""Finished records on their way to the reader, and the window that bounds the look-ahead.

A row is admitted when it is read from the manifest and leaves when its record is taken: whatever
is between (queued, fetched, decoded, waiting for its turn or for the reader) is at most the window.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Generic, Protocol, TypeVar

__all__ = ["Outbox", "Placed"]

#: Records that come this soon behind one another leave together: fewer writes, seen at once.
LINGER_SECONDS = 0.05
#: So many need not wait for more.
BATCH_RECORDS = 128


class Placed(Protocol):
    """What answers one row, or several behind one another."""

    @property
    def index(self) -> int:
        """Of its first row."""
        ...

    @property
    def width(self) -> int:
        """How many rows it answers."""
        ...


R = TypeVar("R", bound=Placed)


class Outbox(Generic[R]):
    """Admits rows, takes their records, gives them out in batches. A record answers rows that were
    admitted one behind the other, one or several; in order is the order they were admitted in.
    """

    def __init__(self, window: int, *, ordered: bool) -> None:
        self._window = window
        self._ordered = ordered
        self._open = 0  # admitted, not given out
        self._out: list[R] = []
        # Ordered: finished before their turn. Several of one index where a manifest repeats it.
        self._early: dict[int, list[R]] = {}
        self._turns: deque[int] = deque()  # ordered: the rows that had none, the next one first
        self._ended = False
        self._was_cut = False
        self._error: BaseException | None = None
        self._taker: asyncio.Future[None] | None = None
        self._wanted = 1
        self._feeder: asyncio.Future[None] | None = None

    @property
    def full(self) -> bool:
        """Whether no further row may be admitted now."""
        return self._open >= self._window

    async def room(self) -> None:
        """Wait until a good part of the window is free again, not for a single place."""
        while self._open > self._window * 7 // 8:
            self._feeder = asyncio.get_running_loop().create_future()
            await self._feeder

    def admit(self, index: int) -> None:
        """Count a row in."""
        if self._was_cut:
            return
        self._open += 1
        if self._ordered:
            self._turns.append(index)

    def put(self, record: R) -> None:
        """Take the record of admitted rows; none any more once it was cut."""
        if self._was_cut:
            return
        if self._ordered:
            self._early.setdefault(record.index, []).append(record)
            turns = self._turns
            while turns and (turn := self._take(turns[0])) is not None:
                self._out.append(turn)
                for _ in range(turn.width):
                    turns.popleft()
        else:
            self._out.append(record)
        self._wake()

    def _take(self, index: int) -> R | None:
        """The next record of a row that finished before its turn."""
        if (waiting := self._early.get(index)) is None:
            return None
        if len(waiting) == 1:
            del self._early[index]
        return waiting.pop(0)

    def end(self, error: Exception | None = None) -> None:
        """No row is admitted any more; *error* goes to the reader behind the last record."""
        if not self._ended:
            self._ended, self._error = True, error
        self._wake()

    @property
    def whole(self) -> bool:
        """Whether every row that there is has its record."""
        return self._ended and self._error is None and self._open == self._held()

    def fail(self, error: BaseException) -> None:
        """End now, and let the reader raise *error* behind what there is."""
        self._ended, self._error = True, error
        self.cut()

    def cut(self) -> None:
        """End now: rows without a record will not get one."""
        early = [self._take(index) for index in self._turns]
        self._out += [record for record in early if record is not None]
        self._turns.clear()
        self._open = _rows(self._out)
        self._was_cut = True
        self.end()

    async def batches(self, *, idle: float) -> AsyncIterator[list[R]]:
        """Batches until all is given out; an empty one each *idle* seconds without a record."""
        first = True
        while True:
            await self._until(1, idle)
            if self._out and not first:
                await self._until(min(BATCH_RECORDS, max(1, self._window // 4)), LINGER_SECONDS)
            if not self._out and self._all_out():
                break
            batch, self._out = self._out, []
            self._open -= _rows(batch)
            first = first and not batch
            if self._feeder is not None and not self._feeder.done():
                self._feeder.set_result(None)
            yield batch
        if self._error is not None:
            raise self._error

    def _held(self) -> int:
        return _rows(self._out) + sum(_rows(waiting) for waiting in self._early.values())

    def _all_out(self) -> bool:
        return self._ended and self._open == _rows(self._out)

    async def _until(self, count: int, seconds: float) -> None:
        """Wait for *count* records, the last one, or the time."""
        if len(self._out) >= count or self._all_out():
            return
        loop = asyncio.get_running_loop()
        self._taker, self._wanted = loop.create_future(), count
        timer = loop.call_later(seconds, _set, self._taker)
        try:
            await self._taker
        finally:
            timer.cancel()
            self._taker = None

    def _wake(self) -> None:
        if self._taker is not None and (len(self._out) >= self._wanted or self._all_out()):
            _set(self._taker)


def _rows(records: Iterable[Placed]) -> int:
    return sum(record.width for record in records)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
