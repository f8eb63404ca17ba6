"""What the records of a stream, or of a job, add up to."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from imaging.facts import ErrorCode, Failure
from workers.diagnosis import diagnose
from workers.hosts_counted import HostsCounted
from workers.lines import encode_line
from workers.outbox import Placed
from workers.records import Answered

__all__ = ["Answering", "Summary", "progress_line"]


class Answering(Placed, Protocol):
    """A record of one row or of several."""

    def answers(self) -> Iterator[Answered]:
        """What each row came to."""
        ...

    def line(self) -> bytes:
        """The record as one NDJSON line."""
        ...


@dataclass(slots=True)
class Summary:
    """What a stream's records add up to. `rows` counts rows of the manifest that were answered."""

    rows: int = 0
    ok: int = 0
    bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    http_statuses: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)  #: of a re-census
    hosts: HostsCounted = field(default_factory=HostsCounted)  #: what failed where

    @property
    def failed(self) -> int:
        """Rows without facts, or without a prediction."""
        return self.rows - self.ok

    @property
    def retryable(self) -> int:
        """Failures that may pass when they are asked for again."""
        passing = [code for code in ErrorCode if code.retryable]
        statuses = [(text, rows) for text, rows in self.http_statuses.items() if text.isdecimal()]
        return sum(self.errors[code] for code in passing) + sum(
            rows
            for text, rows in statuses
            if Failure(ErrorCode.HTTP_STATUS, http_status=int(text)).retryable
        )

    def count(self, record: Answering) -> None:
        """Add one record."""
        for index, url, failure, fetch, change in record.answers():
            self.rows += 1
            if fetch is not None:
                self.bytes += fetch.bytes
            if change is not None:
                self.changes[change] += 1
            if failure is None:
                self.ok += 1
                if fetch is not None and fetch.suspect_placeholder:
                    self.hosts.placeholder(index, url)
                continue
            self.errors[failure.code.value] += 1
            if failure.code is ErrorCode.HTTP_STATUS:
                self.http_statuses[str(failure.http_status)] += 1
            self.hosts.failed(index, url, failure)

    def facts(self) -> dict[str, int]:
        """As a span has it."""
        told = {"rows": self.rows, "ok": self.ok, "failed": self.failed, "bytes": self.bytes}
        return {f"imagecensus.{name}": count for name, count in told.items()}

    def diagnosis(self) -> list[dict[str, str]]:
        """What it means, in plain words: an object for each finding."""
        return [finding._asdict() for finding in diagnose(self)]

    def line(
        self,
        *,
        seconds: float,
        manifest_sha256: str | None = None,
        provenance: dict[str, Any] | None = None,
        reason: str | None = None,
        cursor: str | None = None,
    ) -> builtins.bytes:
        """The last line of a stream: complete unless there is a *reason* why not.

        *provenance* is what predictions were made with. Of a job's results the *cursor* tells where
        to read on.
        """
        line: dict[str, Any] = {
            "type": "summary",
            "rows": self.rows,
            "ok": self.ok,
            "failed": self.failed,
            "errors": dict(self.errors.most_common()),
            "http_statuses": dict(self.http_statuses.most_common()),
            "bytes": self.bytes,
            **({"diagnosis": diagnosis} if (diagnosis := self.diagnosis()) else {}),
            **({"changes": dict(self.changes.most_common())} if self.changes else {}),
            "seconds": round(seconds, 3),
            "manifest_sha256": manifest_sha256,
        }
        if provenance is not None:
            line["provenance"] = provenance
        line["complete"] = reason is None
        if reason is not None:
            line["reason"] = reason
        if cursor is not None:
            line["cursor"] = cursor
        return encode_line(line)


def progress_line(summary: Summary, *, cursor: str | None = None) -> bytes:
    """A line that keeps an idle stream alive; in a job's results, the place reached in them."""
    line: dict[str, Any] = {"type": "progress", "done": summary.rows, "failed": summary.failed}
    if cursor is not None:
        line["cursor"] = cursor
    return encode_line(line)
