"""A record's line → the cells of its rows, each of the type of its column or null.

Only a line that is no record is an error. In one that is, a value of another type than its column's
is null, or its JSON where the column holds text, and one row stays one row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson

from workers.errors import ResultError
from workers.lines import LINE_TYPES, encode_value
from workers.results.recorded import MAX_INDEX
from workers.tables.columns import COLUMNS, Column

__all__ = ["Cells", "read_record", "rows_of", "typed"]

#: An integer that 64 bits may not hold: orjson would round it. What is passed through is not ours.
_LONG_NUMBER = re.compile(rb"\d{19}")

#: Characters of a row that are in no column of long texts.
_SHORT_TEXTS = 256

_EMPTY: dict[Any, Any] = {}


def read_record(line: bytes) -> dict[str, Any]:
    """One line as the object it holds; what no text can hold (lone surrogates) is U+FFFD.

    Raises:
        ResultError: it is not JSON, or not an object with a type.
    """
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        said = _mended(line, exc)
    else:
        if (b'"extra"' in line or b'"prediction"' in line) and _LONG_NUMBER.search(line):
            said = _exact(line)
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise ResultError("not a line of a result file: it has no type")
    return said


def _exact(line: bytes) -> Any:
    """With every digit of its numbers. Raises ResultError."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise ResultError("nested deeper, or with longer numbers, than is read") from exc


def _mended(line: bytes, refused: orjson.JSONDecodeError) -> Any:
    """What the standard library makes of it, which takes lone surrogates. Raises ResultError."""
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        raise ResultError(f"not JSON: {refused.msg}") from refused


def rows_of(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a record: itself, or those of a batch.

    Raises:
        ResultError: there is none, or one has no index: nobody could tell which row it is.
    """
    rows = said.get("rows") if said["type"] == "batch" else [said]
    if not isinstance(rows, list) or not rows:
        raise ResultError("a batch without rows")
    for row in rows:
        index = row.get("index") if isinstance(row, dict) else None
        if type(index) is not int or not 0 <= index < MAX_INDEX:
            raise ResultError("a record without the index of its row")
    return rows


class Cells:
    """Reads the records of one kind, as they are; `typed` makes a column of what comes."""

    def __init__(self, kind: str) -> None:
        self.columns = COLUMNS[kind]
        self._type = LINE_TYPES[kind]
        places = [column.member.rpartition(".") for column in self.columns]
        self._plan = [
            (section, [key for _, _, key in some])
            for section, some in groupby(places, key=itemgetter(0))
        ]
        at = {column.name: place for place, column in enumerate(self.columns)}
        self._json = [at[column.name] for column in self.columns if column.type == "json"]
        self._long = [*self._json, at["url"], *([at["thumbnail"]] if "thumbnail" in at else [])]
        self._prediction = at.get("prediction")
        self._suspect = at.get("fetch_suspect_placeholder")

    def rows(self, said: dict[str, Any]) -> list[list[Any]]:
        """The rows of a record, a cell for each column. Raises ResultError where it is none."""
        if said["type"] != self._type:
            raise ResultError(f"a line of the type {said['type'][:40]!r} among {self._type} lines")
        return [self._row(row, said) for row in rows_of(said)]

    def weight(self, row: list[Any]) -> int:
        """About how many characters of text there are in a row."""
        long = [row[at] for at in self._long]
        return _SHORT_TEXTS + sum([len(text) for text in long if isinstance(text, str)])

    def _row(self, row: dict[str, Any], line: dict[str, Any]) -> list[Any]:
        info, fetch = _object(row.get("image_info")), _object(row.get("fetch"))
        sections = {
            "": row,
            "line": line,
            "image_info": info,
            "image_info.image_dimension": _sides(info.get("image_dimension")),
            "error": _object(row.get("error")),
            "fetch": fetch,
        }
        cells: list[Any] = []
        for section, keys in self._plan:
            cells += map(sections[section].get, keys)
        for at in self._json:
            if cells[at] is not None or (at == self._prediction and "prediction" in row):
                cells[at] = encode_value(cells[at]).decode()
        if self._suspect is not None and cells[self._suspect] is None and fetch:
            cells[self._suspect] = False  # something was fetched, and there is no word of it
        return cells


def typed(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    """*values* of a column, those that are not of its type made so, or null."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return values
    if (bits := _BITS.get(column.arrow)) is not None:
        most = 1 << (bits - 1)
        if kinds == {int} and all(-most <= value < most for value in values if value is not None):
            return values
        return [value if type(value) is int and -most <= value < most else None for value in values]
    if kinds == {_KINDS[column.arrow]}:
        return values
    return list(map(_MADE[column.arrow], values))


def _object(said: object) -> dict[Any, Any]:
    return said if isinstance(said, dict) else _EMPTY


def _sides(said: object) -> dict[Any, Any]:
    return {"0": said[0], "1": said[1]} if isinstance(said, list) and len(said) == 2 else _EMPTY


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else encode_value(value).decode()


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _double(value: object) -> float | None:
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return value if isinstance(value, float) else None


_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_KINDS: dict[str, type] = {"string": str, "bool": bool, "double": float}
_MADE: dict[str, Callable[[Any], Any]] = {"string": _text, "bool": _bool, "double": _double}
