"""A shard → its records, through the same pipeline as every stream → recorded."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
from pydantic import ValidationError

from imaging.facts import ErrorCode, Failure
from workers.asked import ASKED, wrong_fields
from workers.batches.recipe import differs
from workers.engine import Engine
from workers.errors import PredictorAway, PredictorError, PredictorLost
from workers.jobs import keys
from workers.jobs.batch_work import BatchWork
from workers.jobs.leases import Held
from workers.jobs.patience import KeyBroken
from workers.jobs.quarantine import Quarantine
from workers.jobs.recording import Loaded, Recording
from workers.jobs.shards import BadShard, NotYet, Place, load_rows, place_of
from workers.jobs.streams import Entry, Streams
from workers.jobs.work import InfoWork, Work
from workers.manifest.kept import remove_upload
from workers.manifest.rows import Row
from workers.options import InfoOptions, Options
from workers.summary import Answering, Summary
from workers.tracing import spans
from workers.tracing.traceparent import Traceparent

__all__ = ["MOST_DELIVERIES", "QUARANTINE_DELIVERIES", "Ready", "Runner"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A shard given to so many consumers is looked at row by row: one of them may have killed them.
QUARANTINE_DELIVERIES = 3
#: Nobody could finish it: each of its rows is told as such. Deaths that are put down to rows do not
#: count, outages of Redis that are longer than a lease do.
MOST_DELIVERIES = 30


class Ready(NamedTuple):
    """A shard that can be run."""

    place: Place
    rows: Sequence[Row]
    work: Work
    traceparent: Traceparent | None


class Runner:
    """Runs shards in this process."""

    def __init__(self, engine: Engine, streams: Streams, recording: Recording) -> None:
        self._engine = engine
        self._streams = streams
        self._recording = recording
        self._ttl = int(engine.settings.result_ttl)

    async def prepare(self, held: Held) -> Ready | None:
        """See what an entry is and what it takes; None where it needs nothing more.

        This may wait for a predictor to be loaded, and blames nothing on the rows.

        Raises:
            RedisAway: the time for it was over.
            BadShard: it is no shard, or of no job: for the dead letters.
            NotYet: another consumer, or this one later, may know what to do with it.
        """
        place = place_of(held.entry.fields)
        held.job = place.job
        return await self._told(held, place, self._prepare(held, place))

    async def run(self, held: Held, ready: Ready) -> bool:
        """Work on its rows until it needs nothing more. Returns whether it was recorded.

        Raises:
            RedisAway: the time for it was over.
            NotYet: as `prepare`.
        """
        place = ready.place
        facts: dict[str, spans.Fact] = {
            "imagecensus.job": place.job,
            "imagecensus.shard": place.shard,
            "imagecensus.deliveries": held.entry.deliveries,
        }
        name = f"shard {held.stream.removeprefix(keys.shards(''))}"
        with spans.span(name, facts, kind="CONSUMER", parent=ready.traceparent):
            return await self._told(held, place, self._run(held, ready)) or False

    async def _told(self, held: Held, place: Place, doing: Coroutine[Any, Any, T]) -> T | None:
        """What *doing* comes to; None where the job fails over it, and says so."""
        try:
            try:
                return await doing
            except PredictorAway as exc:  # another consumer may have it, or this one later
                if held.entry.deliveries <= MOST_DELIVERIES:
                    raise NotYet(str(exc)) from exc
                await self._condemn(held, place, str(exc))
            except (PredictorError, PredictorLost) as exc:
                await self._condemn(held, place, str(exc))
        except KeyBroken as exc:
            await self._streams.spoil(held.stream, held.entry, place.job, str(exc), self._ttl)
        return None

    async def _prepare(self, held: Held, place: Place) -> Ready | None:
        stream, entry = held.stream, held.entry
        loaded = await self._recording.load(*place)
        if loaded.state is not None and loaded.rows is None and place.shard >= loaded.fed:
            raise BadShard(f"the job {place.job} has no shard {place.shard}")
        if loaded.state in (None, "cancelled") or loaded.rows is None:
            await self._recording.drop(stream, entry.id, *place, self._ttl)
            return None
        try:
            rows = load_rows(loaded.rows)
        except BadShard as exc:
            raise KeyBroken(str(exc)) from exc
        try:
            options = _options(loaded)
        except BadShard as exc:
            if entry.deliveries <= MOST_DELIVERIES:
                raise NotYet(str(exc)) from exc
            raise KeyBroken(str(exc)) from exc
        work = await self._work(place, loaded, options)
        return Ready(place, rows, work, loaded.traceparent)

    async def _run(self, held: Held, ready: Ready) -> bool:
        stream, entry, (place, rows, work, _) = held.stream, held.entry, ready
        records: Sequence[Answering]
        if entry.deliveries > MOST_DELIVERIES and await self._hopeless(place.job, rows, entry):
            others = entry.deliveries - 1
            told = f"{others} consumers were given this row and its neighbours; none finished"
            records = work.given_up(rows, Failure(ErrorCode.WORKER_DIED, told))
            reason = f"no consumer could finish it in {others} attempts"
            await self._streams.report_dead(stream, entry, reason)
        elif entry.deliveries >= QUARANTINE_DELIVERIES:
            quarantine = Quarantine(self._recording.marks(place.job))
            records = await work.suspected(held, rows, quarantine)
        else:
            records = await work.records(held, rows)
        answer = "NOINPUT"
        if records or not held.over:
            answer = await self._record(held, place, work, records)
        if answer == "NOINPUT":  # dropped meanwhile, or none of its rows was begun
            await self._recording.drop(stream, entry.id, *place, self._ttl)
        return answer == "OK"

    async def _work(self, place: Place, loaded: Loaded, options: Options) -> Work:
        """What to do with the rows.

        Raises:
            PredictorError: the predictor is not here, or not the one the job began with.
            PredictorAway: it could not be loaded just now.
        """
        # Shards of a job that run here know of one another's URLs.
        known = self._engine.repeats.of_job((place.job, loaded.kind, loaded.options))
        if isinstance(options, InfoOptions):
            return InfoWork(self._engine, options, known)
        named = f"predictor {options.predictor}"
        try:
            recipe = await self._engine.recipe(options)
        except PredictorError as exc:
            if exc.field != "predictor":
                raise
            raise PredictorError(named, exc.sentence) from exc
        pinned = loaded.provenance
        if pinned is None:
            pinned = await self._recording.pin(place.job, orjson.dumps(recipe.provenance()))
        if pinned is not None and (problem := differs(_read(pinned), recipe)):
            raise PredictorError(named, problem)
        return BatchWork(self._engine, options, recipe, known)

    async def _condemn(self, held: Held, place: Place, why: str) -> None:
        """Fail the job. Clients read why; which host it was is in the log only."""
        reason = f"{why} (on the consumer that took shard {place.shard})"
        extra = {"action": "job_failed", "job": place.job, "reason": reason}
        logger.warning("a job failed", extra=extra)
        upload = await self._recording.condemn(
            held.stream, held.entry.id, *place, reason, self._ttl
        )
        if upload is not None:
            remove_upload(Path(self._engine.settings.data_root), upload)

    async def _hopeless(self, job: str, rows: Sequence[Row], entry: Entry) -> bool:
        """Whether there were more deliveries than the rows found to kill account for."""
        marks = await self._recording.marks(job).all()
        return entry.deliveries > MOST_DELIVERIES + sum(marks.get(row.index, 0) for row in rows)

    async def _record(
        self, held: Held, place: Place, work: Work, records: Sequence[Answering]
    ) -> str:
        summary = Summary()
        for record in records:
            summary.count(record)
        spans.note(summary.facts())
        lines = b"".join([record.line() for record in records])
        return await self._recording.commit(
            held.stream,
            held.entry.id,
            *place,
            lines=lines,
            summary=summary,
            software=work.software,
            ttl=self._ttl,
        )


def _options(loaded: Loaded) -> Options:
    """Options as the job keeps them. Raises BadShard."""
    try:
        return ASKED[loaded.kind].model_validate(orjson.loads(loaded.options)).options()
    except ValidationError as exc:
        wrong = "; ".join(f"{name}: {sentence}" for name, sentence in wrong_fields(exc))[:200]
    except orjson.JSONDecodeError as exc:
        wrong = f"not JSON: {exc.msg}"
    except KeyError:
        wrong = f"there is no kind {loaded.kind[:40]!r}"
    raise BadShard(f"the options of the job cannot be read, by this version: {wrong}")


def _read(provenance: bytes) -> dict[str, object]:
    """What is pinned. Raises KeyBroken where it is not ours."""
    try:
        said = orjson.loads(provenance)
    except orjson.JSONDecodeError as exc:
        raise KeyBroken("the provenance of the job is not JSON") from exc
    if not isinstance(said, dict):
        raise KeyBroken("the provenance of the job is not an object")
    return said
