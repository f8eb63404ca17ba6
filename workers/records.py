"""The answer to one row, the tally of all, and the one line codec.

What the HTTP stream writes and what a job keeps are these same bytes: compact JSON, one object a
line, each with its `type`.
"""

from __future__ import annotations

import builtins
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from imaging.facts import ErrorCode, Failure, ImageInfo

__all__ = ["SCHEMA", "Fetch", "Record", "Summary", "encode_line", "progress_line", "start_line"]

#: Raised when a line's fields change their meaning; new fields do not raise it.
SCHEMA = 1


def encode_line(line: dict[str, Any]) -> bytes:
    """One NDJSON line, its break included."""
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return _escaped(line) + b"\n"


def _escaped(value: object) -> bytes:
    """JSON by the standard library, for lone surrogates and integers beyond 64 bits."""
    return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    """What the standard library does not know."""
    return orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else str(value)


@dataclass(slots=True)
class Fetch:
    """How a row's bytes were got. Filled in as the download goes; None is unknown."""

    status: int | None = None  #: of the last answer
    bytes: int = 0  #: of bodies received, all attempts and ranges together
    attempts: int = 0
    ms: float = 0.0  #: from the first permit to the end
    size_source: str | None = None  #: content_range | content_length | counted
    final_url: str | None = None  #: where redirects led, if there were any
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    opt_out: str | None = None  #: the rule by which a host opts out of machine learning

    def json(self) -> dict[str, Any]:
        """The record's `fetch` object."""
        fetch: dict[str, Any] = {
            "status": self.status,
            "bytes": self.bytes,
            "attempts": self.attempts,
            "ms": round(self.ms, 1),
            "size_source": self.size_source,
            "final_url": self.final_url,
            "content_type": self.content_type,
            "etag": self.etag,
            "last_modified": self.last_modified,
        }
        if self.opt_out is not None:
            fetch["opt_out"] = self.opt_out
        return fetch


def _info_json(info: ImageInfo) -> dict[str, Any]:
    known: dict[str, Any] = {
        "image_size": info.image_size,
        "image_dimension": info.image_dimension,
        "image_format": info.image_format,
        "image_mode": info.image_mode,
        "orientation": info.orientation,
        "animated": info.animated,
    }
    if info.sha256 is not None:  # full depth
        known.update(
            sha256=info.sha256,
            phash=info.phash,
            frames=info.frames,
            has_icc=info.has_icc,
            sharpness=info.sharpness,
            brightness=info.brightness,
            contrast=info.contrast,
            colourfulness=info.colourfulness,
        )
    return known


def failure_json(failure: Failure) -> dict[str, Any]:
    """The record's `error` object."""
    error: dict[str, Any] = {
        "code": failure.code.value,
        "stage": failure.code.stage.value,
        "message": failure.message or failure.code.sentence,
    }
    if failure.http_status is not None:
        error["http_status"] = failure.http_status
    error["retryable"] = failure.retryable
    return error


@dataclass(frozen=True, slots=True)
class Record:
    """The answer to one row: facts, or why there are none."""

    index: int
    id: str
    url: str | None
    outcome: ImageInfo | Failure
    fetch: Fetch | None = None  #: None where nothing was fetched
    thumbnail: str | None = None  #: a `data:` URI
    extra: bytes | None = None  #: the manifest's other columns: a JSON object

    def line(self) -> bytes:
        """The record as one NDJSON line."""
        line: dict[str, Any] = {
            "type": "image",
            "index": self.index,
            "id": self.id,
            "url": self.url,
        }
        if isinstance(self.outcome, Failure):
            line["image_info"] = None
            line["error"] = failure_json(self.outcome)
        else:
            line["image_info"] = _info_json(self.outcome)
        if self.thumbnail is not None:
            line["thumbnail"] = self.thumbnail
        if self.extra is not None:
            line["extra"] = orjson.Fragment(self.extra)
        line["fetch"] = self.fetch.json() if self.fetch is not None else None
        return encode_line(line)

    def keyed(self) -> bytes:
        """`"id":{…}` as the predecessor's one big object has it: three facts, or a sentence."""
        pair: dict[str, Any] = {"url": self.url}
        if isinstance(self.outcome, Failure):
            pair["image_info"] = ""
            pair["error"] = self.outcome.message or self.outcome.code.sentence
        else:
            pair["image_info"] = {
                "image_size": self.outcome.image_size,
                "image_dimension": self.outcome.image_dimension,
                "image_format": self.outcome.image_format,
            }
        try:
            key = orjson.dumps(self.id)
        except TypeError:
            key = _escaped(self.id)
        return key + b":" + encode_line(pair).rstrip(b"\n")


@dataclass(slots=True)
class Summary:
    """What a stream's records add up to. `rows` counts records written."""

    rows: int = 0
    ok: int = 0
    bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    http_statuses: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Records without facts."""
        return self.rows - self.ok

    def count(self, record: Record) -> None:
        """Add one record."""
        self.rows += 1
        if record.fetch is not None:
            self.bytes += record.fetch.bytes
        if isinstance(record.outcome, Failure):
            self.errors[record.outcome.code.value] += 1
            if record.outcome.code is ErrorCode.HTTP_STATUS:
                self.http_statuses[str(record.outcome.http_status)] += 1
        else:
            self.ok += 1

    def line(
        self,
        *,
        seconds: float,
        manifest_sha256: str | None = None,
        reason: str | None = None,
        cursor: str | None = None,
    ) -> builtins.bytes:
        """The last line of a stream: complete unless there is a *reason* why not.

        Of a job's results the *cursor* tells where to read on.
        """
        line: dict[str, Any] = {
            "type": "summary",
            "rows": self.rows,
            "ok": self.ok,
            "failed": self.failed,
            "errors": dict(self.errors.most_common()),
            "http_statuses": dict(self.http_statuses.most_common()),
            "bytes": self.bytes,
            "seconds": round(seconds, 3),
            "manifest_sha256": manifest_sha256,
            "complete": reason is None,
        }
        if reason is not None:
            line["reason"] = reason
        if cursor is not None:
            line["cursor"] = cursor
        return encode_line(line)


def start_line(
    *, kind: str, manifest: str | None, options: dict[str, Any], job: str | None = None
) -> bytes:
    """The first line of a stream, or of the results of a *job*."""
    return encode_line(
        {
            "type": "start",
            "schema": SCHEMA,
            "kind": kind,
            "job": job,
            "manifest": manifest,
            "options": options,
        }
    )


def progress_line(summary: Summary, *, cursor: str | None = None) -> bytes:
    """A line that keeps an idle stream alive; in a job's results, the place reached in them."""
    line: dict[str, Any] = {"type": "progress", "done": summary.rows, "failed": summary.failed}
    if cursor is not None:
        line["cursor"] = cursor
    return encode_line(line)
