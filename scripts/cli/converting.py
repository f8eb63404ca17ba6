"""A result file → a table. What goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from scripts.cli import exits
from scripts.cli.ending import say
from scripts.cli.exits import Refused
from scripts.cli.new_file import NewFile
from scripts.cli.progress import Figures, failures, shown
from scripts.cli.reading import reading
from scripts.cli.result_file import CannotWrite
from workers.errors import ResultError, TableError
from workers.lines import SCHEMA
from workers.results.indexes import Indexes
from workers.results.survey import MAX_RECORD_BYTES
from workers.tables.cells import read_record
from workers.tables.columns import LINE_TYPES
from workers.tables.formats import Format, check_writable, format_of_name
from workers.tables.writing import TableWriter, open_table

__all__ = ["convert"]

#: The figures are brought up to date behind so many records.
_TOLD_RECORDS = 1024


class _Terminated(BaseException):
    """SIGTERM came."""


def convert(source: Path, out: Path, *, force: bool, quiet: bool) -> int:
    """Make the table *out* of the result file *source*; returns the exit code."""
    try:
        form = _form(out)
        if not force and out.exists():
            raise Refused(f"{out} is there already: --force puts the new one in its place")
        check_writable()
        with _terminable():
            return _convert(source, out, form, quiet=quiet)
    except (Refused, TableError) as exc:
        say(str(exc))
        return exits.REFUSED
    except ResultError as exc:
        say(f"{source}: {exc}")
        return exits.REFUSED
    except CannotWrite as exc:
        say(str(exc))
        return exits.FAILED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except _Terminated:
        return exits.TERMINATED


def _form(out: Path) -> Format:
    form = format_of_name(out.name)
    if form is None:
        raise Refused(f"{out}: the name of a table ends in .parquet or .csv")
    if out.is_dir():
        raise Refused(f"{out} is a folder")
    return form


def _convert(source: Path, out: Path, form: Format, *, quiet: bool) -> int:
    figures = Figures(str(source))
    with reading(source) as file:
        reader = _Reader(file, figures, size=source.stat().st_size)
        new = NewFile(out)
        try:
            with shown(figures, quiet=quiet):
                _write(reader, new, form)
        finally:
            new.discard()
    problems = list(reader.problems())
    if problems:
        told = "; ".join(problems)
        say(f"{source}: {told}. {out} has the {figures.rows:,} rows that are whole")
    elif not quiet:
        say(f"{out}: {figures.rows:,} rows, {failures(figures.errors)}")
    return exits.FAILED if problems else exits.DONE


def _write(reader: _Reader, new: NewFile, form: Format) -> None:
    """Raises ResultError, Refused, CannotWrite."""
    start = reader.start()
    with _writing(new):
        table = open_table(form, reader.kind, new.file)
    try:
        for record in reader.records():
            with _writing(new):
                reader.located(table, record)
        with _writing(new):
            table.finish(start, reader.summary_line)
            new.settle()
    finally:
        table.close()


class _Reader:
    """Reads a result file once, line by line."""

    def __init__(self, file: IO[bytes], figures: Figures, *, size: int) -> None:
        self._file = file
        self._figures = figures
        self._size = size
        self._number = 0
        self._seen = Indexes()
        self._twice: int | None = None
        self._cut = False
        self._summary: dict[str, Any] | None = None
        self.summary_line: bytes | None = None
        self.kind = ""

    def start(self) -> bytes:
        """The first line. Raises ResultError where that is none of a result file."""
        line, said = next(self._lines(), (b"", None))
        if said is None:
            raise ResultError("not a result file, or not even its first line is whole")
        if said["type"] != "start" or said.get("kind") not in LINE_TYPES:
            raise ResultError("not a result file: its first line is no start line")
        if said.get("schema") != SCHEMA:
            raise ResultError(f"written by another version: its schema is {said.get('schema')!r}")
        self.kind = said["kind"]
        return line
