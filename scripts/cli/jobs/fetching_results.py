"""A job's results, to a file or to standard output, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from scripts.cli import exits
from scripts.cli.exits import Refused
from scripts.cli.files.result_file import ResultFile
from scripts.cli.files.standard_output import StandardOutput
from scripts.cli.jobs.door import Door, Unanswered
from scripts.cli.jobs.jobs_told import findings, plain
from scripts.cli.jobs.joining import Joined, NoResults
from scripts.cli.jobs.left_off import LeftOff, left_off
from scripts.cli.jobs.patience import GoneError, Patience
from scripts.cli.jobs.watching import path_of
from scripts.cli.progress import Figures, shown
from scripts.cli.saying import say

__all__ = ["Fetching"]

#: Ends of an answer that are not the job's: there is another answer to come.
_PASSING = frozenset({"draining", "Redis does not answer"})
#: Rows that a job has no record of are no fault of whoever reads it.
_EARLY = frozenset({"running", "cancelled"})


class Fetching:
    """One fetch, from its first question to the last line."""

    def __init__(
        self,
        door: Door,
        job: str,
        *,
        out: Path | None,
        follow: bool = False,
        resume: bool = False,
        after: str | None = None,
        patience: float = 60.0,
        strict: bool = False,
        quiet: bool = False,
    ) -> None:
        """*out*: None is standard output. *after*: only what is behind that cursor.

        Raises Refused where *job* can be no id of one.
        """
        self._door = door
        self._path = f"{path_of(job)}/results"
        self._job = job
        self._out = out
        self._follow = follow
        self._resume = resume
        self._strict = strict
        self._quiet = quiet or out is None
        self._whole = after is None  # whether every row of the job is to come
        self._joined = Joined(job, after)
        self._sink: ResultFile | StandardOutput | None = None
        self._patience = Patience(patience, say)
        self._figures = Figures(f"results of {plain(job)}")

    async def run(self) -> int:
        """Fetch all of it; returns the exit code.

        Raises:
            Refused: OUT is there already, or is not of this job.
            Denied: there is no such job, or its results are gone.
            GoneError: the server was gone too long, or does not give what it should.
            CannotWrite, BrokenOutput: of where they go.
        """
        try:
            if self._out is not None and not self._opened(self._out):
                say(f"{self._out} is complete already")
                return exits.DONE
            with shown(self._figures, quiet=self._quiet):
                while not await self._answered():
                    pass
            return await self._ended()
        except NoResults as exc:
            raise GoneError(f"{self._door.url}: {exc}") from exc
        finally:
            if self._sink is not None:
                self._sink.close()

    def _opened(self, out: Path) -> bool:
        """Go on with a file that is there; returns whether something is missing in it."""
        if not out.exists() and not out.is_symlink():
            return True  # made when there is something to write
        if not self._resume:
            raise Refused(f"{out} is there already: --resume goes on with it, or name another")
        file = ResultFile.open(out)
        self._sink = file
        try:
            with file.reading() as reading:
                left = left_off(reading)
        except Refused as exc:
            raise Refused(f"{out}: {exc}; it is left as it is") from exc
        if left.job not in (None, self._job):
            told = f"{out} holds the results of {plain(left.job)}, not of {plain(self._job)}"
            raise Refused(f"{told}; it is left as it is")
        if not left.complete:
            self._go_on(file, left)
        return not left.complete

    def _go_on(self, file: ResultFile, left: LeftOff) -> None:
        if left.end < file.size:
            file.cut(left.end)
        self._whole = left.cursor is None
        self._joined = Joined(self._job, left.cursor, begun=left.job is not None)

    async def _answered(self) -> bool:
        """Take one answer, as far as it goes; returns whether it was the last."""
        joined = self._joined
        query = {"follow": "1"} if self._follow else {}
        if joined.cursor is not None:
            query["after"] = joined.cursor
        try:
            async with self._door.opened("GET", self._path, query=query) as response:
                joined.connected()
                self._patience.meet()
                async for data in response.content.iter_any():
                    await self._take(data)
            if joined.summary is None:
                raise Unanswered(f"the connection to {self._door.url} was cut")
            reason = joined.summary.get("reason")
            if reason in _PASSING:
                raise Unanswered(f"{self._door.url}: {reason}")
        except Unanswered as exc:
            self._figures.note = "the connection was cut"
            await self._patience.rest(exc)
            return False
        return True

    async def _take(self, data: bytes) -> None:
        joined = self._joined
        heard = joined.heard
        if lines := joined.take(data):
            await self._write(lines)
        if joined.heard > heard:
            self._patience.renew()
            self._figures.note = ""
        self._figures.rows, self._figures.failed = joined.rows, joined.failed

    async def _write(self, lines: bytes) -> None:
        if self._sink is None:
            self._sink = StandardOutput() if self._out is None else ResultFile.create(self._out)
        sink = self._sink
        writing = asyncio.ensure_future(sink.write(lines))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            if isinstance(sink, StandardOutput):
                sink.close()
            with suppress(Exception):  # whole lines, before the file is closed
                await writing
            raise

    async def _ended(self) -> int:
        """Write the summary, and tell what it says."""
        joined = self._joined
        summary = joined.summary or {}
        complete = summary.get("complete") is True
        rows, failed = (int(summary.get(name) or 0) for name in ("rows", "failed"))
        if complete and self._whole and rows != joined.rows:
            raise NoResults(f"{joined.rows} rows came, and it says that there are {rows}")
        await self._write(joined.last)
        if isinstance(self._sink, ResultFile):
            await self._sink.settle()
        reason = summary.get("reason")
        told = f"{rows:,} rows, {failed:,} failed"
        if not complete:
            told += f"; incomplete: {plain(reason)}"
            if reason == "running":
                told += " (--follow waits for the rest)"
        if self._out is not None and not (self._quiet and complete):
            say(f"{self._out}: {told}")
            for finding in findings(summary):
                say(f"  {finding}")
        elif not complete:
            say(f"imagecensus: {told}")
        if complete:
            return exits.ROWS_FAILED if self._strict and failed else exits.DONE
        return exits.PARTIAL if reason in _EARLY else exits.FAILED
