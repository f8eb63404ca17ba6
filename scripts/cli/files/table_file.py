"""A table that is written while its records come, and has its name when it can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from scripts.cli.files.new_file import NewFile
from scripts.cli.files.result_file import CannotWrite, ResultFile
from workers.results.survey import records
from workers.tables.formats import Format
from workers.tables.writing import TableWriter, open_table

__all__ = ["TableFile"]


class TableFile:
    """The table *path*. Nothing of it is there until it is finished, then all of it is at once."""

    def __init__(self, path: Path, form: Format, kind: str) -> None:
        """Raises Refused, TableError."""
        self._new = NewFile(path)
        try:
            self._writer: TableWriter = open_table(form, kind, self._new.file)
        except BaseException:
            self._new.discard()
            raise

    async def begin(self, lines: ResultFile | None) -> None:
        """Take in what was recorded before."""
        if lines is not None:
            await self._doing(lambda: self._recorded(lines))

    async def write(self, lines: bytes) -> None:
        """Take in whole lines, records all of them. Raises CannotWrite."""
        await self._doing(lambda: self._writer.write(lines))

    async def finish(self, start: bytes, summary: bytes) -> None:
        """Write the rest, and give it its name. Raises CannotWrite."""
        await self._doing(lambda: self._end(start, summary))

    def close(self) -> None:
        """What was not finished is no table, and is removed."""
        self._writer.close()
        self._new.discard()

    async def _doing(self, step: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(step)
        except OSError as exc:
            raise CannotWrite(f"cannot write {self._new.beside}: {exc.strerror}") from exc

    def _recorded(self, lines: ResultFile) -> None:
        with lines.reading() as file:
            for record in records(file, lines.size):
                self._writer.write([record.text])

    def _end(self, start: bytes, summary: bytes) -> None:
        self._writer.finish(start, summary)
        self._new.settle()
