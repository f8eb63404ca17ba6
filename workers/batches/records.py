"""The answer to one batch: a prediction, or why there is none, for each of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from imaging.facts import Failure
from workers.lines import encode_line
from workers.records import Answered, Fetch, failure_json

__all__ = ["BatchRecord", "BatchRow"]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """What became of one row of a batch."""

    index: int
    id: str
    url: str | None
    outcome: bytes | Failure  #: the prediction as JSON, or why there is none
    fetch: Fetch | None = None  #: None where nothing was fetched
    position: int | None = None  #: in the batch's array; None where it was not decoded
    extra: bytes | None = None  #: the manifest's other columns: a JSON object

    def json(self) -> dict[str, Any]:
        """As it stands in the line."""
        row: dict[str, Any] = {"index": self.index, "id": self.id, "url": self.url}
        if self.position is not None:
            row["position"] = self.position
        if isinstance(self.outcome, Failure):
            row["error"] = failure_json(self.outcome)
        else:
            row["prediction"] = orjson.Fragment(self.outcome)
        if self.extra is not None:
            row["extra"] = orjson.Fragment(self.extra)
        return row


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """Consecutive rows of the manifest, predicted together."""

    batch: int  #: rows `batch · batch_size …` of the manifest
    size: tuple[int, int]  #: width, height
    predictor: str
    rows: Sequence[BatchRow]  #: at least one, in manifest order
    pixels: bytes | None = None  #: the array of the decoded rows, as JSON, where it was asked for

    @property
    def index(self) -> int:
        """Of its first row."""
        return self.rows[0].index

    @property
    def width(self) -> int:
        """How many rows it answers."""
        return len(self.rows)

    def answers(self) -> Iterator[Answered]:
        """What to count."""
        for row in self.rows:
            failure = row.outcome if isinstance(row.outcome, Failure) else None
            yield Answered(row.index, row.url, failure, row.fetch)

    def line(self) -> bytes:
        """The record as one NDJSON line. `batch_dimension` counts the decoded rows."""
        width, height = self.size
        decoded = sum(row.position is not None for row in self.rows)
        line: dict[str, Any] = {
            "type": "batch",
            "batch": self.batch,
            "batch_dimension": [decoded, 3, height, width],
            "predictor": self.predictor,
            "rows": [row.json() for row in self.rows],
        }
        if self.pixels is not None:
            line["pixels"] = orjson.Fragment(self.pixels)
        return encode_line(line)
