"""What a consumer says to Redis about the shards of jobs: what they are, and what came of them.

All of it may be asked again after an answer was lost. That each row is recorded once rests on the
scripts in `lua/`: results, progress and acknowledgement are one of them, and who comes first wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from workers.hosts_counted import MOST_HOSTS, MOST_JSON_BYTES, MOST_REASONS
from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.marks import Marks
from workers.jobs.patience import Patience
from workers.jobs.scripts import Script
from workers.jobs.streams import Streams
from workers.summary import Summary
from workers.tracing.traceparent import Traceparent, read_traceparent

__all__ = ["Loaded", "Recording"]

_COMMIT, _CONDEMN, _DROP = Script("commit"), Script("condemn"), Script("drop")
_LOAD, _PIN = Script("load"), Script("pin")


class Loaded(NamedTuple):
    """A shard as Redis has it."""

    state: str | None  #: of its job; None: there is no such job
    kind: str
    options: bytes
    fed: int  #: shards the job has so far
    rows: bytes | None  #: None: recorded, dropped, or never there
    recorded: bool
    provenance: bytes | None  #: of what was predicted before, as JSON
    traceparent: Traceparent | None  #: of its job


class Recording:
    """One consumer's side of it."""

    def __init__(self, redis: Redis, patience: Patience, streams: Streams) -> None:
        self._redis = redis
        self._patience = patience
        self._streams = streams

    async def load(self, job: str, shard: int) -> Loaded:
        """What there is to know of a shard."""
        named = [keys.job(job), keys.input_of(job), keys.fence(job)]
        state, kind, options, fed, rows, recorded, provenance, traceparent = await self._patience(
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
            read_traceparent(traceparent),
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
        named += keys.COUNTED
        said = (job, entry, shard, reason, ttl)
        upload: bytes | None = await self._streams.asked(
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
        hosts = summary.hosts.json() if summary.hosts.hosts else b""
        bounds = (MOST_HOSTS, MOST_REASONS, MOST_JSON_BYTES)
        told = (summary.rows, lines, ttl, summary.ok, summary.bytes, hosts, *bounds)
        said = (entry, shard, *told, *counts)
        named = [*keys.of_job(job), stream, *keys.COUNTED]
        answer: bytes = await self._streams.asked(
            stream, lambda: _COMMIT(self._redis, named, *said), breakable=True
        )
        return answer.decode()

    async def drop(self, stream: str, entry: str, job: str, shard: int, ttl: int) -> None:
        """Let go of a shard that needs no record."""
        named = [*keys.of_job(job), stream, *keys.COUNTED]
        await self._streams.asked(
            stream, lambda: _DROP(self._redis, named, entry, shard, ttl), breakable=True
        )

    def marks(self, job: str) -> Marks:
        """What a quarantine notes of a job."""
        return Marks(self._redis, self._patience, job)
