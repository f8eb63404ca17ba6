"""Records → a table, a row group at a time: into a file, or as bytes to be taken for a stream.

What is held is one row group, whatever the number of rows. A table that was not finished is none:
a Parquet file has its footer last. A row group takes tens of milliseconds: not in an event loop.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

from workers.tables.cells import Cells, read_record
from workers.tables.formats import Format, check_writable
from workers.tables.frames import Frames

if TYPE_CHECKING:
    import pandas

__all__ = ["GROUP_CHARACTERS", "GROUP_ROWS", "TableWriter", "open_table"]

#: A row group has so many rows,
GROUP_ROWS = 16_384
#: or is written when there is so much text in it.
GROUP_CHARACTERS = 8 * 1024 * 1024

#: In the metadata of a Parquet file: the first and the last line of what it was made of.
_START, _SUMMARY = "imagecensus.start", "imagecensus.summary"
#: Their values may be long, and nobody looks for a range of them.
_WITHOUT_STATISTICS = frozenset({"thumbnail", "prediction", "extra", "changed", "before"})


def open_table(table: Format, kind: str, out: IO[bytes] | None = None) -> TableWriter:
    """A table of the records of one *kind*, written into *out*, or else to be taken.

    Raises:
        TableError: pandas or pyarrow is not installed.
        OSError: *out* takes no bytes.
    """
    check_writable()
    return (_Parquet if table is Format.PARQUET else _Csv)(kind, out)


class TableWriter(ABC):
    """One table. After an exception it can only be closed."""

    def __init__(self, kind: str, out: IO[bytes] | None) -> None:
        self._cells = Cells(kind)
        self._frames = Frames(self._cells.columns)
        self._sink = _Sink(out)
        self._group: list[list[Any]] = []
        self._characters = 0
        self.rows = 0  #: taken in
        self._begin()

    def write(self, lines: bytes | Iterable[bytes]) -> None:
        """Take in whole lines, records all of them: one text of many, or a line each.

        Raises:
            ResultError: one is no record, or of another kind.
            OSError: the file takes no more.
        """
        for line in lines.splitlines() if isinstance(lines, bytes) else lines:
            self.add(read_record(line))

    def add(self, said: dict[str, Any]) -> None:
        """Take in one record, as `cells.read_record` reads it. Raises as `write`."""
        for row in self._cells.rows(said):
            self._group.append(row)
            self._characters += self._cells.weight(row)
            self.rows += 1
            if len(self._group) >= GROUP_ROWS or self._characters >= GROUP_CHARACTERS:
                self.flush()

    def flush(self) -> None:
        """Write what was taken in, a full group or not. Raises OSError."""
        if self._group:
            frame = self._frames.frame(self._group)
            self._group, self._characters = [], 0
            self._put(frame)

    def finish(self, start: bytes, summary: bytes | None) -> None:
        """Write the rest. *start* and *summary* are the lines around the records; the latter is
        None where it is missing. Raises OSError.
        """
        self.flush()
        self._end(start, summary)

    def take(self) -> bytes:
        """The bytes written since the last time, where there is no file."""
        return self._sink.take()

    def close(self) -> None:
        """Let go of it, finished or not: nothing more is written. Does not raise."""
        self._sink.dead = True
        self._let_go()

    @abstractmethod
    def _begin(self) -> None:
        """Write what comes first."""

    @abstractmethod
    def _put(self, frame: pandas.DataFrame) -> None:
        """Write a row group."""

    @abstractmethod
    def _end(self, start: bytes, summary: bytes | None) -> None:
        """Write what comes last."""

    @abstractmethod
    def _let_go(self) -> None:
        """Close what is open."""


class _Parquet(TableWriter):
    """zstd; each group is a row group of the file."""

    def _begin(self) -> None:
        from pyarrow import parquet

        names = [column.name for column in self._cells.columns]
        self._writer: Any = parquet.ParquetWriter(
            self._sink,
            self._frames.schema,
            compression="zstd",
            write_statistics=[name for name in names if name not in _WITHOUT_STATISTICS],
        )

    def _put(self, frame: pandas.DataFrame) -> None:
        self._writer.write_table(self._frames.table(frame), row_group_size=len(frame))

    def _end(self, start: bytes, summary: bytes | None) -> None:
        told = {_START: start} if summary is None else {_START: start, _SUMMARY: summary}
        self._writer.add_key_value_metadata({name: line.strip() for name, line in told.items()})
        self._writer.close()

    def _let_go(self) -> None:
        self._writer.close()


class _Csv(TableWriter):
    """RFC 4180 in UTF-8, a line feed behind each row; null is an empty cell."""

    def _begin(self) -> None:
        self._header = True
        self._put(self._frames.frame([]))
        self._header = False

    def _put(self, frame: pandas.DataFrame) -> None:
        rows = _Rows()
        frame.to_csv(rows, index=False, header=self._header, lineterminator="\r\n")
        # At a NUL a text would end, for readers written in C.
        self._sink.write(rows.getvalue().replace("\0", "\ufffd").encode())

    def _end(self, start: bytes, summary: bytes | None) -> None:
        pass  # rows are all there is

    def _let_go(self) -> None:
        pass


class _Rows(io.StringIO):
    """Takes rows of `csv` one by one and ends each with a line feed.

    `csv` quotes a cell with a line break in it where that is one that ends rows. Told to end them
    with CR LF it quotes both, and no cell ends a row.
    """

    def __init__(self) -> None:
        super().__init__(newline="")  # line breaks stay as they are

    def write(self, row: str) -> int:
        """One row."""
        return super().write(row.removesuffix("\r\n") + "\n")


class _Sink:
    """What pyarrow takes for a file: bytes go into *out*, or are kept until they are taken."""

    closed = False

    def __init__(self, out: IO[bytes] | None) -> None:
        self._out = out
        self._kept: list[bytes] = []
        self._written = 0
        self.dead = False  #: takes everything, and does nothing with it

    def write(self, data: bytes) -> int:
        """All of *data*. Raises OSError."""
        if not self.dead:
            if self._out is None:
                self._kept.append(bytes(data))
            else:
                self._out.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._written

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Whoever opened the file closes it."""

    def take(self) -> bytes:
        """What was kept."""
        data, self._kept = b"".join(self._kept), []
        return data
