"""Entries of the intake: jobs are split, cancellations done, everything else buried."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from workers.jobs import keys
from workers.jobs.cancel import cancel_job
from workers.jobs.connection import Redis
from workers.jobs.feeding import Feed, NotOurs
from workers.jobs.fields import BadEntry, Cancel, Job, parse_entry
from workers.jobs.leases import Held
from workers.jobs.patience import KeyBroken, Patience, RedisAway
from workers.jobs.room import Room
from workers.jobs.splitter import split_job
from workers.jobs.streams import Streams
from workers.settings import WorkSettings
from workers.tracing import spans

__all__ = ["Intake"]

logger = logging.getLogger(__name__)


class Intake:
    """What this process does with entries of `census:jobs`."""

    def __init__(
        self, settings: WorkSettings, redis: Redis, patience: Patience, streams: Streams, room: Room
    ) -> None:
        self._settings = settings
        self._root = Path(settings.data_root)
        self._redis = redis
        self._patience = patience
        self._streams = streams
        self._room = room
        self._feeds: set[Feed] = set()
        self.inline_bytes = 0  #: of rows in the entries of jobs that are split now

    @property
    def splitting(self) -> int:
        """Jobs being split, but for those that wait for their results to be released."""
        return sum(not feed.paused for feed in self._feeds)

    async def take(self, held: Held) -> None:
        """Do what an entry asks for. Raises RedisAway."""
        size = len(held.entry.fields.get(b"images", b""))
        self.inline_bytes += size
        try:
            await self._take(held)
        except KeyBroken as exc:
            ttl = int(self._settings.result_ttl)
            await self._streams.spoil(keys.INTAKE, held.entry, held.entry.id, str(exc), ttl)
        finally:
            self.inline_bytes -= size

    async def _take(self, held: Held) -> None:
        try:
            asked = parse_entry(held.entry.fields, self._root)
            if isinstance(asked, Cancel):
                await self._cancel(held, asked)
        except BadEntry as exc:
            await self._streams.bury(keys.INTAKE, held.entry, str(exc))
            return
        if isinstance(asked, Job):
            facts: dict[str, spans.Fact] = {
                "imagecensus.job": held.entry.id,
                "imagecensus.deliveries": held.entry.deliveries,
            }
            name = f"split {asked.kind}"
            with spans.span(name, facts, kind="CONSUMER", parent=asked.traceparent):
                # Without a caller's, shards are in the trace of whoever began to split.
                given = asked.traceparent or spans.traceparent()
                await self._split(held, replace(asked, traceparent=given))

    async def _cancel(self, held: Held, asked: Cancel) -> None:
        """Raises BadEntry where there is nothing to cancel."""
        ttl = int(self._settings.result_ttl)
        state = await self._patience(
            lambda: cancel_job(self._redis, asked.job, root=self._root, ttl=ttl), breakable=True
        )
        if state == "unknown":
            raise BadEntry(f"cancel: there is no job {asked.job}")
        if state != "cancelled":
            raise BadEntry(f"cancel: the job {asked.job} is {state} already")
        await self._streams.finish(keys.INTAKE, held.entry.id)

    async def _split(self, held: Held, job: Job) -> None:
        entry = held.entry
        feed = Feed(self._redis, self._patience, self._room, entry.id, job.kind)
        self._feeds.add(feed)
        told = {"job": entry.id, "manifest": job.manifest, "deliveries": entry.deliveries}
        logger.info("a job is split", extra={"action": "splitting", **told})
        try:
            held.job = entry.id
            failed = await split_job(self._settings, feed, job, held)
        except (KeyBroken, RedisAway):
            raise
        except NotOurs:
            logger.info("a job is not ours to split", extra={"action": "not_ours", **told})
        except Exception:
            logger.exception("a job was not split", extra={"action": "split_bug", **told})
            await feed.fail(
                "an error of this service; the consumer's log has it",
                int(self._settings.result_ttl),
            )
        else:
            if failed is None:
                logger.info("a job is split whole", extra={"action": "split", **told})
            else:
                extra = {"action": "job_failed", "reason": failed, **told}
                logger.warning("a job failed", extra=extra)
                spans.fail("job_failed")
        finally:
            self._feeds.discard(feed)
