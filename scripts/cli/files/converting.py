"""A result file → a table. What goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from scripts.cli import exits
from scripts.cli.exits import Refused
from scripts.cli.files.new_file import NewFile
from scripts.cli.files.reading import reading
from scripts.cli.files.result_file import CannotWrite
from scripts.cli.progress import Figures, failures, shown
from scripts.cli.saying import say
from workers.errors import ResultError, TableError
from workers.interrupts import end_in_order
from workers.lines import LINE_TYPES, SCHEMA
from workers.results.indexes import Indexes
from workers.results.survey import MAX_RECORD_BYTES
from workers.tables import frames
from workers.tables.cells import read_record, rows_of
from workers.tables.formats import Format, check_writable, format_of_name
from workers.tables.writing import open_table

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
        lines = _Lines(file)
        frames.load()
        end_in_order()
        with _terminable():
            new = NewFile(out)
            try:
                with shown(figures, quiet=quiet):
                    _write(lines, new, form, figures)
            finally:
                new.discard()
    rows = f"{figures.rows:,} rows"
    if problems := list(lines.problems(figures.rows)):
        say(f"{source}: {'; '.join(problems)}: {out} has the {rows} that are whole")
        return exits.FAILED
    if not quiet:
        say(f"{out}: {rows}, {failures(figures.errors)}")
    return exits.DONE


def _write(lines: _Lines, new: NewFile, form: Format, figures: Figures) -> None:
    """Raises ResultError, CannotWrite, and Refused where it cannot be read on."""
    with _writing(new):
        table = open_table(form, lines.kind, new.file)
    try:
        for count, record in enumerate(lines.records()):
            with _writing(new):
                table.add(record)
            _count(figures, rows_of(record))
            if count % _TOLD_RECORDS == 0:
                figures.total = lines.expected(figures.rows)
        with _writing(new):
            table.finish(lines.start, lines.summary)
            new.settle()
    finally:
        table.close()


def _count(figures: Figures, rows: list[dict[str, Any]]) -> None:
    figures.rows += len(rows)
    for row in rows:
        if isinstance(error := row.get("error"), dict):
            figures.failed += 1
            figures.errors[str(error.get("code"))] += 1


class _Lines:
    """A result file, read once, line by line."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads the first line. Raises ResultError where that is none of a result file."""
        self._file = file
        self._read = self._said()
        self._number = 0
        self._seen = Indexes()
        self._twice: int | None = None
        self._cut = False
        self._ended: dict[str, Any] | None = None
        self.summary: bytes | None = None  #: the last line, where it was read
        try:
            self.start, said = next(self._read, (b"", {}))
        except ResultError as exc:
            raise ResultError(f"not a result file: {exc}") from exc
        if not said:
            raise ResultError("not a result file: there is no first line that is whole")
        if said["type"] != "start" or str(said.get("kind")) not in LINE_TYPES:
            raise ResultError("not a result file: its first line is no start line")
        if said.get("schema") != SCHEMA:
            raise ResultError(f"written by another version: its schema is {said.get('schema')!r}")
        self.kind: str = said["kind"]

    def records(self) -> Iterator[dict[str, Any]]:
        """Its records; of a row the first. Raises ResultError, naming the line."""
        for line, said in self._read:
            if self._ended is not None:
                raise ResultError(f"line {self._number}: there is more behind the summary")
            if said["type"] == "summary":
                self.summary, self._ended = line, said
            elif said["type"] != "progress":
                indexes = self._indexes(said)
                if (again := next((at for at in indexes if at in self._seen), None)) is None:
                    for index in indexes:
                        self._seen.add(index)
                    yield said
                elif self._twice is None:
                    self._twice = again

    def expected(self, rows: int) -> int | None:
        """About how many rows there are, as so many were read by now; None: it is compressed."""
        if not isinstance(raw := getattr(self._file, "raw", None), io.FileIO):
            return None
        size = os.fstat(raw.fileno()).st_size
        return size * rows // max(1, self._file.tell())

    def problems(self, rows: int) -> Iterator[str]:
        """Why the *rows* in it are not all that there should be."""
        if self._cut:
            yield f"it was cut within line {self._number}"
        elif self._ended is None:
            yield "it was cut: there is no summary"
        elif self._ended.get("complete") is not True:
            yield f"it is not complete: {self._ended.get('reason', 'its summary says no more')}"
        elif (told := self._ended.get("rows")) != rows:
            yield f"its summary counts {told!r} rows"
        if self._twice is not None:
            yield f"row {self._twice} has more than one record"

    def _said(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        while line := self._line(MAX_RECORD_BYTES):
            self._number += 1
            try:
                if len(line) == MAX_RECORD_BYTES:
                    raise ResultError(f"more than {MAX_RECORD_BYTES} bytes")
                said = read_record(line)
            except ResultError as exc:
                if self._line(1):
                    raise ResultError(f"line {self._number}: {exc}") from exc
                self._cut = True  # a killed process, a full disk: only the last line is not whole
                return
            yield line, said

    def _line(self, most: int) -> bytes:
        try:
            return self._file.readline(most)
        except EOFError:  # a gzip file that was cut
            return b""

    def _indexes(self, said: dict[str, Any]) -> list[int]:
        wanted = LINE_TYPES[self.kind]
        try:
            if said["type"] != wanted:
                raise ResultError(f"a line of the type {said['type'][:40]!r}, not {wanted!r}")
            return [row["index"] for row in rows_of(said)]
        except ResultError as exc:
            raise ResultError(f"line {self._number}: {exc}") from exc


@contextmanager
def _writing(new: NewFile) -> Iterator[None]:
    """What goes wrong is of the table, not of what is read."""
    try:
        yield
    except OSError as exc:
        raise CannotWrite(f"cannot write {new.beside}: {exc.strerror or exc}") from exc


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends it like Ctrl-C does: nothing is left behind."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
