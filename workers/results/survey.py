"""A result file looked through: what it is of, which rows it answers, and whether it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from workers.errors import ResultError
from workers.lines import LINE_TYPES, SCHEMA
from workers.results.indexes import Indexes
from workers.results.recorded import Recorded, read_line
from workers.summary import Summary

__all__ = ["MAX_RECORD_BYTES", "Survey", "records", "survey"]

#: The line of a batch with its array in it has up to some 70 MB.
MAX_RECORD_BYTES = 256 * 1024 * 1024

_BEGINNING = b'{"type":"start"'


@dataclass(slots=True)
class Survey:
    """What stands in a result file."""

    start: dict[str, Any] | None = None  #: None where not even that line is whole
    done: Indexes = field(default_factory=Indexes)  #: rows that have their record
    summary: Summary = field(default_factory=Summary)  #: of these
    told: dict[str, Any] | None = None  #: its last line, where that is a summary
    end: int = 0  #: where the summary begins, or what is torn, or the file ends
    size: int = 0  #: bytes looked at
    odd: bool = False  #: there are lines to be left out where it is written on: see `keep`
    cancelled: int = 0  #: rows that were cut off, and have no answer
    twice: int | None = None  #: a row that is recorded more than once, if one is

    @property
    def torn(self) -> bool:
        """Whether its end was cut within a line."""
        return self.told is None and self.end < self.size

    @property
    def complete(self) -> bool:
        """Whether it says of itself that nothing is missing."""
        return self.told is not None and self.told.get("complete") is True

    @property
    def whole(self) -> bool:
        """Whether that is so, as far as its records tell."""
        counted = self.told is not None and self.told.get("rows") == self.summary.rows
        return self.complete and counted and not self.cancelled and self.twice is None


def survey(file: IO[bytes], seen: Callable[[Recorded], None] | None = None) -> Survey:
    """Read *file* from its beginning; *seen* is called for each record that counts:
    the first of a row.

    A last line that is not whole is what a killed process leaves: it is told, not an error. Behind
    a summary it makes that none. Records of rows that were cancelled are no answers: `odd` tells
    that there are some.

    Raises:
        ResultError: it is not a result file, or damaged before its end; the line is named.
    """
    found = Survey()
    number = 0
    broken: tuple[int, str] | None = None
    for number, line in enumerate(_lines(file), 1):
        if broken is not None:
            raise ResultError(f"line {broken[0]}: {broken[1]}")
        found.size += len(line)
        whole = line.endswith(b"\n")
        if number == 1:
            if not whole and _is_torn(line):
                return found
            found.start = _started(line)
        elif not whole:
            found.told = None
            return found
        else:
            try:
                _take(found, line, seen)
            except ResultError as exc:  # unless it is the last: a disk that was full, a lost end
                broken = (number, str(exc))
                continue
        if found.told is None:
            found.end = found.size
    if broken is not None:
        found.told = None
    return found


def records(file: IO[bytes], end: int, *, cancelled: bool = False) -> Iterator[Recorded]:
    """The records of a file that was surveyed, up to the offset *end*; those that were cancelled
    are left out, if not asked for.
    """
    at = 0
    for line in _lines(file):
        at += len(line)
        if at > end or not line.endswith(b"\n"):
            return
        said = read_line(line)
        if said["type"] in ("image", "batch"):
            record = Recorded(line, said)
            if cancelled or not record.cancelled:
                yield record


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_RECORD_BYTES):
        if len(line) == MAX_RECORD_BYTES:
            raise ResultError(f"a line of more than {MAX_RECORD_BYTES} bytes")
        yield line


def _is_torn(line: bytes) -> bool:
    """Whether that is what there may be of a first line. What a machine lost, when its power went,
    are zero bytes.
    """
    line = line.rstrip(b"\0")
    return _BEGINNING.startswith(line) or line.startswith(_BEGINNING)


def _started(line: bytes) -> dict[str, Any]:
    try:
        said = read_line(line)
    except ResultError as exc:
        raise ResultError(f"not a result file: its first line is {exc}") from exc
    if said["type"] != "start" or str(said.get("kind")) not in LINE_TYPES:
        raise ResultError("not a result file: its first line is no start line")
    if said.get("schema") != SCHEMA:
        raise ResultError(f"written by another version: its schema is {said.get('schema')!r}")
    return said


def _take(found: Survey, line: bytes, seen: Callable[[Recorded], None] | None) -> None:
    said = read_line(line)
    kind = said["type"]
    if found.told is not None:
        raise ResultError("there is more behind the summary")
    if kind == "summary":
        found.told = said
    elif kind in LINE_TYPES.values():
        record = Recorded(line, said)
        if record.cancelled:
            found.odd = True
            found.cancelled += record.width
            return
        indexes = _indexes(record)
        if len(set(indexes)) < len(indexes):
            raise ResultError("a batch that has a row twice")
        if (again := next((i for i in indexes if i in found.done), None)) is not None:
            found.twice, found.odd = again, True
            return
        for index in indexes:
            found.done.add(index)
        found.summary.count(record)
        if seen is not None:
            seen(record)
    elif kind != "progress":
        raise ResultError(f"a line of the type {kind[:40]!r}")
    else:
        found.odd = True


def _indexes(record: Recorded) -> list[int]:
    return [row["index"] for row in record.rows]
