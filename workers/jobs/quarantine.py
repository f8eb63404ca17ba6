"""A shard that several consumers died with: which row did it?

Before rows are under way Redis is told so, and after it that they did no harm. What a death leaves
marked was under way then. Rows without a mark go together, a marked one goes alone; one that was
under way in four deaths, in three of them alone, is answered instead of looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from imaging.facts import ErrorCode, Failure
from workers.fetch.targets import without_userinfo
from workers.jobs.marks import Marks
from workers.manifest.rows import Row
from workers.records import Record

__all__ = ["Quarantine"]

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
        self, rows: Sequence[Row], inspect: Callable[[Sequence[Row]], Awaitable[list[Record]]]
    ) -> list[Record]:
        """The records of *rows*, looked at by *inspect*, but for those that kill."""
        marks = await self._marks.all()
        fresh = [row for row in rows if not marks.get(row.index)]
        records = []
        for at in range(0, len(fresh), TOGETHER):
            records += await self._watched(fresh[at : at + TOGETHER], 1, inspect)
        for row in rows:
            count = marks.get(row.index, 0)
            if count >= DEATHS:
                records.append(_deadly(row, count))
            elif count:
                records += await self._watched([row], count + 1, inspect)
        return records

    async def _watched(
        self,
        rows: Sequence[Row],
        count: int,
        inspect: Callable[[Sequence[Row]], Awaitable[list[Record]]],
    ) -> list[Record]:
        indexes = [row.index for row in rows]
        await self._marks.set(indexes, count)
        try:
            return await inspect(rows)
        finally:  # also where this process is asked to end: that is no death
            await self._marks.clear(indexes)


def _deadly(row: Row, deaths: int) -> Record:
    failure = Failure(ErrorCode.WORKER_DIED, f"{deaths} consumers died with this row under way")
    shown = None if row.url is None else without_userinfo(row.url)
    return Record(row.index, row.id, shown, row.problem or failure, extra=row.extra)
