"""One job being split, as Redis sees it: opened, fed shard by shard, sealed or failed.

Feeding is in order and remembered with where to read on, so a job is split by whoever holds its
entry, and two who believe to hold it cannot both feed the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.fields import Job
from workers.jobs.patience import Patience
from workers.jobs.room import Room
from workers.jobs.scripts import Script
from workers.jobs.shards import dump_rows
from workers.manifest.rows import Row

__all__ = ["Feed", "NotOurs", "Opened"]

_OPEN, _FEED, _SEAL, _FAIL = Script("open"), Script("feed"), Script("seal"), Script("fail")

#: A job that waits for results to be released is looked at again after so long.
PAUSED_SECONDS = 1.0


class NotOurs(Exception):
    """The job ended meanwhile, or somebody else splits it on."""


class Opened(NamedTuple):
    """How far a job was split before."""

    rows: int
    shards: int
    offset: int  #: `Row.end` of the last row
    stamp: str  #: of the manifest, as it was then; empty where none was read yet
    deaths: int  #: of those who split it, since a row was fed


class Feed:
    """One job. Everything here is asked until it is answered; may raise RedisAway, KeyBroken."""

    def __init__(self, redis: Redis, patience: Patience, room: Room, job: str, kind: str) -> None:
        self._redis = redis
        self._patience = patience
        self._room = room
        self._job = job
        self._kind = kind
        self._rows = 0
        self._shards = 0
        self.paused = False  #: waits for results to be released

    async def open(self, asked: Job, deliveries: int) -> Opened:
        """Begin, or go on, as the one who was given it as the *deliveries*-th. Raises NotOurs."""
        head: list[str | bytes] = []
        for name, value in asked.head().items():
            head += [name, value]
        created = f"{int(self._job.partition('-')[0]) / 1000:.3f}"
        named = [keys.INTAKE, keys.job(self._job), keys.INDEX, keys.open_jobs(self._kind)]
        named += keys.COUNTED
        said = (self._job, keys.member(self._job), deliveries, *head, "created", created)
        answer, *told = await self._patience(
            lambda: _OPEN(self._redis, named, *said), breakable=True
        )
        if answer != b"OK":
            raise NotOurs
        rows, shards, offset, stamp, deaths = told
        opened = Opened(
            int(rows), int(shards), int(offset), stamp.decode(errors="replace"), int(deaths)
        )
        self._rows, self._shards = opened.rows, opened.shards
        return opened

    async def feed(
        self, rows: Sequence[Row], *, most_bytes: int, about: Mapping[str, str | int]
    ) -> None:
        """Add a shard, as soon as there is room for it. Raises NotOurs."""
        first, end = self._rows, self._rows + len(rows)
        named = [
            keys.job(self._job),
            keys.input_of(self._job),
            keys.shards(self._kind),
            keys.open_jobs(self._kind),
            keys.CAPACITY + self._kind,
        ]
        rest = [part for pair in about.items() for part in pair]

        async def say(text: bytes) -> list[bytes]:
            said = (self._job, self._shards, first, text, end, rows[-1].end, most_bytes, *rest)
            answer: list[bytes] = await self._patience(
                lambda: _FEED(self._redis, named, *said), breakable=True
            )
            return answer

        whole = dump_rows(rows)
        while True:
            # Rows are sent once there is room; somebody may have taken it by then.
            answer, *told = await say(b"")
            if answer == b"ROOM":
                answer, *told = await say(whole)
            self.paused = answer == b"PAUSED"
            if answer == b"FULL":
                await self._room.wait()
            elif answer == b"PAUSED":
                await asyncio.sleep(PAUSED_SECONDS)
            elif answer == b"OK" or (
                # it was taken, and its answer lost
                answer == b"SEEN" and (int(told[0]), int(told[1])) == (self._shards + 1, end)
            ):
                self._rows, self._shards = end, self._shards + 1
                return
            else:
                raise NotOurs

    async def seal(self, ttl: int, about: Mapping[str, str | int]) -> None:
        """All of it is fed. Raises NotOurs."""
        said = (self._job, self._shards, ttl, *(part for pair in about.items() for part in pair))
        answer, *_ = await self._patience(
            lambda: _SEAL(self._redis, self._ended(), *said), breakable=True
        )
        if answer == b"SEEN":
            raise NotOurs

    async def fail(self, reason: str, ttl: int) -> None:
        """It cannot be split on."""
        said = (self._job, reason, ttl)
        await self._patience(lambda: _FAIL(self._redis, self._ended(), *said), breakable=True)

    def _ended(self) -> list[str]:
        of_kind = keys.open_jobs(self._kind)
        return [*keys.of_job(self._job), keys.INTAKE, of_kind, *keys.COUNTED]
