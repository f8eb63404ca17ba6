"""What a consumer says to Redis about entries and shards: take, keep, record, give back.

All of it may be asked again after an answer was lost. The protocol's promise, exactly one record
a row, rests on the scripts in `lua/`; here are their arguments and answers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import ResponseError

from workers.jobs import keys
from workers.jobs.connection import BLOCK_SECONDS, Redis
from workers.jobs.fields import raw_text
from workers.jobs.marks import Marks
from workers.jobs.patience import KeyBroken, Patience, is_missing_group
from workers.jobs.scripts import Script
from workers.summary import Summary

__all__ = ["Beat", "Entry", "Loaded", "Streams"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_BEAT, _BURY, _CLAIM = Script("beat"), Script("bury"), Script("claim")
_COMMIT, _DROP, _HANDBACK = Script("commit"), Script("drop"), Script("handback")
_CONDEMN, _FINISH = Script("condemn"), Script("finish")
_LOAD, _PIN = Script("load"), Script("pin")
_SPOIL, _SWEEP = Script("spoil"), Script("sweep")


class Entry(NamedTuple):
    """One entry of a stream, leased to this consumer."""

    id: str
    fields: dict[bytes, bytes]
    deliveries: int = 1  #: how often it was given to somebody, this time included


class Loaded(NamedTuple):
    """A shard as Redis has it."""

    state: str | None  #: of its job; None: there is no such job
    kind: str
    options: bytes
    fed: int  #: shards the job has so far
    rows: bytes | None  #: None: recorded, dropped, or never there
    recorded: bool
    provenance: bytes | None  #: of what was predicted before, as JSON


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
        lost, states = await self._asked(
            stream, lambda: _BEAT(self._redis, named, self.consumer, *entries)
        )
        told = zip(jobs, states, strict=True)
        return Beat({one.decode() for one in lost}, {job: state.decode() for job, state in told})

    async def hand_back(self, stream: str, entries: Sequence[str]) -> int:
        """Give *entries* to whoever claims next, without blame; returns how many were ours."""
        return int(
            await self._asked(
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
        await self._asked(stream, lambda: _BURY(self._redis, named, entry.id, reason, raw))

    async def finish(self, stream: str, entry: str) -> None:
        """An entry has served."""
        await self._asked(stream, lambda: _FINISH(self._redis, [stream], entry))

    async def spoil(self, stream: str, entry: Entry, job: str, reason: str, ttl: int) -> None:
        """A key of *job* is broken: the entry goes to the dead letters, the job has failed.

        Raises:
            KeyBroken: it is the stream itself that is.
        """
        kind = await self._patience(lambda: self._redis.execute_command("TYPE", stream))
        if kind not in (b"stream", b"none"):
            raise KeyBroken(f"{stream} is no stream: {reason}")
        await self.bury(stream, entry, reason)
        named = [*keys.of_job(job), keys.INTAKE]
        await self._asked(stream, lambda: _SPOIL(self._redis, named, job, reason, ttl))

    async def report_dead(self, stream: str, entry: Entry, reason: str) -> None:
        """Note among the dead letters what became of an entry that is not given up itself."""
        said = ("reason", reason, "source", stream, "id", entry.id, "raw", raw_text(entry.fields))
        await self._patience(
            lambda: self._redis.execute_command(
                "XADD", keys.DEAD, "MAXLEN", "~", 10_000, "*", *said
            )
        )

    async def load(self, job: str, shard: int) -> Loaded:
        """What there is to know of a shard."""
        named = [keys.job(job), keys.input_of(job), keys.fence(job)]
        state, kind, options, fed, rows, recorded, provenance = await self._patience(
            lambda: _LOAD(self._redis, named, shard), breakable=True
        )
        return Loaded(
            state.decode() if state is not None else None,
            (kind or b"").decode(errors="replace"),
            options or b"",
            int(fed or 0) if (fed or b"0").isdigit() else 0,
            rows,
            bool(recorded),
            provenance,
        )

    async def pin(self, job: str, provenance: bytes) -> bytes | None:
        """What *job* is predicted with: this, if it is the first; None where it is gone."""
        pinned: bytes | None = await self._patience(
            lambda: _PIN(self._redis, [keys.job(job)], provenance), breakable=True
        )
        return pinned

    async def condemn(
        self, stream: str, entry: str, job: str, shard: int, reason: str, ttl: int
    ) -> str | None:
        """Fail *job* over a shard; returns the name of its upload, if nobody needs it any more."""
        kind = stream.removeprefix(keys.shards(""))
        named = [*keys.of_job(job), stream, keys.INTAKE, keys.open_jobs(kind)]
        said = (job, entry, shard, reason, ttl)
        upload: bytes | None = await self._asked(
            stream, lambda: _CONDEMN(self._redis, named, *said), breakable=True
        )
        return None if upload is None else upload.decode(errors="replace")

    async def commit(
        self,
        stream: str,
        entry: str,
        job: str,
        shard: int,
        lines: bytes,
        summary: Summary,
        software: Mapping[str, str],
        ttl: int,
    ) -> str:
        """Record a shard with what its lines add up to, and the versions of what made them.

        Returns `OK`, `DUP`, `NOJOB` or `NOINPUT`.
        """
        counts: list[str | int] = []
        for code, count in summary.errors.items():
            counts += [f"error:{code}", count]
        for status, count in summary.http_statuses.items():
            counts += [f"status:{status}", count]
        for name, version in software.items():
            counts += [f"software:{name} {version}", summary.rows]
        said = (entry, shard, summary.rows, lines, ttl, summary.ok, summary.bytes, *counts)
        named = [*keys.of_job(job), stream]
        answer: bytes = await self._asked(
            stream, lambda: _COMMIT(self._redis, named, *said), breakable=True
        )
        return answer.decode()

    async def drop(self, stream: str, entry: str, job: str, shard: int, ttl: int) -> None:
        """Let go of a shard that needs no record."""
        named = [*keys.of_job(job), stream]
        await self._asked(
            stream, lambda: _DROP(self._redis, named, entry, shard, ttl), breakable=True
        )

    def marks(self, job: str) -> Marks:
        """What a quarantine notes of a job."""
        return Marks(self._redis, self._patience, job)

    async def sweep(self, stream: str, *, idle_seconds: float, itself: bool = False) -> int:
        """Remove names of consumers that are long gone and hold nothing; returns how many."""
        name = self.consumer if itself else ""
        removed: int = await self._patience(
            lambda: _SWEEP(self._redis, [stream], int(idle_seconds * 1000), name)
        )
        return removed

    async def _asked(
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
