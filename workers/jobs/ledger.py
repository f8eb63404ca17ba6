"""Jobs as clients see them: handed in, looked at, read, released, cancelled, removed.

Everything is asked for a few seconds, not for ever: somebody waits for the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import ResponseError

from workers.jobs import keys
from workers.jobs.backlog import Backlog, read_backlog
from workers.jobs.cancel import cancel_job
from workers.jobs.connection import Redis
from workers.jobs.fields import BadEntry, Job, parse_entry
from workers.jobs.patience import Patience, told
from workers.jobs.recorded import Shard, read_shard
from workers.jobs.refusals import (
    IntakeExhausted,
    JobExpired,
    JobOver,
    JobUnknown,
    OtherRequest,
    RedisBroken,
)
from workers.jobs.scripts import Script
from workers.jobs.states import JobState, of_entry, of_hash, place
from workers.manifest.kept import remove_upload

__all__ = ["Ledger", "Released", "Submitted"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_DELETE, _LOOK, _PAGE = Script("delete"), Script("look"), Script("page")
_REFUSED, _RELEASE = Script("refused"), Script("release")
_RESULTS, _SUBMIT = Script("results"), Script("submit")

WITHIN_SECONDS = 5.0
#: A submission is known by its token for so long.
TOKEN_SECONDS = 24 * 3600
#: One script looks at so many jobs, and drops so many shards of results.
LOOKED_AT = 100
RELEASED_AT_ONCE = 10
#: So many dead letters, the newest, are looked at for an entry that is no job.
LETTERS = 1000

#: Answers that pass by themselves, or are mended by whoever runs Redis. Others of the plain kind
#: say that a key is not what it should be, and will say so again.
_PASSING = (
    "MISCONF",
    "BUSY",
    "UNKILLABLE",
    "NOREPLICAS",
    "READONLY",
    "OOM",
    "LOADING",
    "MASTERDOWN",
)
_EXHAUSTED = ("exhausted", "equal or smaller")


class Submitted(NamedTuple):
    """The answer to a submission."""

    job: str
    new: bool  #: False: it was handed in before


class Released(NamedTuple):
    """What a release dropped."""

    entries: int
    rows: int


class Ledger:
    """All of it may raise RedisAway, and RedisBroken where keys are not as we have them."""

    def __init__(self, redis: Redis, *, root: Path, ttl: int) -> None:
        """*root* is the data root, *ttl* seconds a job is kept after its end."""
        self._redis = redis
        self._patience = Patience(redis)
        self._root = root
        self._ttl = ttl

    async def check(self, *, within: float | None = None) -> None:
        """Return if Redis answers, *within* so many seconds if it is said."""
        await self._ask(lambda: self._redis.execute_command("EXISTS", keys.INTAKE), within=within)

    async def backlog(self, *, within: float | None = None) -> Backlog:
        """What jobs came to, what waits and who works."""
        return await self._ask(lambda: read_backlog(self._redis), within=within)

    async def submit(self, job: Job, token: str, fingerprint: str) -> Submitted:
        """Hand *job* in, once for each *token*.

        Raises:
            OtherRequest: the token was used for another *fingerprint*.
            IntakeExhausted: no further entry can be added.
        """
        fields = [part for pair in job.entry().items() for part in pair]
        said = (TOKEN_SECONDS, fingerprint, *fields)
        named = [keys.once(token), keys.INTAKE]
        answer, found = await self._ask(lambda: _SUBMIT(self._redis, named, *said))
        job_id = found.decode(errors="replace")
        if answer == b"OTHER":
            raise OtherRequest
        if not keys.is_job_id(job_id):
            raise RedisBroken("what is kept of an earlier submission is not ours")
        return Submitted(job_id, answer == b"OK")

    async def state(self, job: str) -> JobState:
        """How *job* stands. Raises JobExpired, JobUnknown (with why it was refused, if it was)."""
        ((_, found),) = (await self._look([job])).items()
        if isinstance(found, JobUnknown):
            said = (keys.INTAKE, job, LETTERS)
            reason = await self._ask(lambda: _REFUSED(self._redis, [keys.DEAD], *said))
            if reason is not None:
                raise JobUnknown(job, reason.decode(errors="replace"))
        if isinstance(found, Exception):
            raise found
        return found

    async def page(self, after: str | None, limit: int) -> tuple[list[JobState], str | None]:
        """Jobs, newest first, older than *after*; and a cursor for the next page, if there is one.

        Of *limit* names some may be of no job any more: a page may be shorter and not the last.
        """
        count = limit + 1
        if after is None:
            said: tuple[str | int, ...] = ("+", "+", count)
        elif place(after) == (0, 0):
            return [], None
        else:
            said = (f"({keys.member(after)}", f"({after}", count)
        named = [keys.INDEX, keys.INTAKE]
        members, ids, on = await self._ask(lambda: _PAGE(self._redis, named, *said))
        while on:
            ask = partial(_PAGE, self._redis, named, "-", on, count - len(ids))
            _, more, on = await self._ask(ask)
            ids += more
        names = {place(name.decode()) for name in (*members, *ids)}
        chosen = [f"{one}-{two}" for one, two in sorted(names, reverse=True)]
        following = chosen[limit - 1] if len(chosen) > limit else None
        found: dict[str, JobState | Exception] = {}
        for first in range(0, min(limit, len(chosen)), LOOKED_AT):
            found |= await self._look(chosen[first : min(limit, first + LOOKED_AT)])
        return [state for state in found.values() if isinstance(state, JobState)], following

    async def cancel(self, job: str) -> JobState:
        """Cancel *job*, if it is not cancelled already. Raises JobUnknown, JobExpired, JobOver."""
        before = await self.state(job)
        answer = await self._ask(
            lambda: cancel_job(self._redis, job, root=self._root, ttl=self._ttl)
        )
        if answer == "unknown":
            raise JobUnknown(job)
        if answer != "cancelled":
            raise JobOver(job, answer)
        remove_upload(self._root, before.upload)
        return await self.state(job)

    async def delete(self, job: str) -> None:
        """Remove *job* and all that is kept of it. Raises JobUnknown."""
        (found,) = (await self._look([job])).values()
        kind = keys.KINDS[0]
        if isinstance(found, JobState):
            kind = found.kind
        elif isinstance(found, JobUnknown):
            raise found
        named = [*keys.of_job(job), keys.INTAKE, keys.INDEX]
        named += [keys.open_jobs(kind), keys.shards(kind), *keys.COUNTED]
        await self._ask(lambda: _DELETE(self._redis, named, job, keys.member(job)))
        if isinstance(found, JobState):
            remove_upload(self._root, found.upload)

    async def release(self, job: str, through: str) -> Released:
        """Drop the results of *job* up to and with *through*. Raises JobUnknown, JobExpired."""
        await self.state(job)
        named = [keys.job(job), keys.results(job)]
        entries = rows = 0
        while True:
            answer = await self._ask(
                lambda: _RELEASE(self._redis, named, through, RELEASED_AT_ONCE)
            )
            if len(answer) < 2:
                raise JobUnknown(job)
            entries, rows = entries + int(answer[0]), rows + int(float(answer[1]))
            if int(answer[0]) < RELEASED_AT_ONCE:
                return Released(entries, rows)

    async def results(self, job: str, after: str, count: int, most_bytes: int) -> list[Shard]:
        """The next *count* entries of results behind *after*; fewer, but one, over *most_bytes*."""
        said = (after, count, most_bytes)
        found = await self._ask(lambda: _RESULTS(self._redis, [keys.results(job)], *said))
        return [read_shard(entry_id.decode(), _pairs(fields)) for entry_id, fields in found]

    async def last_result(self, job: str) -> str | None:
        """The cursor of the last entry of results, None where there is none."""
        said = ("XREVRANGE", keys.results(job), "+", "-", "COUNT", 1)
        found = await self._ask(lambda: self._redis.execute_command(*said))
        return found[0][0].decode() if found else None

    async def _look(self, jobs: Sequence[str]) -> dict[str, JobState | Exception]:
        told: dict[str, JobState | Exception] = {}
        while rest := jobs[len(told) :]:
            named = [keys.INTAKE, keys.INDEX, *map(keys.job, rest)]
            said = [part for job in rest for part in (job, keys.member(job))]
            now, *finds = await self._ask(partial(_LOOK, self._redis, named, *said))
            pairs = zip(rest, finds, strict=False)  # large ones are told a few at a time
            told |= {job: self._read(job, find, float(now)) for job, find in pairs}
        return told

    def _read(self, job: str, find: list[Any], now: float) -> JobState | Exception:
        """What was found of a job, or what is to be raised where that is asked for."""
        if find[0] == b"EXPIRED":
            return JobExpired(job)
        if find[0] == b"NONE":
            return JobUnknown(job)
        try:
            if find[0] == b"JOB":
                return of_hash(job, _pairs(find[1]), now)
            if find[0] == b"ENTRY":
                asked = parse_entry(_pairs(find[1]), self._root)
                return of_entry(job, asked, now) if isinstance(asked, Job) else JobUnknown(job)
            return RedisBroken(f"what is kept of job {job} is not ours")
        except BadEntry:  # garbage on its way to the dead letters
            return JobUnknown(job)
        except ValueError as exc:
            return RedisBroken(f"what is kept of job {job} is not ours: {exc}")

    async def _ask(self, ask: Callable[[], Awaitable[T]], *, within: float | None = None) -> T:
        async def once() -> T:
            try:
                return await ask()
            except ResponseError as exc:
                text = str(exc)
                if any(sign in text for sign in _EXHAUSTED):
                    raise IntakeExhausted from exc
                if type(exc) is not ResponseError or any(sign in text for sign in _PASSING):
                    raise
                extra = {"action": "redis_broken", "reason": told(exc)}
                logger.warning("a key in Redis is not as it should be", extra=extra)
                raise RedisBroken("a key of the queue in Redis is not as it should be") from exc

        return await self._patience(once, within=within or WITHIN_SECONDS)


def _pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=False))
