"""A manifest of any kind → its rows, as its bytes come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from workers.errors import ManifestError
from workers.manifest.csv_lines import CsvReader
from workers.manifest.json_array import ArrayCutter
from workers.manifest.kinds import Kind, LookingReader, check_readable, kind_of_name
from workers.manifest.lines import Line, LineCutter
from workers.manifest.ndjson import JsonReader
from workers.manifest.parquet import PARQUET_MAGIC, parquet_rows
from workers.manifest.rows import Reader, Resume, Row, Source
from workers.manifest.tsv import TsvReader

__all__ = ["read_rows"]

#: Lines that are no rows, until others have their turn.
_LINES_IN_A_ROW = 1000

_READERS: dict[Kind, type[TsvReader | CsvReader | JsonReader]] = {
    Kind.TSV: TsvReader,
    Kind.CSV: CsvReader,
    Kind.NDJSON: JsonReader,
}


async def read_rows(
    source: Source,
    *,
    kind: Kind | None = None,
    limit: int | None = None,
    extra: bool = False,
    after: Resume | None = None,
) -> AsyncGenerator[Row, None]:
    """The rows of *source*; at most *limit* of them, with the other columns if *extra*.

    Without *kind* the name of the source tells it, or else how its bytes begin. With *after* the
    rows behind that place, the same as without it; *limit* counts those before as well.

    Raises:
        ManifestError: when the bytes cannot be read on; rows before that were given.
    """
    kind = kind or kind_of_name(source.name)
    check_readable(kind)
    given = after.rows if after is not None else 0
    if limit is not None and limit <= given:
        return
    if after is not None and given and after.end < 0:
        async with aclosing(_passing(source, kind, limit, extra, given)) as rows:
            async for row in rows:
                yield row
        return
    cutter = _Cutter(kind, extra=extra)
    start: int | None = 0 if kind is not Kind.PARQUET else None
    if after is not None and given and start is not None:
        start = await _settled(cutter, source, after)
    if start is not None:
        idle = 0
        async with aclosing(source.blocks(start)) as blocks:
            async for block in blocks:
                lines = cutter.feed(block)
                if cutter.parquet:
                    break
                read = cutter.reader.read
                for line in lines:
                    found = read(line)
                    if isinstance(found, Row):
                        yield found
                        if found.index + 1 == limit:
                            return
                    elif found is not None:
                        for row in found:
                            yield row
                            if row.index + 1 == limit:
                                return
                    elif (idle := idle + 1) % _LINES_IN_A_ROW == 0:
                        await asyncio.sleep(0)
                await asyncio.sleep(0)  # a block may hold no row at all, and many may come at once
        if not cutter.parquet:
            for line in cutter.finish():
                for row in _rows(cutter.reader.read(line)):
                    yield row
                    if row.index + 1 == limit:
                        return
            return
    check_readable(Kind.PARQUET)
    async with aclosing(parquet_rows(source, limit=limit, extra=extra, begin=given)) as rows:
        async for row in rows:
            yield row


async def _passing(
    source: Source, kind: Kind | None, limit: int | None, extra: bool, given: int
) -> AsyncGenerator[Row, None]:
    """The rows behind the first *given*, which end within a line: read from the start."""
    passed = 0
    async with aclosing(read_rows(source, kind=kind, limit=limit, extra=extra)) as rows:
        async for row in rows:
            if row.index >= given:
                yield row
            elif (passed := passed + 1) % _LINES_IN_A_ROW == 0:
                await asyncio.sleep(0)
    if passed < given:
        raise ManifestError(f"the manifest has changed: of {given} rows it has {passed}")


async def _settled(cutter: _Cutter, source: Source, after: Resume) -> int | None:
    """Read the beginning once more: up to the first row, behind which nothing decides how to read.

    Returns the offset from which the cutter is to be fed next, or None where it is Parquet.
    """
    idle = 0
    async with aclosing(source.blocks()) as blocks:
        async for block in blocks:
            lines = cutter.feed(block)
            if cutter.parquet:
                return None
            for line in lines:
                if rows := _rows(cutter.reader.read(line)):
                    return cutter.go_on(rows[-1], after)
                if (idle := idle + 1) % _LINES_IN_A_ROW == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(0)
    for line in cutter.finish():
        if rows := _rows(cutter.reader.read(line)):
            return cutter.go_on(rows[-1], after)
    raise ManifestError("the manifest has changed: of the rows read before there is none")


def _rows(read: Row | list[Row] | None) -> Sequence[Row]:
    """What was read of a line, as rows."""
    if isinstance(read, Row):
        return (read,)
    return read or ()


class _Cutter:
    """Cuts blocks as their kind wants it, and finds that out where it is not known.

    Blanks may come first, any number of them; each way to cut is shown them, and none holds them.
    """

    def __init__(self, kind: Kind | None, *, extra: bool) -> None:
        self._lines = LineCutter()
        self._array = ArrayCutter()
        self._chosen: LineCutter | ArrayCutter | None = None
        self._head = b"" if kind is None else None  # until it is too long for a magic
        self._extra = extra
        self.parquet = False  #: told by its first bytes
        self.reader: Reader
        if kind is None:
            self.reader = LookingReader(extra=extra)
        else:
            self.reader = _READERS.get(kind, JsonReader)(extra=extra)
            if kind is not Kind.JSON:
                self._chosen = self._lines

    def feed(self, block: bytes) -> list[Line]:
        """The lines or elements that *block* completes."""
        if self._head is not None:
            self._head += block
            if len(self._head) < len(PARQUET_MAGIC) and PARQUET_MAGIC.startswith(self._head):
                return []
            block, self._head = self._head, None
            if block.startswith(PARQUET_MAGIC):
                self.parquet = True
                return []
        if self._chosen is None:
            begun = block.lstrip(b" \t\r\n\xef\xbb\xbf")
            if not begun:
                self._array.feed(block)
                self._lines.feed(block)
                return []
            if begun.startswith(b"["):
                self._chosen = self._array
                self.reader = JsonReader(extra=self._extra)
            else:
                self._chosen = self._lines
        return self._chosen.feed(block)

    def go_on(self, first: Row, after: Resume) -> int:
        """Go on behind *after*; returns the offset to feed from.

        The first line with rows was read, *first* being the last of them. Raises ManifestError
        where it ends behind that.
        """
        if first.end > after.end:
            raise ManifestError("the manifest has changed: its first row ends elsewhere")
        self.reader.count_from(after.rows)
        if self._chosen is self._array:  # of the last element the bracket tells that it is the last
            self._chosen = ArrayCutter(start=after.end - 1)
            return after.end - 1
        self._chosen = LineCutter(start=after.end)
        return after.end

    def finish(self) -> list[Line]:
        """What is left at the end."""
        if self._head:
            head, self._head = self._head, None
            return [*self._lines.feed(head), *self._lines.finish()]
        return (self._chosen or self._lines).finish()
