"""One attempt at one URL: → facts from the first bytes, or the whole body.

Header depth asks for the first 16 KiB, then for at most three further ranges the walker needs,
then for the file, of which it reads only as much as it must. Every failure is a value.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from aiohttp import ClientResponse, ClientSession, hdrs
from multidict import CIMultiDict

from imaging import header
from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.fetch.asking import Asking
from workers.fetch.deadlines import Deadlines, Watched
from workers.fetch.failures import NO_CONNECTION, failure_of, status_failure
from workers.fetch.lanes import Body, Outcome, Ticket, Verdict
from workers.fetch.memory import Budget, Reservation
from workers.fetch.ranges import (
    RANGE_BYTES,
    Answer,
    Kind,
    further,
    judge,
    range_header,
    strong_validator,
)
from workers.fetch.reading import Reading
from workers.fetch.retries import retry_after, seconds_until_next
from workers.records import Fetch
from workers.settings import WorkSettings

__all__ = ["Downloads"]

logger = logging.getLogger(__name__)

FURTHER_RANGES = 3

_FIRST = CIMultiDict({hdrs.RANGE: range_header(0, RANGE_BYTES)})


class Downloads:
    """Makes attempts. `header` and `body` are what a `Lane` calls for each ticket."""

    def __init__(self, session: ClientSession, settings: WorkSettings) -> None:
        self._asking = Asking(session, max_redirects=settings.max_redirects)
        self._settings = settings
        self._budget = Budget(int(settings.max_inflight_bytes))
        self._deadlines = Deadlines(settings.read_timeout)
        self._patience = min(settings.read_timeout, settings.timeout)

    def header(self, ticket: Ticket) -> Awaitable[Verdict]:
        """An attempt that ends in an ImageInfo or a Failure."""
        return self._attempt(ticket, self._facts)

    def body(self, ticket: Ticket) -> Awaitable[Verdict]:
        """An attempt that ends in a Body or a Failure."""
        return self._attempt(ticket, self._whole_body)

    async def _attempt(
        self, ticket: Ticket, work: Callable[[Ticket, Watched], Awaitable[Outcome]]
    ) -> Verdict:
        fetch = ticket.fetch
        if fetch.attempts:  # nothing of the attempt before stays, but what it cost
            ticket.fetch = fetch = Fetch(bytes=fetch.bytes, attempts=fetch.attempts)
            ticket.retry_after = 0.0
        fetch.attempts += 1
        outcome: Outcome
        watched = Watched(
            self._deadlines, ticket.lane.under_way[ticket], ticket.deadline, ticket.granted
        )
        try:
            with watched:
                outcome = await work(ticket, watched)
        except Exception as exc:
            outcome = failure_of(exc, answered=watched.response is not None)
            if outcome.code is ErrorCode.INTERNAL:
                logger.exception("a download raised", extra={"action": "fetch_bug"})
        else:
            if not isinstance(outcome, Failure):
                return Verdict(outcome)
        now = asyncio.get_running_loop().time()
        # A host is not silent that answered something, or that a client gave less than its time.
        silent = (
            outcome.code is ErrorCode.TIMEOUT
            and fetch.status is None
            and (now - ticket.granted >= self._patience or outcome.message == NO_CONNECTION)
        )
        wait = seconds_until_next(
            outcome,
            attempt=fetch.attempts,
            retries=self._settings.retries,
            asked=ticket.retry_after,
        )
        if wait is not None and now + wait >= ticket.deadline:
            wait = None
        return Verdict(outcome, wait, silent)

    async def _facts(self, ticket: Ticket, watched: Watched) -> ImageInfo | Failure:
        """Facts from ranges, or from as much of the whole file as it takes."""
        head, pieces = b"", list[tuple[int, bytes]]()
        offset, length, headers = 0, RANGE_BYTES, _FIRST
        total: int | None = None
        for _ in range(1 + FURTHER_RANGES):
            response = await self._asking.ask(ticket, watched, headers)
            try:
                answer = judge(response.status, response.headers, asked=offset)
                changed = total is not None and answer.kind is Kind.PART and answer.total != total
                if answer.kind is Kind.UNRANGED or changed:
                    await self._asking.drain(ticket, response)
                    break
                if answer.kind is not Kind.PART:
                    return await self._of_answer(ticket, response, answer)
                total = answer.total
                data = await self._part(ticket, response, length)
            finally:
                response.release()
            ticket.fetch.size_source = "content_range"
            if offset == 0:
                head = data
            else:
                pieces.append((offset, data))
            facts = header.inspect(head, total=total, more=pieces)
            if not isinstance(facts, header.Need):
                return facts
            offset, length = facts.offset, further(facts.length)
            headers = CIMultiDict({hdrs.RANGE: range_header(offset, length)})
            if (validator := strong_validator(response.headers)) is not None:
                headers[hdrs.IF_RANGE] = validator
        response = await self._asking.ask(ticket, watched, None)
        try:
            answer = judge(response.status, response.headers, asked=None)
            return await self._of_answer(ticket, response, answer)
        finally:
            response.release()

    async def _of_answer(
        self, ticket: Ticket, response: ClientResponse, answer: Answer
    ) -> ImageInfo | Failure:
        """Facts from an answer that is the whole file, or is not the file."""
        if answer.kind is Kind.EMPTY:
            return Failure(ErrorCode.EMPTY_BODY)
        if answer.kind is Kind.WHOLE:
            return await self._stream(ticket, response)
        await self._asking.drain(ticket, response)
        return self._not_the_file(ticket, response)

    async def _stream(self, ticket: Ticket, response: ClientResponse) -> ImageInfo | Failure:
        """Facts from a whole file that streams in, its size counted where it was not told."""
        fetch, cap = ticket.fetch, int(self._settings.max_image_bytes)
        told = response.content_length
        if told is not None and told > cap:
            return _too_large(cap, told)
        fetch.size_source = "counted" if told is None else "content_length"
        reading = Reading(told)
        while chunk := await response.content.readany():
            fetch.bytes += len(chunk)
            reading.feed(chunk)
            if isinstance(reading.outcome, Failure):
                return reading.outcome
            if reading.count > cap:
                return _too_large(cap, None)
            if reading.outcome is not None and told is not None:
                await self._asking.drain(ticket, response)
                return reading.outcome
        facts = reading.finish()
        return facts if isinstance(facts, Failure) else facts._replace(image_size=reading.count)

    async def _part(self, ticket: Ticket, response: ClientResponse, length: int) -> bytes:
        """The body of a 206, no more of it than was asked for."""
        told = response.content_length
        if told is not None and told <= length:
            try:
                return await response.read()
            finally:  # of a body that was cut, what came
                ticket.fetch.bytes += response.content.total_bytes
        chunks, count = [], 0
        while count < length and (chunk := await response.content.readany()):
            chunks.append(chunk)
            count += len(chunk)
            ticket.fetch.bytes += len(chunk)
        await self._asking.drain(ticket, response)
        return b"".join(chunks)[:length]

    async def _whole_body(self, ticket: Ticket, watched: Watched) -> Body | Failure:
        """The whole file, held in memory that was reserved for it."""
        fetch, cap = ticket.fetch, int(self._settings.max_image_bytes)
        response = await self._asking.ask(ticket, watched, None)
        try:
            answer = judge(response.status, response.headers, asked=None)
            if answer.kind is not Kind.WHOLE:
                await self._asking.drain(ticket, response)
                return self._not_the_file(ticket, response)
            told = response.content_length
            if told is not None and told > cap:
                return _too_large(cap, told)
            fetch.size_source = "counted" if told is None else "content_length"
            room = await self._reserve(ticket, watched, cap if told is None else told)
            try:
                outcome = await self._hold(ticket, response, cap)
            except BaseException:
                room.release()
                raise
            if isinstance(outcome, Failure):
                room.release()
                return outcome
            room.shrink(len(outcome))
            return Body(outcome, room)
        finally:
            response.release()

    async def _hold(self, ticket: Ticket, response: ClientResponse, cap: int) -> bytes | Failure:
        """All bytes of the body; given up as soon as they are seen to be no picture."""
        chunks: list[bytes] = []
        reading = Reading(response.content_length)
        while chunk := await response.content.readany():
            ticket.fetch.bytes += len(chunk)
            chunks.append(chunk)
            reading.feed(chunk)
            if isinstance(reading.outcome, Failure):
                return reading.outcome
            if reading.count > cap:
                return _too_large(cap, None)
        facts = reading.finish()
        return facts if isinstance(facts, Failure) else b"".join(chunks)

    async def _reserve(self, ticket: Ticket, watched: Watched, size: int) -> Reservation:
        """Memory for a body. The deadline judges the host, so it rests while we wait for room."""
        room = self._budget.take(size)
        if room is not None:
            return room
        loop = asyncio.get_running_loop()
        began = loop.time()
        watched.deadline = math.inf
        room = await self._budget.wait(size)
        ticket.deadline += loop.time() - began
        watched.deadline, watched.heard_at = ticket.deadline, loop.time()
        return room

    def _not_the_file(self, ticket: Ticket, response: ClientResponse) -> Failure:
        ticket.retry_after = retry_after(response.headers.get(hdrs.RETRY_AFTER))
        return status_failure(response.status, response.reason)


def _too_large(cap: int, told: int | None) -> Failure:
    said = "" if told is None else f": the host announces {told}"
    return Failure(ErrorCode.TOO_LARGE, f"more than {cap} bytes{said}")
