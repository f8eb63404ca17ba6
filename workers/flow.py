"""Rows on their way: fed into the lane, fetched, decoded in the pool, answered one by one.

    feed     rows into the lane, while the window has room
    fetch    the lane's tickets, by `fetch.turns`            → ImageInfo | Body | Failure
    decode   bodies in the pool, a chunk at a time           → what the entry point makes of them

What becomes of an answered row is for `pipeline` to say. The window counts rows from the feed until
their record was taken, so a reader that stops stops everything behind it, and memory does not
depend on the number of rows.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Generic, NamedTuple, Self, TypeVar

from imaging.facts import ErrorCode, Failure
from workers.engine import Engine
from workers.fetch.lanes import Body, Lane, Outcome, Ticket
from workers.fetch.targets import Target, parse_target, without_userinfo
from workers.manifest.rows import Row
from workers.outbox import Outbox, Placed
from workers.pool.slot import Slot
from workers.pool.supervisor import PoolClosedError
from workers.records import Fetch

__all__ = ["WINDOW_PER_CONNECTION", "Entry", "Flow", "shown_url", "usual_window"]

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Placed)

#: Rows in the window, for each connection there may be.
WINDOW_PER_CONNECTION = 4
#: So many rows are fed before others have their turn.
ROWS_IN_A_ROW = 16
#: What one pool call carries at most.
CHUNK_ITEMS = 12
CHUNK_BYTES = 32 * 1024 * 1024


class Entry(NamedTuple):
    """What the pool does with a body."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


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
    ) -> None:
        """Without an *entry* the first bytes of a picture answer its row."""
        self._engine = engine
        self._rows = rows
        self._outbox = outbox
        self._entry = entry
        self._bodies: deque[tuple[Ticket, Body]] = deque()
        self._bodies_came = asyncio.Event()
        self._decoding: dict[Ticket, Body] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._halted = False
        downloads = engine.downloads
        self._lane: Lane = engine.turns.open_lane(
            downloads.header if entry is None else downloads.body,
            self._fetched,
            timeout=timeout or engine.settings.timeout,
        )

    @abstractmethod
    def _answer(self, row: Row, fetch: Fetch | None, outcome: Any) -> None:
        """Take what became of a row: what the entry point made of it, or a Failure."""

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
                self._run(self._decode(self._entry))
        return self

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        """A task that fails takes the stream with it: better an end that says so than none."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._halted = True
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
        begun = [(ticket, None) for ticket in await self._halt()]
        for ticket, body in [*begun, *self._bodies, *self._decoding.items()]:
            if body is not None:
                body.room.release()
            self._answer(ticket.row, ticket.fetch, Failure(ErrorCode.CANCELLED))
        self._bodies.clear()
        self._decoding.clear()
        self._cut()
        self._outbox.cut()
        return not whole

    async def close(self) -> None:
        """Cancel everything; nothing is recorded any more."""
        await self._halt()
        for _, body in [*self._bodies, *self._decoding.items()]:
            body.room.release()

    async def _halt(self) -> list[Ticket]:
        self._halted = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        begun = await self._engine.turns.close_lane(self._lane)
        await asyncio.gather(*tasks, return_exceptions=True)
        return begun

    async def _feed(self) -> None:
        """Rows → tickets in the lane; rows that cannot be fetched → answered at once."""
        outbox, turns = self._outbox, self._engine.turns
        try:
            async with aclosing(self._together()) as groups:
                async for rows in groups:
                    await self._admit(rows)
                    for row in rows:
                        target = row.problem or _target(row)
                        if isinstance(target, Failure):
                            self._answer(row, None, target)
                        else:
                            turns.add(Ticket(self._lane, row, target))
                        if row.index % ROWS_IN_A_ROW == 0:
                            await asyncio.sleep(0)  # answers are read meanwhile
                    if outbox.full:  # before the next row is read
                        await outbox.room()
        except Exception as exc:  # told to whoever takes the records, behind the last of them
            outbox.end(exc)
        else:
            outbox.end()

    def _fetched(self, ticket: Ticket, outcome: Outcome) -> None:
        if isinstance(outcome, Body):
            self._bodies.append((ticket, outcome))
            self._bodies_came.set()
        else:
            self._answer(ticket.row, ticket.fetch, outcome)

    async def _decode(self, entry: Entry) -> None:
        """Take a slot, then what waits for it: so chunks grow only while the pool is busy."""
        pool = self._engine.pool
        while True:
            await self._bodies_came.wait()
            async with pool.slot() as slot:
                chunk = self._chunk(pool.size)
                if not chunk:
                    continue
                results = await _decoded(slot, entry, [body.data for _, body in chunk])
            for (ticket, body), result in zip(chunk, results, strict=True):
                del self._decoding[ticket]
                body.room.release()
                self._answer(ticket.row, ticket.fetch, result)

    def _chunk(self, slots: int) -> list[tuple[Ticket, Body]]:
        """The next bodies, an even share of those waiting, within the bounds of a chunk."""
        share = max(1, min(CHUNK_ITEMS, len(self._bodies) // slots))
        chunk: list[tuple[Ticket, Body]] = []
        size = 0
        while self._bodies and len(chunk) < share:
            size += len(self._bodies[0][1].data)
            if chunk and size > CHUNK_BYTES:
                break
            ticket, body = self._bodies.popleft()
            chunk.append((ticket, body))
            self._decoding[ticket] = body
        if not self._bodies:
            self._bodies_came.clear()
        return chunk


async def _decoded(slot: Slot, entry: Entry, data: list[bytes]) -> list[Any]:
    try:
        return await slot.run(entry.function, data, *entry.args)
    except PoolClosedError:
        raise
    except Exception:  # a bug: their rows have an answer all the same
        logger.exception("a chunk was not decoded", extra={"action": "decode_failed"})
        return [Failure(ErrorCode.INTERNAL, "no process to decode it")] * len(data)


def shown_url(row: Row) -> str | None:
    """The URL of a row as records tell it."""
    return None if row.url is None else without_userinfo(row.url)


def _target(row: Row) -> Target | Failure:
    try:
        return parse_target(row.url or "")
    except Exception:  # a bug, and of this one row
        logger.exception("a URL could not be read", extra={"action": "url_bug"})
        return Failure(ErrorCode.INTERNAL)
