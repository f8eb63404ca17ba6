"""What a kind of job makes of the rows of a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from imaging.facts import Failure
from workers.engine import Engine
from workers.fetch.targets import without_userinfo
from workers.jobs.collecting import collect, given
from workers.jobs.leases import Held
from workers.jobs.quarantine import Quarantine
from workers.manifest.rows import Row
from workers.options import InfoOptions
from workers.pipeline import inspect_rows
from workers.records import Record
from workers.repeats import Known
from workers.summary import Answering

__all__ = ["InfoWork", "Work"]


class Work(Protocol):
    """One kind, with the options of one job."""

    @property
    def software(self) -> Mapping[str, str]:
        """Versions of what the records depend on."""
        ...

    async def records(self, held: Held, rows: Sequence[Row]) -> Sequence[Answering]:
        """The records of *rows*; of some of them where the job is cancelled meanwhile."""
        ...

    async def suspected(
        self, held: Held, rows: Sequence[Row], quarantine: Quarantine
    ) -> Sequence[Answering]:
        """The same, where one of them may end this process."""
        ...

    def given_up(self, rows: Sequence[Row], failure: Failure) -> Sequence[Answering]:
        """The records of *rows* that nobody can look at."""
        ...


class InfoWork:
    """`images_info`."""

    software: Mapping[str, str] = {}  # facts are the bytes', whoever reads them

    def __init__(self, engine: Engine, options: InfoOptions, known: Known) -> None:
        self._engine = engine
        self._options = options
        self._known = known

    async def records(self, held: Held, rows: Sequence[Row]) -> list[Record]:
        """A record each."""
        return await self._looked_at(held, rows, self._known)

    async def suspected(
        self, held: Held, rows: Sequence[Row], quarantine: Quarantine
    ) -> list[Record]:
        """A record each, with marks of what is under way; each is fetched for itself."""
        none = self._engine.repeats.none()
        return await quarantine.run(rows, lambda some: self._looked_at(held, some, none), _failed)

    def given_up(self, rows: Sequence[Row], failure: Failure) -> list[Record]:
        """The failure for each."""
        return [_failed(row, failure) for row in rows]

    async def _looked_at(self, held: Held, rows: Sequence[Row], known: Known) -> list[Record]:
        opening = inspect_rows(self._engine, given(rows), self._options, known)
        return await collect(held, opening)


def _failed(row: Row, failure: Failure) -> Record:
    shown = None if row.url is None else without_userinfo(row.url)
    return Record(row.index, row.id, shown, row.problem or failure, extra=row.extra)
