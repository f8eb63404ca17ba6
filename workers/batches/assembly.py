"""Rows that belong to one batch, until each has its answer. Plain state: `pipeline` moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imaging.facts import ErrorCode, Failure
from workers.batches.records import BatchRow
from workers.fetch.memory import Reservation
from workers.fetch.targets import without_userinfo
from workers.manifest.rows import Row
from workers.records import Fetch

__all__ = ["Assembly", "Prepared", "batch_rows", "cancelled"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row as it goes into its batch."""

    row: Row
    fetch: Fetch | None
    outcome: bytes | Failure  #: uint8 (3, H, W), or why there are no pixels

    @property
    def index(self) -> int:
        """Of its row."""
        return self.row.index

    @property
    def width(self) -> int:
        """One row."""
        return 1


class Assembly:
    """One batch of so many rows, and what they came to."""

    def __init__(self, batch: int, rows: int, room: Reservation) -> None:
        self.batch = batch
        self.room = room  #: held for its array
        self._rows = rows
        self._prepared: dict[int, Prepared] = {}

    def put(self, prepared: Prepared) -> None:
        """Take what a row came to."""
        self._prepared[prepared.index] = prepared

    @property
    def whole(self) -> bool:
        """Whether every row that belongs to it is there."""
        return len(self._prepared) == self._rows

    def in_order(self) -> list[Prepared]:
        """The rows that are there, in manifest order."""
        return [self._prepared[index] for index in sorted(self._prepared)]


def batch_rows(prepared: Sequence[Prepared], values: Sequence[bytes | Failure]) -> list[BatchRow]:
    """The rows of a record. *values* are those of the decoded rows, in order."""
    rows: list[BatchRow] = []
    position = 0
    for one in prepared:
        row, place, outcome = one.row, None, one.outcome
        if not isinstance(outcome, Failure):
            place, outcome = position, values[position]
            position += 1
        shown = None if row.url is None else without_userinfo(row.url)
        rows.append(BatchRow(row.index, row.id, shown, outcome, one.fetch, place, row.extra))
    return rows


def cancelled(prepared: Sequence[Prepared]) -> list[BatchRow]:
    """The rows of a batch that nobody predicts any more; what failed before has failed."""
    failure = Failure(ErrorCode.CANCELLED)
    failed = [
        one if isinstance(one.outcome, Failure) else Prepared(one.row, one.fetch, failure)
        for one in prepared
    ]
    return batch_rows(failed, ())
