"""The answer to one row, and how its bytes were got."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from imaging.facts import Failure, ImageInfo
from workers.changes import Change, Earlier
from workers.lines import encode_line, encode_value

__all__ = ["Answered", "Fetch", "Record", "failure_json"]


@dataclass(slots=True)
class Fetch:
    """How a row's bytes were got. Filled in as the download goes; None is unknown."""

    status: int | None = None  #: of the last answer
    bytes: int = 0  #: of bodies received, all attempts and ranges together
    attempts: int = 0
    requests: int = 0  #: sent to hosts, of all attempts: redirects and further ranges count too
    ms: float = 0.0  #: from the first permit to the end
    size_source: str | None = None  #: content_range | content_length | counted
    final_url: str | None = None  #: where redirects led, if there were any
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    opt_out: str | None = None  #: the rule by which a host opts out of machine learning
    same_as: int | None = None  #: the row its URL was fetched for, where that was another
    suspect_placeholder: bool = False  #: many URLs of its host have these same bytes

    def json(self) -> dict[str, Any]:
        """The record's `fetch` object."""
        fetch: dict[str, Any] = {
            "status": self.status,
            "bytes": self.bytes,
            "attempts": self.attempts,
            "requests": self.requests,
            "ms": round(self.ms, 1),
            "size_source": self.size_source,
            "final_url": self.final_url,
            "content_type": self.content_type,
            "etag": self.etag,
            "last_modified": self.last_modified,
        }
        if self.opt_out is not None:
            fetch["opt_out"] = self.opt_out
        if self.same_as is not None:
            fetch["same_as"] = self.same_as
        if self.suspect_placeholder:
            fetch["suspect_placeholder"] = True
        return fetch


class Answered(NamedTuple):
    """What one row came to, as it is counted."""

    #: Of the row. (A tuple, as one is made for every row.)
    index: int  # type: ignore[assignment]
    url: str | None  #: as it is told
    failure: Failure | None  #: why it failed, if it did
    fetch: Fetch | None
    change: str | None = None  #: what a re-census found: unchanged, changed, gone


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


def _outcome_json(outcome: ImageInfo | Failure) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return {"image_info": None, "error": failure_json(outcome)}
    return {"image_info": _info_json(outcome)}


def _change_json(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"change": change.verdict}
    if change.what:
        told["changed"] = dict(change.what)
    if change.kept is not None:
        told["before"] = _earlier_json(change.kept)
    return told


def _earlier_json(earlier: Earlier) -> dict[str, Any]:
    """As much of the earlier record as `earlier_of` reads."""
    fetch: dict[str, Any] = {
        "final_url": earlier.final_url,
        "etag": earlier.etag,
        "last_modified": earlier.last_modified,
    }
    if earlier.opt_out is not None:
        fetch["opt_out"] = earlier.opt_out
    return {**_outcome_json(earlier.outcome), "fetch": fetch}


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
    change: Change | None = None  #: of a re-census: since the earlier one

    @property
    def width(self) -> int:
        """How many rows it answers."""
        return 1

    def answers(self) -> Iterator[Answered]:
        """What to count."""
        failure = self.outcome if isinstance(self.outcome, Failure) else None
        verdict = self.change.verdict if self.change is not None else None
        yield Answered(self.index, self.url, failure, self.fetch, verdict)

    def line(self) -> bytes:
        """The record as one NDJSON line."""
        line: dict[str, Any] = {
            "type": "image",
            "index": self.index,
            "id": self.id,
            "url": self.url,
        }
        line |= _outcome_json(self.outcome)
        if self.thumbnail is not None:
            line["thumbnail"] = self.thumbnail
        if self.extra is not None:
            line["extra"] = orjson.Fragment(self.extra)
        if self.change is not None:
            line |= _change_json(self.change)
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
        return encode_value(self.id) + b":" + encode_value(pair)
