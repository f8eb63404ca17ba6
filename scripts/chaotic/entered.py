"""A job that was handed in, and what must come of each of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.chaotic.pictures import Facts
from workers.jobs import keys

__all__ = ["BATCH", "INFO", "SHARD_ROWS", "Entered", "Wanted"]

INFO, BATCH = keys.KINDS

#: CENSUS_SHARD_ROWS of all consumers.
SHARD_ROWS = 32

#: Facts, a prediction, or the code of the error it must be.
Wanted = Facts | Mapping[str, Any] | str


class Entered:
    """One job: its rows are `r0`, `r1`, …, each with a path of the picture host."""

    def __init__(
        self,
        job: str,
        kind: str,
        paths: Sequence[str],
        wanted: Sequence[Wanted],
        *,
        base: str,
        batch_size: int = 1,
    ) -> None:
        self.job = job
        self.kind = kind
        self.paths = paths
        self.wanted = wanted  #: of each row
        self.base = base
        self.batch_size = batch_size  #: rows that stay together
        self.cancelled = False

    @property
    def shard_rows(self) -> int:
        """A shard has no more rows."""
        return max(SHARD_ROWS, self.batch_size)

    def batch(self, number: int) -> list[int]:
        """The rows of a batch."""
        first = number * self.batch_size
        return list(range(max(0, first), min(first + self.batch_size, len(self.paths))))

    def right(self, row: Mapping[str, Any]) -> bool:
        """Whether what is told of a row is what it must become."""
        index = row["index"]
        if not 0 <= index < len(self.paths):
            return False
        if row["id"] != f"r{index}" or row["url"] != self.base + self.paths[index]:
            return False
        error, told, wanted = row.get("error"), self.told(row), self.wanted[index]
        if error is not None:
            cancelled = self.cancelled and error["code"] == "cancelled"
            return told is None and (cancelled or error["code"] == wanted)
        if isinstance(wanted, Facts):
            return told is not None and Facts(*(told[name] for name in Facts._fields)) == wanted
        return bool(told == wanted)

    def told(self, row: Mapping[str, Any]) -> Any:
        """The facts or the prediction of a row; None where there are none."""
        return row.get("prediction" if self.kind == BATCH else "image_info")
