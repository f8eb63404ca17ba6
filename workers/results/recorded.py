"""One record line of a result file, as what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

from imaging.facts import ErrorCode, Failure
from workers.errors import ResultError
from workers.records import Answered, Fetch

__all__ = ["MAX_INDEX", "Recorded", "read_line"]

#: A batch has at most so many.
MAX_ROWS = 1024
#: No manifest has as many rows.
MAX_INDEX = 2**40

_CODES = {code.value: code for code in ErrorCode}
_NO_FETCH: dict[str, Any] = {}


def read_line(line: bytes) -> dict[str, Any]:
    """One line as the object it holds. Raises ResultError where it is none of ours."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        said = _spelled(line)  # a name that is no Unicode was written by the standard library
        if said is None:
            raise ResultError(f"not JSON: {exc.msg}") from exc
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise ResultError("not a line of a result file: it has no type")
    return said


class Recorded:
    """A record of one row (`image`) or of several (`batch`).

    Raises:
        ResultError: it is not; a row in it has no number, an id or a URL that is no text, or an
            error that there is not.
    """

    __slots__ = ("rows", "said", "text")

    def __init__(self, line: bytes, said: dict[str, Any]) -> None:
        self.text = line  #: its break included
        self.said = said
        rows = said.get("rows") if said["type"] == "batch" else [said]
        if not isinstance(rows, list) or not rows:
            raise ResultError("a batch without rows")
        if len(rows) > MAX_ROWS:
            raise ResultError(f"a batch of more than {MAX_ROWS} rows")
        self.rows: list[dict[str, Any]] = rows
        for row in rows:
            index = row.get("index") if isinstance(row, dict) else None
            if type(index) is not int or not 0 <= index < MAX_INDEX:
                raise ResultError("a record without the index of its row")
            if not _is_text(row.get("id")) or not _is_text(row.get("url")):
                raise ResultError(f"the id or the url of row {index} is no text")
            if row.get("error") is not None and _known(_code(row)) is None:
                raise ResultError(f"an error code that there is not: {str(_code(row))[:40]!r}")

    @property
    def index(self) -> int:
        """Of its first row."""
        index: int = self.rows[0]["index"]
        return index

    @property
    def width(self) -> int:
        """How many rows it answers."""
        return len(self.rows)

    @property
    def cancelled(self) -> bool:
        """Whether the work on one of its rows was cut off: that row was not answered."""
        return any(_code(row) == "cancelled" for row in self.rows)

    def line(self) -> bytes:
        """As it stands there."""
        return self.text

    def answers(self) -> Iterator[Answered]:
        """What to count."""
        for row in self.rows:
            yield Answered(row["index"], row.get("url"), _failure(row), _fetch(row), _change(row))


def _spelled(line: bytes) -> Any:
    try:
        return json.loads(line) if b"\\u" in line else None
    except (ValueError, RecursionError):
        return None


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _code(row: dict[str, Any]) -> Any:
    error = row.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _known(code: object) -> ErrorCode | None:
    return _CODES.get(code) if isinstance(code, str) else None


def _failure(row: dict[str, Any]) -> Failure | None:
    code = _known(_code(row))
    if code is None:
        return None
    error = row["error"]
    status = error.get("http_status")
    return Failure(code, str(error.get("message", "")), status if type(status) is int else None)


def _fetch(row: dict[str, Any]) -> Fetch | None:
    said = row.get("fetch")
    if not isinstance(said, dict):
        return None
    received, requests, source = said.get("bytes"), said.get("requests"), said.get("size_source")
    final_url = said.get("final_url")
    return Fetch(
        bytes=received if type(received) is int else 0,
        requests=requests if type(requests) is int else 0,
        size_source=source if isinstance(source, str) else None,
        final_url=final_url if isinstance(final_url, str) else None,
        suspect_placeholder=said.get("suspect_placeholder") is True,
    )


def _change(row: dict[str, Any]) -> str | None:
    change = row.get("change")
    return change if change in ("unchanged", "changed", "gone") else None
