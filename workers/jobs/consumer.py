"""The consumer: takes jobs and shards while it has room for them, and keeps their leases.

    census:jobs              jobs     → split into shards       (`intake`, `splitter`)
    {census:jobs}:shards:…   shards   → run and recorded        (`runner`)

Asked to stop, it takes nothing more, finishes what it can within the grace, and hands the rest to
whoever claims next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from workers.engine import Engine
from workers.flow import WINDOW_PER_CONNECTION
from workers.jobs import keys
from workers.jobs.alone import Alone
from workers.jobs.connection import TROUBLE, Redis, connect
from workers.jobs.cutting import cut_off
from workers.jobs.intake import Intake
from workers.jobs.janitor import Janitor
from workers.jobs.leases import Held, Leases
from workers.jobs.living import say_alive
from workers.jobs.patience import Patience, RedisAway
from workers.jobs.recording import Recording
from workers.jobs.room import Room
from workers.jobs.runner import QUARANTINE_DELIVERIES, Runner
from workers.jobs.streams import Streams
from workers.jobs.taker import Taker
from workers.settings import WorkSettings

__all__ = ["Consumer", "capacity_of", "open_consumer"]

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 1.0
#: Jobs split at once, but for those that wait for their results to be released.
MOST_SPLIT = 256
#: Those counted, each of which has its manifest open.
MOST_HELD = 1024
#: Rows that came in the entries of jobs themselves; in memory they take some five times as much.
MOST_INLINE_BYTES = 32 * 1024 * 1024
#: Of the grace, what is kept to hand back in.
LAST_SECONDS = 2.0


def capacity_of(settings: WorkSettings) -> int:
    """Shards run at once, of each kind: as many as keep all connections busy."""
    return max(1, round(WINDOW_PER_CONNECTION * settings.max_connections / settings.shard_rows))


@asynccontextmanager
async def open_consumer(
    engine: Engine, *, kinds: Sequence[str] = keys.KINDS, intake: bool = True
) -> AsyncIterator[Consumer]:
    """A consumer with its connections; `run` it."""
    redis, reader = connect(engine.settings), connect(engine.settings, blocking=True)
    try:
        yield Consumer(engine, redis, reader, kinds=kinds, intake=intake)
    finally:
        for client in (reader, redis):
            with suppress(*TROUBLE):
                await client.aclose()


class Consumer:
    """One process's; made by `open_consumer`."""

    def __init__(
        self, engine: Engine, redis: Redis, reader: Redis, *, kinds: Sequence[str], intake: bool
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        settings = self._settings = engine.settings
        self._redis = redis
        self._kinds = list(kinds)
        self._takes_jobs = intake
        self._capacity = capacity_of(settings)
        self._patience = Patience(redis, reader)
        self._streams = Streams(redis, reader, self.name, self._patience)
        self._leases = Leases(self._streams)
        self._room = Room()
        self._alone = Alone()
        recording = Recording(redis, self._patience, self._streams)
        self._runner = Runner(engine, self._streams, recording)
        self._intake = Intake(settings, redis, self._patience, self._streams, self._room)
        self._stopping = asyncio.Event()
        self._takers = [
            self._taker(keys.shards(kind), self._shard_room, self._shard) for kind in kinds
        ]
        if intake:
            self._takers.append(self._taker(keys.INTAKE, self._job_room, self._intake.take))
        names = [taker.stream for taker in self._takers]
        self._janitor = Janitor(settings, redis, self._patience, self._streams, names)

    def _taker(
        self, stream: str, room: Callable[[str], int], work: Callable[[Held], Awaitable[None]]
    ) -> Taker:
        return Taker(
            stream,
            self._streams,
            self._leases,
            self._patience,
            lease_seconds=self._settings.lease_seconds,
            room=lambda: room(stream),
            work=work,
            suspect_from=None if stream == keys.INTAKE else QUARANTINE_DELIVERIES,
        )

    def _shard_room(self, stream: str) -> int:
        if self._leases.most_deliveries(stream) >= QUARANTINE_DELIVERIES:
            return 0  # one is alone, or waits to be
        return self._capacity - self._leases.count(stream)

    def _job_room(self, stream: str) -> int:
        if self._intake.inline_bytes >= MOST_INLINE_BYTES:
            return 0
        return min(MOST_SPLIT - self._intake.splitting, MOST_HELD - self._leases.count(stream))

    async def _shard(self, held: Held) -> None:
        ready = await self._runner.prepare(held)
        if ready is None:
            return
        suspect = held.entry.deliveries >= QUARANTINE_DELIVERIES
        async with self._alone.alone() if suspect else self._alone.together():
            if await self._runner.run(held, ready):
                self._room.made()

    def stop(self) -> None:
        """Ask it to stop; `run` returns within the grace."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`. *ready* is called once Redis knows of this consumer."""
        started = time.time()
        about = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "kinds": self._kinds,
            "capacity": self._capacity,
            "intake": self._takes_jobs,
            "since": round(started, 3),
        }
        background = [
            asyncio.create_task(work)
            for work in (
                self._stay_alive(about, ready),
                self._leases.beat(self._settings.lease_seconds),
                self._janitor.run(),
            )
        ]
        taking = [asyncio.create_task(taker.run()) for taker in self._takers]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            # A taker or a heartbeat that fails is a bug: better an end, which is noticed.
            await asyncio.wait({*background, *taking, stopping}, return_when="FIRST_COMPLETED")
            logger.info("stopping", extra={"action": "stopping", "consumer": self.name})
            await self._finish(taking)
        finally:
            ended = await cut_off((*background, *taking, stopping))
            # Cancelled from without, it did not get as far.
            await asyncio.gather(*(taker.finish(0) for taker in self._takers))
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, RedisAway):
                raise error

    async def _stay_alive(self, about: dict[str, Any], ready: Callable[[], None]) -> None:
        told = False
        while True:
            await say_alive(self._redis, self._patience, self.name, about)
            if not told:
                told = True
                ready()
            await asyncio.sleep(ALIVE_SECONDS)

    async def _finish(self, taking: Sequence[asyncio.Task[None]]) -> None:
        loop = asyncio.get_running_loop()
        grace = self._settings.shutdown_grace
        end = loop.time() + grace
        # A quarantine that is cut off takes its marks back: not for ever, if Redis is away.
        self._patience.end_by(end)
        for taker in self._takers:
            taker.stop()
        # Jobs are split on elsewhere as well as here; shards begun are better finished.
        waits = [
            0.0 if taker.stream == keys.INTAKE else max(0.0, grace - LAST_SECONDS)
            for taker in self._takers
        ]
        await asyncio.gather(
            *(self._end(taker, seconds) for taker, seconds in zip(self._takers, waits, strict=True))
        )
        await asyncio.wait(taking, timeout=max(0.1, end - loop.time() - LAST_SECONDS / 2))
        self._patience.end_by(min(end, loop.time() + LAST_SECONDS))
        with suppress(RedisAway):
            for taker in self._takers:
                await self._hand_back(taker)  # what came with the last read
                await self._streams.sweep(taker.stream, idle_seconds=1e6, itself=True)
            await say_alive(self._redis, self._patience, self.name, None)

    async def _end(self, taker: Taker, seconds: float) -> None:
        """Jobs being split are given to others at once, not when the last shard is over."""
        await taker.finish(seconds)
        with suppress(RedisAway):
            await self._hand_back(taker)

    @staticmethod
    async def _hand_back(taker: Taker) -> None:
        if given := await taker.hand_back():
            logger.info("handed back", extra={"action": "handed_back", "entries": given})
