"""Rows → records: the whole flow on one screen.

    feed     rows into the lane, while the window has room
    fetch    the lane's tickets, by `fetch.turns`            → ImageInfo | Body | Failure
    decode   bodies in the pool, a chunk at a time           → Examined | Failure
    batches  records as they finish, or in manifest order

The window counts rows from the feed until their record was taken, so a reader that stops stops
everything behind it, and memory does not depend on the number of rows.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self

from imaging.examine import Examined
from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.engine import Engine
from workers.fetch.lanes import Body, Lane, Outcome, Ticket
from workers.fetch.targets import Target, parse_target, without_userinfo
from workers.manifest.rows import Row
from workers.options import InfoOptions
from workers.outbox import Outbox
from workers.pool import child
from workers.pool.slot import Slot
from workers.pool.supervisor import PoolClosedError
from workers.records import Record

__all__ = ["Inspection", "inspect_rows"]

logger = logging.getLogger(__name__)

#: Rows in the window, for each connection there may be.
WINDOW_PER_CONNECTION = 4
#: So many rows are fed before others have their turn.
ROWS_IN_A_ROW = 16
#: What one pool call carries at most.
CHUNK_ITEMS = 12
CHUNK_BYTES = 32 * 1024 * 1024


@asynccontextmanager
async def inspect_rows(
    engine: Engine, rows: AsyncIterator[Row], options: InfoOptions
) -> AsyncIterator[Inspection]:
    """Look at every row. Leaving the context cancels what is still under way."""
    inspection = Inspection(engine, rows, options)
    try:
        yield inspection.start()
    finally:
        await inspection.close()


class Inspection:
    """One run over one manifest; made by `inspect_rows`."""

    def __init__(self, engine: Engine, rows: AsyncIterator[Row], options: InfoOptions) -> None:
        self._engine = engine
        self._rows = rows
        self._options = options
        window = WINDOW_PER_CONNECTION * engine.settings.max_connections
        self._outbox = Outbox(window, ordered=options.ordered)
        self._bodies: deque[tuple[Ticket, Body]] = deque()
        self._bodies_came = asyncio.Event()
        self._decoding: dict[Ticket, Body] = {}
        self._tasks: list[asyncio.Task[None]] = []
        downloads = engine.downloads
        self._lane: Lane = engine.turns.open_lane(
            downloads.body if options.needs_body else downloads.header,
            self._fetched,
            timeout=options.timeout or engine.settings.timeout,
        )

    def start(self) -> Self:
        """Begin; records gather from now on, up to the window."""
        self._run(self._feed())
        if self._options.needs_body:
            # One more than slots: its chunk is chosen the moment a slot comes free.
            for _ in range(self._engine.pool.size + 1):
                self._run(self._decode())
        return self

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        """A task that fails takes the stream with it: better an end that says so than none."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._outbox.fail(error)

    async def batches(self, *, idle: float) -> AsyncIterator[list[Record]]:
        """Records, as many at a time as have finished; an empty list each *idle* seconds without.

        Raises:
            ManifestError: behind the last record, if the manifest could not be read on.
        """
        async for records in self._outbox.batches(idle=idle):
            yield records

    async def stop(self) -> bool:
        """Start no more rows. Those under way become `cancelled` records, then `batches` ends.

        Returns whether anything was cut off: not where only the reader was late.
        """
        whole = self._outbox.whole
        begun = [(ticket, None) for ticket in await self._halt()]
        for ticket, body in [*begun, *self._bodies, *self._decoding.items()]:
            if body is not None:
                body.room.release()
            self._finish(ticket, Failure(ErrorCode.CANCELLED))
        self._bodies.clear()
        self._decoding.clear()
        self._outbox.cut()
        return not whole

    async def close(self) -> None:
        """Cancel everything; nothing is recorded any more."""
        await self._halt()
        for _, body in [*self._bodies, *self._decoding.items()]:
            body.room.release()

    async def _halt(self) -> list[Ticket]:
        for task in self._tasks:
            task.cancel()
        begun = await self._engine.turns.close_lane(self._lane)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return begun

    async def _feed(self) -> None:
        """Rows → tickets in the lane; rows that cannot be fetched → records at once."""
        outbox, turns = self._outbox, self._engine.turns
        try:
            async for row in self._rows:
                outbox.admit(row.index)
                target = row.problem or _target(row)
                if isinstance(target, Failure):
                    shown = without_userinfo(row.url) if row.url is not None else None
                    outbox.put(Record(row.index, row.id, shown, target, extra=row.extra))
                else:
                    turns.add(Ticket(self._lane, row, target))
                if outbox.full:  # before the next row is read
                    await outbox.room()
                elif row.index % ROWS_IN_A_ROW == 0:
                    await asyncio.sleep(0)  # answers are read meanwhile, from the first row on
        except Exception as exc:  # told to whoever takes the records, behind the last of them
            outbox.end(exc)
        else:
            outbox.end()

    def _fetched(self, ticket: Ticket, outcome: Outcome) -> None:
        if isinstance(outcome, Body):
            self._bodies.append((ticket, outcome))
            self._bodies_came.set()
        else:
            self._finish(ticket, outcome)

    def _finish(
        self, ticket: Ticket, outcome: ImageInfo | Failure, thumbnail: str | None = None
    ) -> None:
        row = ticket.row
        shown = without_userinfo(row.url or "")
        record = Record(row.index, row.id, shown, outcome, ticket.fetch, thumbnail, row.extra)
        self._outbox.put(record)

    async def _decode(self) -> None:
        """Take a slot, then what waits for it: so chunks grow only while the pool is busy."""
        pool = self._engine.pool
        while True:
            await self._bodies_came.wait()
            async with pool.slot() as slot:
                chunk = self._chunk(pool.size)
                if not chunk:
                    continue
                results = await self._examined(slot, [body.data for _, body in chunk])
            for (ticket, body), result in zip(chunk, results, strict=True):
                del self._decoding[ticket]
                body.room.release()
                if isinstance(result, Examined):
                    self._finish(ticket, result.info, result.thumbnail)
                else:
                    self._finish(ticket, result)

    async def _examined(self, slot: Slot, data: list[bytes]) -> list[Examined | Failure]:
        limits, thumbnail = self._engine.limits, self._options.thumbnail
        try:
            return await slot.run(child.examine_item, data, limits, thumbnail)
        except PoolClosedError:
            raise
        except Exception:  # a bug: their rows have an answer all the same
            logger.exception("a chunk was not decoded", extra={"action": "decode_failed"})
            return [Failure(ErrorCode.INTERNAL, "no process to decode it")] * len(data)

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


def _target(row: Row) -> Target | Failure:
    try:
        return parse_target(row.url or "")
    except Exception:  # a bug, and of this one row
        logger.exception("a URL could not be read", extra={"action": "url_bug"})
        return Failure(ErrorCode.INTERNAL)
