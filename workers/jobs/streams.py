"""What a consumer says to Redis about entries of streams: take, keep, give back, bury.

All of it may be asked again after an answer was lost. What is recorded of shards is said in
`recording`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import ResponseError

from workers.jobs import keys
from workers.jobs.connection import BLOCK_SECONDS, Redis
from workers.jobs.fields import raw_text
from workers.jobs.patience import KeyBroken, Patience, is_missing_group
from workers.jobs.scripts import Script

__all__ = ["Beat", "Entry", "Streams"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_BEAT, _BURY, _CLAIM = Script("beat"), Script("bury"), Script("claim")
_FINISH, _HANDBACK = Script("finish"), Script("handback")
_SPOIL, _SWEEP = Script("spoil"), Script("sweep")


class Entry(NamedTuple):
    """One entry of a stream, leased to this consumer."""

    id: str
    fields: dict[bytes, bytes]
    deliveries: int = 1  #: how often it was given to somebody, this time included


class Beat(NamedTuple):
    """The answer to a heartbeat."""

    lost: set[str]  #: entries that others took over
    states: dict[str, str]  #: of the jobs asked for; `gone` where there is none


class Streams:
    """One consumer's side of the intake and of the streams of shards."""

    def __init__(self, redis: Redis, reader: Redis, consumer: str, patience: Patience) -> None:
        """*reader* is a client of its own for reads that block."""
        self.consumer = consumer
        self._redis = redis
        self._reader = reader
        self._patience = patience

    async def read(self, stream: str, count: int) -> list[Entry]:
        """New entries; waits a second for one. Asked once: raises what the client raises.

        An entry whose answer is lost stays pending and is claimed when its lease ran out.
        """
        block = int(BLOCK_SECONDS * 1000)
        asked = ("GROUP", keys.GROUP, self.consumer, "COUNT", count, "BLOCK", block)
        try:
            found = await self._reader.execute_command("XREADGROUP", *asked, "STREAMS", stream, ">")
        except ResponseError as exc:
            if not is_missing_group(exc):
                raise
            await self.make_group(stream)
            return []
        return [
            Entry(entry_id.decode(), _fields(fields))
            for _, entries in found or ()
            for entry_id, fields in entries
        ]

    async def claim(self, stream: str, count: int, *, idle_seconds: float) -> list[Entry]:
        """Entries whose lease ran out, now ours. Asked once, as `read`."""
        idle = max(1, int(idle_seconds * 1000))
        try:
            found = await _CLAIM(self._redis, [stream], self.consumer, idle, count)
        except ResponseError as exc:
            if not is_missing_group(exc):
                raise
            await self.make_group(stream)
            return []
        return [
            Entry(entry_id.decode(), _fields(fields), int(deliveries))
            for entry_id, deliveries, fields in found
        ]

    async def make_group(self, stream: str) -> None:
        """Make stream and group, to be read from the beginning, unless they are there."""
        try:
            await self._redis.execute_command(
                "XGROUP", "CREATE", stream, keys.GROUP, "0", "MKSTREAM"
            )
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    async def beat(self, stream: str, entries: Sequence[str], jobs: Sequence[str]) -> Beat:
        """Renew the leases of *entries*; tells which were lost, and how *jobs* stand."""
        named = [stream, *(keys.job(job) for job in jobs)]
        lost, states = await self.asked(
            stream, lambda: _BEAT(self._redis, named, self.consumer, *entries)
        )
        told = zip(jobs, states, strict=True)
        return Beat({one.decode() for one in lost}, {job: state.decode() for job, state in told})

    async def hand_back(self, stream: str, entries: Sequence[str]) -> int:
        """Give *entries* to whoever claims next, without blame; returns how many were ours."""
        return int(
            await self.asked(
                stream, lambda: _HANDBACK(self._redis, [stream], self.consumer, *entries)
            )
        )

    async def bury(self, stream: str, entry: Entry, reason: str) -> None:
        """Move an entry that is no request to the dead letters."""
        logger.warning(
            "an entry was put to the dead letters",
            extra={"action": "buried", "stream": stream, "entry": entry.id, "reason": reason},
        )
        raw = raw_text(entry.fields)
        named = [stream, keys.DEAD]
        await self.asked(stream, lambda: _BURY(self._redis, named, entry.id, reason, raw))

    async def finish(self, stream: str, entry: str) -> None:
        """An entry has served."""
        await self.asked(stream, lambda: _FINISH(self._redis, [stream], entry))

    async def spoil(self, stream: str, entry: Entry, job: str, reason: str, ttl: int) -> None:
        """A key of *job* is broken: the entry goes to the dead letters, the job has failed.

        Raises:
            KeyBroken: it is the stream itself that is.
        """
        kind = await self._patience(lambda: self._redis.execute_command("TYPE", stream))
        if kind not in (b"stream", b"none"):
            raise KeyBroken(f"{stream} is no stream: {reason}")
        await self.bury(stream, entry, reason)
        named = [*keys.of_job(job), keys.INTAKE, *keys.COUNTED]
        await self.asked(stream, lambda: _SPOIL(self._redis, named, job, reason, ttl))

    async def report_dead(self, stream: str, entry: Entry, reason: str) -> None:
        """Note among the dead letters what became of an entry that is not given up itself."""
        said = ("reason", reason, "source", stream, "id", entry.id, "raw", raw_text(entry.fields))
        await self._patience(
            lambda: self._redis.execute_command(
                "XADD", keys.DEAD, "MAXLEN", "~", 10_000, "*", *said
            )
        )

    async def sweep(self, stream: str, *, idle_seconds: float, itself: bool = False) -> int:
        """Remove names of consumers that are long gone and hold nothing; returns how many."""
        name = self.consumer if itself else ""
        removed: int = await self._patience(
            lambda: _SWEEP(self._redis, [stream], int(idle_seconds * 1000), name)
        )
        return removed

    async def asked(
        self, stream: str, ask: Callable[[], Awaitable[T]], *, breakable: bool = False
    ) -> T:
        """The answer, also where somebody removed the stream or its group meanwhile."""
        while True:
            try:
                return await self._patience(ask, breakable=breakable)
            except ResponseError as exc:
                if not is_missing_group(exc):
                    raise
                await self._patience(lambda: self.make_group(stream))


def _fields(found: Any) -> dict[bytes, bytes]:
    """The fields of an entry: the client gives a dict, or a flat list out of a script."""
    if isinstance(found, dict):
        return found
    if not found:
        return {}
    return dict(zip(found[::2], found[1::2], strict=False))
