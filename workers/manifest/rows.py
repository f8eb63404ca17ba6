"""What every kind of manifest is read into: `Row`s, one for each entry whatever is wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple, Protocol

import orjson

from imaging.facts import ErrorCode, Failure
from workers.changes import Earlier
from workers.manifest.lines import MAX_LINE_BYTES, Line

__all__ = [
    "MAX_EXTRA_BYTES",
    "TOO_LONG",
    "Reader",
    "Resume",
    "Row",
    "Source",
    "bad_row",
    "extra_json",
]

#: More text than this beside one URL, as JSON, is a bad row: records of a whole window are held.
MAX_EXTRA_BYTES = 64 * 1024

TOO_LONG = f"the line is longer than {MAX_LINE_BYTES} bytes"


class Row(NamedTuple):
    """One entry of the manifest; `index` is its identity."""

    #: 0-based data row. (A tuple, as making a frozen dataclass takes a third of the reading.)
    index: int  # type: ignore[assignment]
    id: str  #: as written; the index where none is
    url: str | None  #: None where the row could not be read so far
    #: Where to read on behind this row: the offset in the manifest, inflated, of the byte behind
    #: it and its separator; in Parquet, how many rows end with it. -1 within a line of several
    #: rows: from the start, passing over those that were given.
    end: int = 0
    problem: Failure | None = None  #: why the row cannot be worked on
    extra: bytes | None = None  #: the other columns, where they were asked for: a JSON object
    before: Earlier | None = None  #: what an earlier census found, where this one looks again


class Resume(NamedTuple):
    """Where to read on: behind the last row that was given."""

    rows: int  #: how many were given: the index of that row, and one
    end: int  #: its `Row.end`


class Source(Protocol):
    """Where the bytes of a manifest come from."""

    name: str  #: as the client named it

    def blocks(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The manifest's bytes, inflated, from offset *start*, in blocks of any size, also none.

        Raises:
            ManifestError: when they cannot be read on, or are fewer than *start*.
        """
        ...

    async def whole(self) -> int:
        """A descriptor to read the bytes as stored, once all are there; not to be closed.

        Raises:
            ManifestError: they did not all come.
        """
        ...

    @property
    def sha256(self) -> str | None:
        """Of the bytes as stored, once all have been read."""
        ...


class Reader(Protocol):
    """Reads lines of one kind; numbers the rows as it goes."""

    def read(self, line: Line) -> Row | list[Row] | None:
        """The row in *line*, or a list of those in it, at least one; None where it is no row.

        Does not raise.
        """
        ...

    def count_from(self, index: int) -> None:
        """Number the next row *index*, once a row was read."""
        ...


def bad_row(index: int, end: int, message: str, identity: str = "") -> Row:
    """A row that could not be read, and why."""
    problem = Failure(ErrorCode.BAD_ROW, message)
    return Row(index, identity[:200] or str(index), None, end, problem)


def extra_json(members: dict[str, Any]) -> bytes:
    """The other columns as JSON. Raises ValueError for such as cannot be passed on."""
    try:
        found = orjson.dumps(members, default=str)
    except TypeError as exc:  # nested deeper than it writes
        raise ValueError(f"the other columns cannot be passed on: {exc}") from exc
    if len(found) > MAX_EXTRA_BYTES:
        told = f"the other columns are {len(found)} bytes of JSON, more than {MAX_EXTRA_BYTES}"
        raise ValueError(told)
    return found
