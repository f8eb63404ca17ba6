"""Takes the entries of one stream, while there is room, each into a task of its own.

New entries one at a time, so that consumers share them; stale ones, whose lease ran out, as many as
there is room for. Nothing is taken ahead of room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from workers.jobs.connection import TROUBLE
from workers.jobs.cutting import cut_off
from workers.jobs.leases import Held, Leases
from workers.jobs.patience import FIRST_SECONDS, LONGEST_SECONDS, Patience, RedisAway
from workers.jobs.shards import BadShard
from workers.jobs.streams import Entry, Streams

__all__ = ["Taker"]

logger = logging.getLogger(__name__)

#: Stale work is looked for so often, at most.
CLAIM_SECONDS = 1.0
#: Without room, it is looked for again after so long at the latest.
ROOM_SECONDS = 0.25


class Taker:
    """One stream's."""

    def __init__(
        self,
        stream: str,
        streams: Streams,
        leases: Leases,
        patience: Patience,
        *,
        lease_seconds: float,
        room: Callable[[], int],
        work: Callable[[Held], Awaitable[None]],
        suspect_from: int | None = None,
    ) -> None:
        """An entry delivered *suspect_from* times is taken alone: its fate is not shared."""
        self.stream = stream
        self._streams = streams
        self._leases = leases
        self._patience = patience
        self._lease_seconds = lease_seconds
        self._room = room
        self._work = work
        self._suspect_from = suspect_from
        self._stopping = asyncio.Event()
        self._freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unfinished: list[str] = []

    async def run(self) -> None:
        """Take entries until `stop`. A read under way then is waited for, never cancelled."""
        loop = asyncio.get_running_loop()
        interval = min(CLAIM_SECONDS, self._lease_seconds / 2)
        claimed, pause = 0.0, FIRST_SECONDS
        while not self._stopping.is_set():
            if (room := self._room()) <= 0:
                await self._wait(self._freed, ROOM_SECONDS)
                continue
            try:
                entries: list[Entry] = []
                if loop.time() - claimed >= interval:
                    claimed = loop.time()
                    entries = await self._claim(room)
                entries = entries or await self._streams.read(self.stream, 1)
            except TROUBLE as exc:
                await self._patience.trouble(exc)
                await self._wait(self._stopping, pause)
                pause = min(2 * pause, LONGEST_SECONDS)
                continue
            if pause > FIRST_SECONDS:
                self._patience.fine()
            pause = FIRST_SECONDS
            for entry in entries:
                if not self._leases.has(self.stream, entry.id):
                    self._start(entry)

    async def _claim(self, room: int) -> list[Entry]:
        entries = await self._streams.claim(self.stream, room, idle_seconds=self._lease_seconds)
        if self._suspect_from is None:
            return entries
        suspect = next((one for one in entries if one.deliveries >= self._suspect_from), None)
        if suspect is None:
            return entries
        if others := [entry.id for entry in entries if entry is not suspect]:
            await self._streams.hand_back(self.stream, others)
        return [suspect]

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping.set()

    def _start(self, entry: Entry) -> None:
        if self._stopping.is_set():
            self._unfinished.append(entry.id)
            return
        held = self._leases.hold(self.stream, entry)  # now: it takes room from here on
        task = asyncio.create_task(self._worked_off(held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: self._over(held, done))

    async def _worked_off(self, held: Held) -> None:
        try:
            await self._work(held)
        except BadShard as exc:
            await self._streams.bury(self.stream, held.entry, str(exc))

    def _over(self, held: Held, task: asyncio.Task[None]) -> None:
        self._leases.let_go(held)
        self._freed.set()
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or isinstance(error, RedisAway):
            self._unfinished.append(held.entry.id)
        elif error is not None:  # a bug: its lease runs out, and it is tried again, not for ever
            logger.error(
                "an entry was not worked off", extra={"action": "entry_failed"}, exc_info=error
            )

    async def finish(self, seconds: float) -> None:
        """Wait so long for what is under way, then cut it off."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        await cut_off(self._tasks)

    async def hand_back(self) -> int:
        """Give what was not finished to others; returns how many entries. Raises RedisAway."""
        given, self._unfinished = self._unfinished, []
        return await self._streams.hand_back(self.stream, given) if given else 0

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
