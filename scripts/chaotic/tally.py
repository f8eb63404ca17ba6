"""What was read of the results of one job, row by row, and held against what must come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from imaging.predictors.appearance import SIDE, Appearance
from scripts.chaotic.entered import BATCH, Entered

__all__ = ["SHOWN", "Tally"]

#: Of what is wrong so much is told.
SHOWN = 5


class Tally:
    """Of one job."""

    def __init__(self, entered: Entered) -> None:
        self._entered = entered
        self._seen: Counter[int] = Counter()
        self._batches: set[int] = set()
        self.wrong: list[Mapping[str, Any]] = []  #: rows with something else than they must have
        self.odd: list[str] = []  #: what else does not hold, in sentences
        self.ok = 0  #: rows with facts, or a prediction
        self.shards = 0
        self.bytes = 0

    def take_shard(self, fields: Mapping[bytes, bytes]) -> None:
        """Take an entry of a stream of results."""
        before = self.rows
        for line in fields[b"lines"].splitlines():
            self.take(line)
        self.shards += 1
        self.bytes += len(fields[b"lines"])
        told, rows = int(fields[b"rows"]), self.rows - before
        if told != rows:
            self.odd.append(f"shard {fields[b'shard'].decode()} has {rows} rows, and says {told}")

    def take(self, line: bytes) -> None:
        """Take a line: a row, or a batch."""
        record = orjson.loads(line)
        if self._entered.kind != BATCH:
            self._take_row(record, belongs=True)
            return
        self._look_at(record["batch"], record)
        size = self._entered.batch_size
        for row in record["rows"]:
            self._take_row(row, belongs=row["index"] // size == record["batch"])

    @property
    def kind(self) -> str:
        """Of the job."""
        return self._entered.kind

    @property
    def rows(self) -> int:
        """All that were taken."""
        return self._seen.total() + len(self.wrong)

    @property
    def lost(self) -> Sequence[int]:
        """Rows of which nothing is told. One that is told wrongly is not lost as well."""
        if self._entered.cancelled:
            return ()
        told = self._seen.keys() | {row["index"] for row in self.wrong}
        return [row for row in range(len(self._entered.paths)) if row not in told]

    @property
    def duplicated(self) -> int:
        """How often a row was told that had been told before."""
        return self._seen.total() - len(self._seen)

    def _take_row(self, row: Mapping[str, Any], *, belongs: bool) -> None:
        self.ok += self._entered.told(row) is not None
        if belongs and self._entered.right(row):
            self._seen[row["index"]] += 1
        else:
            self.wrong.append(row)

    def _look_at(self, number: int, record: Mapping[str, Any]) -> None:
        """What holds of a batch besides its rows."""
        rows = record["rows"]
        indexes, whole = [row["index"] for row in rows], self._entered.batch(number)
        if self._entered.cancelled:  # rows that were not begun are left out, and no others
            whole = [index for index in whole if index in indexes]
        places = [row["position"] for row in rows if "position" in row]
        predicted = [row for row in rows if "prediction" in row]
        # Nothing fails but in decoding here: what has a place has a prediction, in order.
        placed = [row.get("position") for row in predicted] == places == [*range(len(predicted))]
        dimension = record["batch_dimension"]
        sentences = {
            "is there twice": number not in self._batches,
            "has no rows": bool(rows),
            f"has the rows {indexes}": indexes == whole,
            f"has the places {places} for {len(predicted)} rows": placed,
            f"has the dimension {dimension}": dimension == [len(predicted), 3, SIDE, SIDE],
            f"is by {record['predictor']}": record["predictor"] == Appearance.about.name,
            f"is a line of type {record['type']}": record["type"] == "batch",
        }
        self._batches.add(number)
        self.odd += [f"batch {number} {what}" for what, holds in sentences.items() if not holds]
