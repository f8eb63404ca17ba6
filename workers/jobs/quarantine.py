"""A shard that several consumers died with: which row did it?

Before rows are under way Redis is told so, and after it that they did no harm. What a death leaves
marked was under way then. Rows without a mark go together, a marked one goes alone; one that was
under way in four deaths, in three of them alone, is answered instead of looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from imaging.facts import ErrorCode, Failure
from workers.jobs.marks import Marks
from workers.manifest.rows import Row

__all__ = ["Quarantine"]

T = TypeVar("T")

#: So many rows without a mark are under way at once.
TOGETHER = 16
#: So many deaths are no coincidence: in all but the first the row was alone. With one less, rows
#: that did nothing were blamed where consumers are killed every few seconds.
DEATHS = 4


class Quarantine:
    """One shard in it."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    async def run(
        self,
        rows: Sequence[Row],
        look: Callable[[Sequence[Row]], Awaitable[list[T]]],
        deadly: Callable[[Row, Failure], T],
    ) -> list[T]:
        """What *look* makes of *rows*, but for those that kill: of them *deadly* makes it."""
        marks = await self._marks.all()
        fresh = [row for row in rows if not marks.get(row.index)]
        found: list[T] = []
        for at in range(0, len(fresh), TOGETHER):
            found += await self._watched(fresh[at : at + TOGETHER], 1, look)
        for row in rows:
            count = marks.get(row.index, 0)
            if count >= DEATHS:
                told = f"{count} consumers died with this row under way"
                found.append(deadly(row, Failure(ErrorCode.WORKER_DIED, told)))
            elif count:
                found += await self._watched([row], count + 1, look)
        return found

    async def _watched(
        self,
        rows: Sequence[Row],
        count: int,
        look: Callable[[Sequence[Row]], Awaitable[list[T]]],
    ) -> list[T]:
        indexes = [row.index for row in rows]
        await self._marks.set(indexes, count)
        try:
            return await look(rows)
        finally:  # also where this process is asked to end: that is no death
            await self._marks.clear(indexes)
