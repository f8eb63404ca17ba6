"""Rows on their way: fed into the lane, fetched, decoded in the pool, answered one by one.

    feed     rows into the lane, while the window has room
    fetch    the lane's tickets, by `fetch.turns`            → ImageInfo | Body | Failure
    decode   bodies in the pool, a chunk at a time           → what the entry point makes of them

A URL that the run asked for already is not asked for again: its rows share the answer (`repeats`).
What becomes of an answered row is for `pipeline` to say. The window counts rows from the feed until
their record was taken, so a reader that stops stops everything behind it, and memory does not
depend on the number of rows.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Generic, Self, TypeVar

from imaging.facts import ErrorCode, Failure
from workers.decoding import Decoding, Entry
from workers.engine import Engine
from workers.fetch.lanes import Body, Lane, Outcome, Ticket
from workers.fetch.targets import Target, parse_target, without_userinfo
from workers.manifest.rows import Row
from workers.outbox import Outbox, Placed
from workers.records import Fetch
from workers.repeats import Answer, Follower, Known, url_key
from workers.tracing.downloads import traced

__all__ = ["WINDOW_PER_CONNECTION", "Flow", "shown_url", "usual_window"]

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Placed)

#: Rows in the window, for each connection there may be.
WINDOW_PER_CONNECTION = 4
#: So many rows are fed before others have their turn.
ROWS_IN_A_ROW = 16


def usual_window(engine: Engine) -> int:
    """Rows under way, as many as keep all connections busy."""
    return WINDOW_PER_CONNECTION * engine.settings.max_connections


class Flow(ABC, Generic[R]):
    """One run over one manifest. Its end is said by whoever takes the records: `stop`, `close`."""

    def __init__(
        self,
        engine: Engine,
        rows: AsyncIterator[Row],
        *,
        outbox: Outbox[R],
        entry: Entry | None,
        timeout: float | None,
        known: Known | None = None,
    ) -> None:
        """Without an *entry* the first bytes of a picture answer its row. *known* is given by a run
        that this is a part of.
        """
        self._engine = engine
        self._rows = rows
        self._outbox = outbox
        self._entry = entry
        self._decoding = Decoding(engine.pool, self._settled, engine.instruments.timings.decode)
        self._tasks: set[asyncio.Task[None]] = set()
        self._part = known is not None
        self._known = engine.repeats.run() if known is None else known
        self.halted = False  #: no further row is begun
        downloads = engine.downloads
        self._lane: Lane = engine.turns.open_lane(
            traced(downloads.header if entry is None else downloads.body),
            self._fetched,
            timeout=timeout or engine.settings.timeout,
        )

    @abstractmethod
    def _answer(self, row: Row, fetch: Fetch | None, outcome: Any) -> None:
        """Take what became of a row: what the entry point made of it, or a Failure."""

    def _judge(self, target: Target, key: bytes, fetch: Fetch, outcome: Any) -> None:
        """Look at what a URL came to, before its row is answered."""

    async def _together(self) -> AsyncGenerator[Sequence[Row], None]:
        """Rows as they are begun: each by itself, or those that need one another."""
        async for row in self._rows:
            yield (row,)

    async def _admit(self, rows: Sequence[Row]) -> None:
        """Count rows in that are begun together, before anything is done for them."""
        for row in rows:
            self._outbox.admit(row.index)

    def _cut(self) -> None:
        """What was begun has its answer; what was not will get none."""

    def start(self) -> Self:
        """Begin; records gather from now on, up to the window."""
        self._run(self._feed())
        if self._entry is not None:
            # One more than slots: its chunk is chosen the moment a slot comes free.
            for _ in range(self._engine.pool.size + 1):
                self._run(self._decoding.run(self._entry))
        return self

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        """A task that fails takes the stream with it: better an end that says so than none."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self.halted = True
        self._outbox.fail(error)
        for other in self._tasks:  # nobody would take what they make
            other.cancel()

    async def batches(self, *, idle: float) -> AsyncIterator[list[R]]:
        """Records, as many at a time as have finished; an empty list each *idle* seconds without.

        Raises:
            ManifestError: behind the last record, if the manifest could not be read on.
            PredictorLost, PredictorAway: at once, if there is nobody any more to predict.
        """
        async for records in self._outbox.batches(idle=idle):
            yield records

    async def stop(self) -> bool:
        """Start no more rows. Those under way become `cancelled`, then `batches` ends.

        Returns whether anything was cut off: not where only the reader was late.
        """
        whole = self._outbox.whole
        for ticket in [*await self._halt(), *self._decoding.drop()]:
            self._answer(ticket.row, ticket.fetch, Failure(ErrorCode.CANCELLED))
        for row, fetch in self._known.leave(self, self._lane):
            self._answer(row, fetch, Failure(ErrorCode.CANCELLED))
        self._cut()
        self._outbox.cut()
        return not whole

    async def close(self) -> None:
        """Cancel everything; nothing is recorded any more."""
        await self._halt()
        self._decoding.drop()
        if not self._outbox.whole:
            self._known.leave(self, self._lane)
        if not self._part:
            self._known.close()

    async def _halt(self) -> list[Ticket]:
        self.halted = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        begun = await self._engine.turns.close_lane(self._lane)
        await asyncio.gather(*tasks, return_exceptions=True)
        return begun

    async def _feed(self) -> None:
        """Rows → tickets in the lane; rows that cannot be fetched → answered at once."""
        outbox, fed = self._outbox, 0
        try:
            async with aclosing(self._together()) as groups:
                async for rows in groups:
                    await self._admit(rows)
                    for row in rows:
                        target = row.problem or _target(row)
                        if isinstance(target, Failure):
                            self._answer(row, None, target)
                        else:
                            self._ask(row, target)
                        fed += 1
                        if fed % ROWS_IN_A_ROW == 0:
                            await asyncio.sleep(0)  # answers are read meanwhile
                    if outbox.full:  # before the next row is read
                        await outbox.room()
        except Exception as exc:  # told to whoever takes the records, behind the last of them
            outbox.end(exc)
        else:
            outbox.end()

    def _ask(self, row: Row, target: Target) -> None:
        """Answer a row with what is known of its URL, have it wait, or fetch it."""
        key = url_key(row.url or "", target)
        # One that is looked at again has a question of its own.
        found = self._known.find(key) if row.before is None else None
        if found is None:
            ticket = Ticket(self._lane, row, target, key)
            if row.before is None:
                self._known.begin(ticket)
            self._engine.turns.add(ticket)
        elif isinstance(found, Answer):
            self.follow(row, target, key, found)
        else:
            found.followers = found.followers or []
            found.followers.append(Follower(self, row, target))

    def lead(self, row: Row, target: Target, key: bytes, followers: list[Follower]) -> None:
        """Fetch for a row that waited for another flow, which has ended, and for others."""
        ticket = Ticket(self._lane, row, target, key)
        ticket.followers = followers
        self._known.begin(ticket)
        self._engine.turns.add(ticket)

    def follow(self, row: Row, target: Target, key: bytes, answer: Answer) -> None:
        """Answer a row as that one was which its URL was fetched for. Does not raise."""
        try:
            fetch = answer.again(row.index)
            self._judge(target, key, fetch, answer.outcome)
            self._answer(row, fetch, answer.outcome)
        except Exception as exc:  # a bug, that must not cost other flows their rows
            self._failed(exc)

    def _settled(self, ticket: Ticket, outcome: Any) -> None:
        """Answer a row that was fetched, then those that waited for it."""
        try:
            self._judge(ticket.target, ticket.key, ticket.fetch, outcome)
            self._answer(ticket.row, ticket.fetch, outcome)
        finally:
            self._known.settle(ticket, outcome)

    def _fetched(self, ticket: Ticket, outcome: Outcome) -> None:
        if isinstance(outcome, Body):
            self._decoding.add(ticket, outcome)
        else:
            self._settled(ticket, outcome)


def shown_url(row: Row) -> str | None:
    """The URL of a row as records tell it."""
    return None if row.url is None else without_userinfo(row.url)


def _target(row: Row) -> Target | Failure:
    try:
        return parse_target(row.url or "")
    except Exception:  # a bug, and of this one row
        logger.exception("a URL could not be read", extra={"action": "url_bug"})
        return Failure(ErrorCode.INTERNAL)
