"""One run: rows in, lines out, counted, until the manifest ends or something ends it early."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any, Protocol

from imaging.facts import ErrorCode, ImageInfo
from scripts.cli.progress import Figures, leave_terminal
from scripts.cli.runs.budgets import Spending
from workers.errors import ManifestError, PredictorAway, PredictorLost
from workers.flow import Flow
from workers.manifest.rows import Row
from workers.records import Answered, Record
from workers.results.indexes import Indexes
from workers.summary import Answering, Summary

__all__ = ["Census", "Lines"]

#: A budget of time is looked at so often while nothing comes.
_LOOK_SECONDS = 0.25
#: Whoever reads has so long for the last lines.
_GRACE_SECONDS = 1.5


class Lines(Protocol):
    """Where lines go."""

    async def write(self, lines: bytes) -> None:
        """Write whole lines; with none of them, look whether anybody takes them."""
        ...


class Census:
    """Takes the records of a flow. What it was interrupted by stands in `signal`."""

    def __init__(
        self,
        out: Lines,
        *,
        summary: Summary,
        spending: Spending,
        figures: Figures,
        give_up: Callable[[], None] | None = None,
    ) -> None:
        """*summary* has what was recorded before; it is counted on. *give_up* is called where
        nobody takes the lines a while after the end was asked for.
        """
        self._out = out
        self._summary = summary
        self._spending = spending
        self._figures = figures
        self._give_up = give_up
        self._stopping: asyncio.Task[bool] | None = None
        self._flow: Flow[Any] | None = None
        self._reason: str | None = None
        self.signal: int | None = None
        self.answered = 0  #: rows, in this run
        self.began = time.monotonic()
        figures.rows, figures.failed = summary.rows, summary.failed
        figures.errors = summary.errors

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    async def run(self, opening: AbstractAsyncContextManager[Flow[Any]]) -> str | None:
        """Take and write all records; returns why these are not all, None where they are.

        Raises:
            BrokenOutput, CannotWrite: nobody takes the lines.
        """
        reason = None
        if (left := self._spending.seconds_left) is not None:
            asyncio.get_running_loop().call_later(left + 0.05, self._look_at_budget)
        async with opening as flow:
            self._flow = flow
            if self._reason is not None:
                self._stop(self._reason)
            try:
                async for some in flow.batches(idle=_LOOK_SECONDS):
                    await self._take(some)
                    self._look_at_budget()
            except (ManifestError, PredictorAway, PredictorLost) as exc:
                reason = f"failed: {exc}"
            finally:
                self._flow = None
                if self._stopping is not None:
                    cut = await self._stopping
                    reason = reason or (self._reason if cut else None)
        return reason or self._spending.left_out()

    async def _take(self, records: list[Any]) -> None:
        # Rows under way when it ends are `cancelled`: no answer, and asked for again another day.
        answered = [(record, list(record.answers())) for record in records]
        kept = [(record, answers) for record, answers in answered if not _is_cut(answers)]
        if kept or not records:
            await self._out.write(b"".join([record.line() for record, _ in kept]))
        for record, answers in kept:
            self._count(record, answers)

    def _count(self, record: Answering, answers: Sequence[Answered]) -> None:
        self._summary.count(record)
        self.answered += len(answers)
        figures = self._figures
        for answer in answers:
            self._spending.count(answer)
            if answer.fetch is not None:
                figures.bytes += answer.fetch.bytes
        if isinstance(record, Record) and isinstance(record.outcome, ImageInfo):
            fetch, size = record.fetch, record.outcome.image_size
            if fetch is not None and fetch.same_as is None and size is not None:
                figures.saved = (figures.saved or 0) + max(0, size - fetch.bytes)
        figures.rows, figures.failed = self._summary.rows, self._summary.failed

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end it in order; a second one ends the process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)  # all is written: closing needs no ceremony

    def _interrupt(self, number: int) -> None:
        if self.signal is not None:
            leave_terminal()
            for again in (signal.SIGINT, signal.SIGTERM):
                signal.signal(again, signal.SIG_DFL)
            signal.raise_signal(number)
        self.signal = number
        self._figures.note = "ending; once more ends it at once"
        self._stop("interrupted")

    def _look_at_budget(self) -> None:
        if self._flow is not None and self._stopping is None and (over := self._spending.spent()):
            self._stop(over)

    def _stop(self, reason: str) -> None:
        self._reason = reason
        if self._give_up is not None:
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._give_up)
        if self._flow is not None and self._stopping is None:
            self._stopping = asyncio.create_task(self._flow.stop())


async def without(
    rows: AsyncGenerator[Row, None], done: Indexes, figures: Figures, source: Any
) -> AsyncGenerator[Row, None]:
    """The rows that are not *done*. *figures* learns how many there are, first about, from where
    in its *source* a row ends.
    """
    count = 0
    async with aclosing(rows):
        async for row in rows:
            count += 1
            if count % 256 == 0 and source.plain and source.size and row.end > 0:
                figures.total = max(count, count * source.size // row.end)
            if row.index not in done:
                yield row
    figures.total, figures.estimated = count, False


def _is_cut(answers: Sequence[Answered]) -> bool:
    return any(
        answer.failure is not None and answer.failure.code is ErrorCode.CANCELLED
        for answer in answers
    )
