"""A shard → its records, through the same pipeline as every stream → recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import orjson

from imaging.facts import ErrorCode, Failure
from workers.engine import Engine
from workers.fetch.targets import without_userinfo
from workers.jobs.leases import Held
from workers.jobs.patience import KeyBroken
from workers.jobs.quarantine import Quarantine
from workers.jobs.shards import BadShard, NotYet, Place, load_rows, place_of
from workers.jobs.streams import Entry, Streams
from workers.manifest.rows import Row
from workers.options import Depth, InfoOptions
from workers.pipeline import inspect_rows
from workers.records import Record, Summary

__all__ = ["MOST_DELIVERIES", "QUARANTINE_DELIVERIES", "Runner"]

logger = logging.getLogger(__name__)

#: A shard given to so many consumers is looked at row by row: one of them may have killed them.
QUARANTINE_DELIVERIES = 3
#: Nobody could finish it: each of its rows is told as such. Deaths that are put down to rows do not
#: count, outages of Redis that are longer than a lease do.
MOST_DELIVERIES = 30
#: Longer than any row takes: the pipeline answers every row.
IDLE_SECONDS = 60.0


class Runner:
    """Runs shards in this process."""

    def __init__(self, engine: Engine, streams: Streams) -> None:
        self._engine = engine
        self._streams = streams

    async def run(self, held: Held) -> bool:
        """Work on an entry until it needs nothing more. Returns whether it was recorded.

        Raises:
            RedisAway: the time for it was over.
            BadShard: it is no shard, or of no job: for the dead letters.
            NotYet: a consumer of another version may know what to do with it.
        """
        place = place_of(held.entry.fields)
        held.job = place.job
        try:
            return await self._run(held, place)
        except KeyBroken as exc:
            ttl = int(self._engine.settings.result_ttl)
            await self._streams.spoil(held.stream, held.entry, place.job, str(exc), ttl)
            return False

    async def _run(self, held: Held, place: Place) -> bool:
        stream, entry = held.stream, held.entry
        loaded = await self._streams.load(*place)
        ttl = int(self._engine.settings.result_ttl)
        if loaded.state is not None and loaded.rows is None and place.shard >= loaded.fed:
            raise BadShard(f"the job {place.job} has no shard {place.shard}")
        if loaded.state in (None, "cancelled") or loaded.rows is None:
            await self._streams.drop(stream, entry.id, *place, ttl)
            return False
        try:
            rows = load_rows(loaded.rows)
        except BadShard as exc:
            raise KeyBroken(str(exc)) from exc
        try:
            options = _options(loaded.options)
        except BadShard as exc:
            if entry.deliveries <= MOST_DELIVERIES:
                raise NotYet(str(exc)) from exc
            raise KeyBroken(str(exc)) from exc
        if entry.deliveries > MOST_DELIVERIES and await self._hopeless(place.job, rows, entry):
            records = self._given_up(rows, entry.deliveries)
            reason = f"no consumer could finish it in {entry.deliveries - 1} attempts"
            await self._streams.report_dead(stream, entry, reason)
        elif entry.deliveries >= QUARANTINE_DELIVERIES:
            quarantine = Quarantine(self._streams.marks(place.job))
            records = await quarantine.run(rows, lambda some: self._inspect(held, some, options))
        else:
            records = await self._inspect(held, rows, options)
        answer = "NOINPUT"
        if records or not held.over:
            answer = await self._record(held, place, records, ttl)
        if answer == "NOINPUT":  # dropped meanwhile, or none of its rows was begun
            await self._streams.drop(stream, entry.id, *place, ttl)
        return answer == "OK"

    async def _hopeless(self, job: str, rows: Sequence[Row], entry: Entry) -> bool:
        """Whether there were more deliveries than the rows found to kill account for."""
        marks = await self._streams.marks(job).all()
        return entry.deliveries > MOST_DELIVERIES + sum(marks.get(row.index, 0) for row in rows)

    async def _record(self, held: Held, place: Place, records: list[Record], ttl: int) -> str:
        summary = Summary()
        for record in records:
            summary.count(record)
        lines = b"".join([record.line() for record in records])
        return await self._streams.commit(
            held.stream, held.entry.id, *place, lines=lines, summary=summary, ttl=ttl
        )

    async def _inspect(self, held: Held, rows: Sequence[Row], options: InfoOptions) -> list[Record]:
        """The records of *rows*. A cancelled job cuts it short: what is under way says so."""
        records: list[Record] = []
        if held.over:
            return records
        async with inspect_rows(self._engine, _given(rows), options) as inspection:
            stopping: list[asyncio.Task[bool]] = []
            held.on_over = lambda: stopping.append(asyncio.create_task(inspection.stop()))
            try:
                async for some in inspection.batches(idle=IDLE_SECONDS):
                    records += some
            finally:
                held.on_over = None
                await asyncio.gather(*stopping)
        return records

    @staticmethod
    def _given_up(rows: Sequence[Row], deliveries: int) -> list[Record]:
        told = f"{deliveries - 1} consumers were given this row and its neighbours; none finished"
        failure = Failure(ErrorCode.WORKER_DIED, told)
        return [
            Record(row.index, row.id, _shown(row), row.problem or failure, extra=row.extra)
            for row in rows
        ]


def _shown(row: Row) -> str | None:
    return None if row.url is None else without_userinfo(row.url)


async def _given(rows: Sequence[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row


def _options(text: bytes) -> InfoOptions:
    """Options as the job keeps them. Raises BadShard."""
    try:
        said = orjson.loads(text)
        said["depth"] = Depth(said["depth"])
        return InfoOptions(**said)
    except (ValueError, TypeError, KeyError) as exc:
        told = f"the options of the job cannot be read, by this version: {str(exc)[:100]}"
        raise BadShard(told) from exc
