"""What all jobs came to, what waits, and who works on it: Redis asked once, at one moment.

Anybody may have written there: what is not as this service writes it is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from imaging.facts import ErrorCode
from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.living import LIVING_SECONDS
from workers.jobs.scripts import Script

__all__ = ["JOB_EVENTS", "STREAMS", "Backlog", "Standing", "Totals", "read_backlog"]

_BACKLOG = Script("backlog")

#: The streams that are watched, by what they are called then.
STREAMS = {"intake": keys.INTAKE} | {f"shards:{kind}": keys.shards(kind) for kind in keys.KINDS}
#: What becomes of jobs and is counted. One that is deleted while it runs is not counted as ended.
JOB_EVENTS = ("started", "done", "failed", "cancelled", "deleted")

_NUMBER = re.compile(rb"\d{1,18}")
_CODES = frozenset(code.value for code in ErrorCode)


@dataclass(frozen=True, slots=True)
class Totals:
    """What recorded shards of a kind add up to, each counted once."""

    shards: int = 0
    rows: int = 0
    ok: int = 0
    bytes: int = 0  #: downloaded
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """A stream and its group. Entries that have served are taken out, so all are still to do."""

    length: int
    pending: int | None  #: given to consumers, not done; None without a group
    lag: int | None  #: as Redis tells it, from version 7 on and where it knows
    oldest_waiting: float | None  #: seconds since the oldest entry came that nobody was given

    @property
    def waiting(self) -> int:
        """Entries that nobody was given yet."""
        return max(0, self.length - (self.pending or 0))


@dataclass(frozen=True, slots=True)
class Backlog:
    """One moment."""

    totals: Mapping[str, Totals]  #: by kind
    jobs: Mapping[str, int]  #: by JOB_EVENTS
    dead: int | None  #: letters kept
    streams: Mapping[str, Standing]  #: by their names in STREAMS, those that are there
    consumers: Mapping[str, int]  #: living, by kind
    capacity: Mapping[str, int]  #: shards they run at once, by kind
    splitting: Mapping[str, int]  #: jobs being split, by kind
    running: int | None  #: jobs that were begun and have not ended; None where that is not known


async def read_backlog(redis: Redis) -> Backlog:
    """Ask for all of it. Raises what the client raises."""
    named = [keys.TOTALS, keys.DEAD, keys.CONSUMERS, keys.RUNNING, *STREAMS.values()]
    named += map(keys.open_jobs, keys.KINDS)
    named += [keys.CAPACITY + kind for kind in keys.KINDS]
    said = (len(STREAMS), len(keys.KINDS))
    now_ms, totals, dead, consumers, running, streams, splitting, capacity = await _BACKLOG(
        redis, named, *said
    )
    counts = {
        name.decode(errors="replace"): int(value)
        for name, value in _pairs(totals)
        if _NUMBER.fullmatch(value)
    }
    return Backlog(
        totals={kind: _totals(counts, kind) for kind in keys.KINDS},
        jobs={event: counts.get(f"jobs:{event}", 0) for event in JOB_EVENTS},
        dead=dead,
        streams={
            name: _standing(told, now_ms)
            for name, told in zip(STREAMS, streams, strict=True)
            if told
        },
        consumers=_living([said for _, said in _pairs(consumers)], now_ms),
        capacity=_by_kind(capacity),
        splitting=_by_kind(splitting),
        running=running,
    )


def _pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _totals(counts: Mapping[str, int], kind: str) -> Totals:
    begins = f"{kind}:error:"
    errors = {
        code: count
        for name, count in counts.items()
        if name.startswith(begins) and (code := name.removeprefix(begins)) in _CODES
    }
    named = ("shards", "rows", "ok", "bytes")
    shards, rows, ok, size = (counts.get(f"{kind}:{name}", 0) for name in named)
    return Totals(shards, rows, ok, size, errors)


def _standing(told: Sequence[Any], now_ms: int) -> Standing:
    length, pending, lag, waiting = told
    age = None
    if waiting is not None:  # an id written by hand may be of any time
        age = max(0.0, (now_ms - int(waiting.partition(b"-")[0])) / 1000)
    return Standing(length, pending, lag, age)


def _living(said: Sequence[bytes], now_ms: int) -> Counter[str]:
    living = Counter(dict.fromkeys(keys.KINDS, 0))
    for one in said:
        try:
            told = orjson.loads(one)
            fresh = abs(now_ms - told["seen"]) <= LIVING_SECONDS * 1000
            kinds = [kind for kind in keys.KINDS if kind in told["kinds"]]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        if fresh:
            living.update(kinds)
    return living


def _by_kind(numbers: Sequence[Any]) -> dict[str, int]:
    """Numbers as they come, integers or text, of the kinds in their order."""
    found = {}
    for kind, number in zip(keys.KINDS, numbers, strict=True):
        text = number if isinstance(number, bytes) else str(number or 0).encode()
        found[kind] = int(text) if _NUMBER.fullmatch(text) else 0
    return found
