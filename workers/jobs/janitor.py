"""What nobody else looks after: names of consumers that died and of jobs that expired, files of
jobs that are over, entries that somebody removed by hand. Any consumer does it, now and then;
twice does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.patience import KeyBroken, Patience, RedisAway
from workers.jobs.scripts import Script
from workers.jobs.states import place
from workers.jobs.streams import Streams
from workers.settings import WorkSettings

__all__ = ["Janitor"]

logger = logging.getLogger(__name__)

_CLOSED, _FORGET = Script("closed"), Script("forget")
_REPAIR, _RUNNING, _UPLOADS = Script("repair"), Script("running"), Script("uploads")

EVERY_SECONDS = 60.0
#: Far longer than any consumer that lives is quiet.
IDLE_SECONDS = 3600.0
#: So many jobs of the index, and of those being split, are looked at in one round.
ROUND = 500
#: Part of an upload is a leftover once it did not grow for so long.
PART_SECONDS = 3600.0
#: A whole one that no job names is, once it is so old. Long, for another Redis may know its job:
#: docs/deploying.md tells not to have two on one data root, but somebody will.
ORPHAN_SECONDS = 24 * 3600.0

UNSPLIT = "its entry was removed from census:jobs before it was split whole"
UNREAD = "rows that were still to be looked at were removed from Redis"

#: A job in the index, as `keys.member` writes it.
_MEMBER = re.compile(rb"0*(\d+)-0*(\d+)\Z")
_UPLOAD = re.compile(r"[0-9a-f]{32}\.[a-z]+(\.part)?\Z")


class Janitor:
    """One consumer's share of the cleaning."""

    def __init__(
        self,
        settings: WorkSettings,
        redis: Redis,
        patience: Patience,
        streams: Streams,
        names: Sequence[str],
    ) -> None:
        """*names* are the streams to look after."""
        self._settings = settings
        self._redis = redis
        self._patience = patience
        self._streams = streams
        self._names = names
        self._after = b"-"  # where in the index the next round begins
        self._looked_at: list[bytes] = []  # by this round: jobs of the index
        # How far jobs were when this walk through the index, and the one before, came by.
        self._stood: dict[str, list[bytes]] = {}
        self._stood_before: dict[str, list[bytes]] = {}

    async def run(self) -> None:
        """Clean, for ever. At once when begun: after a crash there may be much."""
        while True:
            try:
                await self.round()
            except RedisAway:
                return
            except Exception:
                logger.exception("cleaning failed", extra={"action": "janitor_failed"})
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.8, 1.2))

    async def round(self) -> None:
        """Look at everything once."""
        for stream in self._names:
            await self._streams.sweep(stream, idle_seconds=IDLE_SECONDS)
        for clean in (self._look_at_jobs, self._close, self._count, self._drop_orphans):
            try:
                await clean()
            except KeyBroken as exc:
                extra = {"action": "janitor_failed", "reason": str(exc)}
                logger.warning("a key is broken: not cleaned", extra=extra)

    async def _look_at_jobs(self) -> None:
        """Jobs of the index: some need a mend, some expired long ago and are only a name."""
        found: list[bytes] = await self._patience(
            lambda: self._redis.execute_command(
                "ZRANGEBYLEX", keys.INDEX, self._after, "+", "LIMIT", 0, ROUND
            ),
            breakable=True,
        )
        self._after = b"(" + found[-1] if len(found) == ROUND else b"-"
        newest = (time.time() - 2 * self._settings.result_ttl) * 1000
        named = [(member, job) for member in found if (job := _job_of(member)) is not None]
        self._looked_at = [job.encode() for _, job in named]
        for member, job in named:
            with suppress(KeyBroken):  # whoever works on it says so
                await self._repair(job)
            if place(job)[0] < newest:
                ask = partial(_FORGET, self._redis, [keys.job(job), keys.INDEX], member)
                await self._patience(ask)
        if self._after == b"-":
            self._stood_before, self._stood = self._stood, {}

    async def _repair(self, job: str) -> None:
        """Put back what somebody removed by hand; a job that cannot go on says why."""
        names = ("state", "kind", "rows_fed", "done", "dropped")
        known = partial(self._redis.execute_command, "HMGET", keys.job(job), *names)
        state, kind, *stands = await self._patience(known, breakable=True)
        if state != b"running" or kind is None:
            return
        self._stood[job] = stands
        if self._stood_before.get(job, stands) != stands:
            return  # it gets on; looking for its entries is dear
        of_kind = kind.decode(errors="replace")
        named = [*keys.of_job(job), keys.shards(of_kind), keys.INTAKE, keys.open_jobs(of_kind)]
        named += keys.COUNTED
        said = (job, int(self._settings.result_ttl), UNSPLIT, UNREAD)
        ask = partial(_REPAIR, self._redis, named, *said)
        put_back = await self._patience(ask, breakable=True)
        if put_back:
            logger.warning(
                "entries of a job had been removed by hand",
                extra={"action": "repaired", "job": job, "shards": put_back},
            )

    async def _close(self) -> None:
        """Names of jobs that are not split (any more) lose their share of the room for shards."""
        for kind in keys.KINDS:
            found: list[bytes] = await self._patience(
                partial(self._redis.execute_command, "SRANDMEMBER", keys.open_jobs(kind), ROUND),
                breakable=True,
            )
            if found:
                jobs = [keys.job(member.decode(errors="replace")) for member in found]
                ask = partial(_CLOSED, self._redis, [keys.open_jobs(kind), *jobs], *found)
                await self._patience(ask)

    async def _count(self) -> None:
        """Jobs looked at in this round, and some that are said to run, do as their hash says."""
        ask = partial(self._redis.execute_command, "SRANDMEMBER", keys.RUNNING, ROUND)
        found: list[bytes] = await self._patience(ask, breakable=True)
        if names := {*self._looked_at, *found}:
            jobs = [keys.job(name.decode(errors="replace")) for name in names]
            ask = partial(_RUNNING, self._redis, [keys.RUNNING, *jobs], *names)
            await self._patience(ask, breakable=True)

    async def _drop_orphans(self) -> None:
        """Uploaded manifests whose job is over, or never was."""
        folder = Path(self._settings.data_root) / ".uploads"
        old = await asyncio.to_thread(_old_uploads, folder)
        if not old:
            return
        used = await self._used()
        for name in old - used:
            logger.info("an upload nobody needs", extra={"action": "orphan", "file": name})
            await asyncio.to_thread(_remove_old, folder / name)

    async def _used(self) -> set[str]:
        """Uploads named in the intake: the entry of a job stays there until it is split."""
        used: set[str] = set()
        after = b"-"
        while after:
            ask = partial(_UPLOADS, self._redis, [keys.INTAKE], after, ROUND)
            after, *names = await self._patience(ask, breakable=True)
            used.update(name.decode(errors="replace") for name in names)
        return used


def _job_of(member: bytes) -> str | None:
    """The job a name in the index is of."""
    found = _MEMBER.match(member)
    if found is None or len(member) != len(keys.member("0-0")):
        return None
    job = b"-".join(found.groups()).decode()
    return job if keys.is_job_id(job) else None


def _old_uploads(folder: Path) -> set[str]:
    try:
        return {
            path.name for path in folder.iterdir() if _UPLOAD.match(path.name) and _is_old(path)
        }
    except OSError:
        return set()


def _is_old(path: Path) -> bool:
    """Raises OSError where it is not there."""
    seconds = PART_SECONDS if path.suffix == ".part" else ORPHAN_SECONDS
    return path.lstat().st_mtime < time.time() - seconds


def _remove_old(path: Path) -> None:
    """Remove a file, unless a new one has its name by now."""
    with suppress(OSError):
        if _is_old(path):
            path.unlink()
