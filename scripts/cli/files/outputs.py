"""Where the lines of a run go: a pipe, a result file, or a table with its lines beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from scripts.cli.files.result_file import ResultFile
from scripts.cli.files.standard_output import StandardOutput
from scripts.cli.files.table_file import TableFile
from workers.lines import encode_line
from workers.tables.formats import format_of_name

__all__ = ["Output", "is_table", "lines_of", "open_output"]


class Output(Protocol):
    """Takes a start line, records and a summary."""

    async def begin(self, start: dict[str, Any]) -> None:
        """The first line, where it does not stand there already."""
        ...

    async def write(self, lines: bytes) -> None:
        """Whole lines. Raises CannotWrite, BrokenOutput."""
        ...

    async def finish(self, summary: bytes, *, complete: bool) -> None:
        """The last line."""
        ...

    def give_up(self) -> None:
        """Wait no more for whoever reads: what is not taken by now is lost."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def is_table(out: Path | None) -> bool:
    """Whether *out* is to be a table, by its name."""
    return out is not None and format_of_name(out.name) is not None


def lines_of(out: Path) -> Path:
    """Where the lines of a run into *out* are: of a table beside it, until it is whole."""
    return out.with_name(f"{out.name}.ndjson") if is_table(out) else out


def open_output(out: Path | None, file: ResultFile | None, kind: str) -> Output:
    """Standard output, or *file*, with the table *out* made of it where it is one.

    Raises:
        TableError: what writes tables is not installed.
        CannotWrite: the table cannot be begun.
    """
    if out is None or file is None:
        return _Piped()
    form = format_of_name(out.name)
    return _Kept(file) if form is None else _Tabled(file, TableFile(out, form, kind))


class _Piped:
    """To standard output."""

    def __init__(self) -> None:
        self._out = StandardOutput()

    async def begin(self, start: dict[str, Any]) -> None:
        await self._out.write(encode_line(start))

    async def write(self, lines: bytes) -> None:
        await self._out.write(lines)

    async def finish(self, summary: bytes, *, complete: bool) -> None:  # noqa: ARG002
        await self._out.write(summary)

    def give_up(self) -> None:
        self._out.close()

    def close(self) -> None:
        self._out.close()


class _Kept:
    """Into a result file."""

    def __init__(self, file: ResultFile) -> None:
        self._file = file

    async def begin(self, start: dict[str, Any]) -> None:
        if not self._file.size:
            await self._file.write(encode_line(start))

    async def write(self, lines: bytes) -> None:
        await self._file.write(lines)

    async def finish(self, summary: bytes, *, complete: bool) -> None:  # noqa: ARG002
        await self._file.write(summary)
        await self._file.settle()

    def give_up(self) -> None:
        pass  # a disk is no reader

    def close(self) -> None:
        pass


class _Tabled(_Kept):
    """Into a result file, and row by row into the table that is made of it.

    Until the run is complete both are kept: the table with what it has, the lines to go on with.
    """

    def __init__(self, file: ResultFile, table: TableFile) -> None:
        super().__init__(file)
        self._table = table
        self._start = b""

    async def begin(self, start: dict[str, Any]) -> None:
        begun = self._file.size > 0
        await super().begin(start)
        self._start = encode_line(start)
        await self._table.begin(self._file if begun else None)

    async def write(self, lines: bytes) -> None:
        await super().write(lines)
        await self._table.write(lines)

    async def finish(self, summary: bytes, *, complete: bool) -> None:
        await super().finish(summary, complete=complete)
        await self._table.finish(self._start, summary)
        if complete:
            self._file.remove()

    def close(self) -> None:
        self._table.close()
