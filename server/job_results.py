"""A job's results as a stream: the lines as they were recorded, resumable at a cursor; or a table.

Nothing is missed at the end: the state of a job is asked for, then its results; where nothing came
of them and it had ended before, nothing will. Nothing else is taken for the end of a job.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from server import keys
from server.answers import Answer, LinesAnswer
from server.job_requests import check_query, cursor_of, job_of, ledger_of, wrong
from server.ndjson import IDLE_SECONDS, log_end
from server.problems import RequestError
from server.readers import Readers
from server.tables import TableAnswer, table_asked
from workers.errors import WorkError
from workers.jobs.ledger import Ledger
from workers.jobs.patience import RedisAway
from workers.jobs.recorded import Shard
from workers.jobs.refusals import JobExpired, JobUnknown
from workers.jobs.states import JobState, place
from workers.lines import start_line
from workers.summary import progress_line

__all__ = ["results"]

logger = logging.getLogger(__name__)

#: Where a stream begins.
START = "0-0"
#: A job that is followed is looked at so often while nothing comes.
LOOK_SECONDS = 0.25
#: Entries read at once: so much of them, or one. Each reader holds that, whether it reads or not.
BATCH_BYTES = 1024 * 1024
BATCH_ENTRIES = 32

_FOLLOW = {"0": False, "false": False, "1": True, "true": True}


async def results(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/jobs/{id}/results`: what is there, or with `follow` all there will be.

    A table is of all there will be.
    """
    table = table_asked(request)
    check_query(request, "after", "follow")
    after = cursor_of(request, "after") or START
    follow = _FOLLOW.get(request.query.get("follow", "0"))
    if follow is None:
        raise wrong("follow", "give 1 or 0")
    ledger, job = ledger_of(request), job_of(request)
    readers = request.app[keys.READERS]
    with readers.entered(follow=follow):
        state = await ledger.state(job)
        _check_released(state, after)
        if table is not None:
            _check_done(state, follow=follow)
        last = await ledger.last_result(job)
        if last is None and state.summary.rows > state.released_rows:
            # There were some before; now there are none. A release says so in the state.
            _check_released(again := await ledger.state(job), after)
            if again.released == state.released:
                raise RequestError(410, f"the results of the job {job} are no longer in Redis")
        until = None if follow else last or after
        answer: Answer = LinesAnswer(request)
        if table is not None:
            answer = TableAnswer(request, table, state.kind, job=job)
        return await _Reading(answer, ledger, readers, state, after, until).write()


def _check_released(state: JobState, after: str) -> None:
    """Raises RequestError (410) where results behind *after* are gone."""
    if state.released is not None and place(after) < place(state.released):
        told = f"results up to {state.released} were released: read on with after={state.released}"
        raise RequestError(410, told, fields=[("after", told)])


def _check_done(state: JobState, *, follow: bool) -> None:
    """Raises RequestError (409) where there is no table of the whole job, nor will there be."""
    if state.state == "done" or (follow and state.state in ("queued", "running")):
        return
    told = f"a table is of all rows, and the job is {state.state}"
    if not state.settled:
        told += ": follow=1 waits for its end"
    raise RequestError(409, told)


class _Reading:
    """One answer being written."""

    def __init__(
        self,
        answer: Answer,
        ledger: Ledger,
        readers: Readers,
        state: JobState,
        after: str,
        until: str | None,
    ) -> None:
        """Of results behind *after*, until *until* is among them; None follows the job."""
        self._answer = answer
        self._ledger = ledger
        self._readers = readers
        self._state = state
        self._cursor = after
        self._until = until
        # Of a reading that leaves nothing out it is known how many rows it must come to.
        begun = after == (state.released or START)
        self._rows: int | None = state.released_rows if begun else None
        self._seen: dict[int, int] = {}  # shards given out, 4,096 a number
        self._odd = False  # whether an entry that is not ours was met

    async def write(self) -> web.StreamResponse:
        """Write all of it. Raises ConnectionError where the client is gone."""
        state = self._state
        try:
            await self._answer.begin(
                start_line(
                    kind=state.kind, manifest=state.manifest, options=state.options, job=state.id
                )
            )
            await self._write_all()
        finally:
            self._answer.close()
        return self._answer.response

    async def _write_all(self) -> None:
        try:
            reason = await self._give_out()
        except RedisAway:
            reason = "Redis does not answer"
        except JobUnknown:
            reason = "deleted"
        except JobExpired:
            reason = "expired"
        except WorkError as exc:
            reason = f"failed: {exc}"
        state = self._state
        line = state.summary.line(
            seconds=state.seconds,
            manifest_sha256=state.manifest_sha256,
            provenance=state.provenance,
            reason=reason,
            cursor=self._cursor,
        )
        await self._answer.finish(line, reason)
        log_end(state.summary, reason)

    async def _give_out(self) -> str | None:
        """Write record and progress lines; returns why that is not all, None where it is."""
        loop = asyncio.get_running_loop()
        told = loop.time()
        while not self._readers.draining:
            shards = await self._ledger.results(
                self._state.id, self._cursor, BATCH_ENTRIES, BATCH_BYTES
            )
            before, self._state = self._state, await self._ledger.state(self._state.id)
            released = self._state.released
            if released is not None and place(self._cursor) < place(released):
                return f"released: read on with after={released}"
            for shard in shards:
                await self._write(shard)
            if shards or loop.time() - told >= IDLE_SECONDS:
                summary = self._state.summary
                await self._answer.progress(progress_line(summary, cursor=self._cursor))
                told = loop.time()
            if not before.settled and self._is_far_enough():  # more may lie behind it by now
                return "running"
            if not shards:
                if before.settled or self._until is not None:
                    return self._ended(before)
                await self._readers.rest(LOOK_SECONDS)
        return "draining"

    def _is_far_enough(self) -> bool:
        return self._until is not None and place(self._cursor) >= place(self._until)

    async def _write(self, shard: Shard) -> None:
        self._cursor = shard.cursor
        if shard.shard is None:
            if not self._odd:
                extra = {"action": "odd_result", "job": self._state.id, "entry": shard.cursor}
                logger.warning("entries of results are not ours and passed over", extra=extra)
            self._odd = True
            return
        chunk, bit = divmod(shard.shard, 4096)
        if self._seen.get(chunk, 0) >> bit & 1:
            return
        self._seen[chunk] = self._seen.get(chunk, 0) | 1 << bit
        if self._rows is not None:
            self._rows += shard.rows
        await self._answer.write((shard.lines,), shard.rows)

    def _ended(self, state: JobState) -> str | None:
        """Why results given out are not all of the job, as it stood before the last were read."""
        if not state.settled:
            return "running"
        if state.state == "done":
            missing = 0 if self._rows is None else state.summary.rows - self._rows
            return f"failed: {missing} rows are no longer in Redis" if missing > 0 else None
        return "cancelled" if state.state == "cancelled" else f"failed: {state.failure}"
