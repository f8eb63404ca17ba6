"""JSON values → rows, a value a line or an element of an array."""

from __future__ import annotations

import json
from typing import Any

import orjson

from workers.manifest.lines import Line
from workers.manifest.objects import is_report, object_row
from workers.manifest.rows import TOO_LONG, Row, bad_row

__all__ = ["JsonReader"]

#: More of them in one row take longer to read than others should wait.
MAX_CONTAINERS = 4096

_ARRAY = "not a JSON value of one line: an array of rows is taken from a file named .json"


class JsonReader:
    """Reads each line as one JSON value.

    Our own answers can be read again: their records are rows, their other lines are not.
    """

    def __init__(self, *, extra: bool = False) -> None:
        self._extra = extra
        self._index = 0

    def read(self, line: Line) -> Row | None:
        """The row in *line*, or None for a blank line or a report of ours."""
        text, end = line
        if text is None:
            return self._counted(bad_row(self._index, end, TOO_LONG))
        if text.count(b"[") + text.count(b"{") > MAX_CONTAINERS:
            told = f"more than {MAX_CONTAINERS} objects and lists in one row"
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
        row = object_row(
            self._index, end, value, extra=self._extra, written=lambda: _spelled_id(text)
        )
        return self._counted(row)

    def count_from(self, index: int) -> None:
        """Number the next row *index*."""
        self._index = index

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
