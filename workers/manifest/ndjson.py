"""JSON values → rows, a value a line or an element of an array."""

from __future__ import annotations

import json
from typing import Any

import orjson

from workers.manifest.lines import MAX_BATCH_BYTES, MAX_LINE_BYTES, Line
from workers.manifest.objects import batch_items, batch_row, is_report, object_row
from workers.manifest.rows import TOO_LONG, Row, bad_row

__all__ = ["JsonReader"]

#: More of them in one row take longer to read than others should wait.
MAX_CONTAINERS = 4096
#: Of a batch line so many, which has up to 1024 rows.
MAX_BATCH_CONTAINERS = 65_536

#: As a batch line of ours has at most.
MAX_BATCH_ROWS = 1024

_TOO_LONG = f"{TOO_LONG}, or {MAX_BATCH_BYTES} of a batch line, as one with pixels may be"
_BATCH = b'{"type":"batch","batch":'

_ARRAY = "not a JSON value of one line: an array of rows is taken from a file named .json"


class JsonReader:
    """Reads each line as one JSON value.

    Our own answers can be read again: their records are rows, one each or, of a batch line,
    several; their other lines are not.
    """

    def __init__(self, *, extra: bool = False) -> None:
        self._extra = extra
        self._index = 0

    def read(self, line: Line) -> Row | list[Row] | None:
        """The row in *line*, those of a batch line, or None for a blank line or a report."""
        text, end = line
        if text is None:
            return self._counted(bad_row(self._index, end, _TOO_LONG))
        most = MAX_BATCH_CONTAINERS if text.startswith(_BATCH) else MAX_CONTAINERS
        if text.count(b"[") + text.count(b"{") > most:
            told = f"more than {most} objects and lists in one line"
            array = text.lstrip()[:1] == b"["
            return self._counted(bad_row(self._index, end, _ARRAY if array else told))
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as exc:
            if not text.strip():
                return None
            return self._counted(bad_row(self._index, end, _told(text, exc)))
        if is_report(value):
            return None
        if (items := batch_items(value)) is not None:
            if len(items) > MAX_BATCH_ROWS:
                told = f"a batch line of more than {MAX_BATCH_ROWS} rows"
                return self._counted(bad_row(self._index, end, told))
            return self._batch(items, end) if items else None
        if len(text) > MAX_LINE_BYTES:
            return self._counted(bad_row(self._index, end, _TOO_LONG))
        row = object_row(
            self._index, end, value, extra=self._extra, written=lambda: _spelled_id(text)
        )
        return self._counted(row)

    def count_from(self, index: int) -> None:
        """Number the next row *index*."""
        self._index = index

    def _batch(self, items: list[Any], end: int) -> list[Row]:
        """The rows of a batch line, of which only the last ends with it."""
        last = len(items) - 1
        return [
            self._counted(
                batch_row(self._index, end if at == last else -1, item, extra=self._extra)
            )
            for at, item in enumerate(items)
        ]

    def _counted(self, row: Row) -> Row:
        self._index += 1
        return row


class _Spelled(str):
    """A number as it was written."""

    __slots__ = ()


def _spelled_id(text: bytes) -> str | None:
    """The `id` of an object, where it is a number, as it was written."""
    try:
        found: Any = json.loads(text, parse_float=_Spelled, parse_int=_Spelled)
    except (ValueError, RecursionError):
        return None
    for name in sorted(found, key=lambda key: key != "id"):
        if name.strip().lower() == "id" and isinstance(found[name], _Spelled):
            return str(found[name])
    return None


def _told(text: bytes, exc: orjson.JSONDecodeError) -> str:
    start = text.lstrip()[:1]
    if start == b"[":
        return _ARRAY
    if start == b"{":
        return f"not JSON: {exc.msg}"
    return f"not JSON, nor a URL in quotes: {exc.msg}"
