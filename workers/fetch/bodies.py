"""Whole files, held in memory that was reserved for them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from time import monotonic

from aiohttp import ClientResponse
from multidict import CIMultiDict

from imaging.facts import Failure, ImageInfo
from workers.fetch.asking import Asking
from workers.fetch.conditions import conditions, tells_nothing, unchanged
from workers.fetch.deadlines import Watched
from workers.fetch.failures import too_large
from workers.fetch.lanes import Body, Ticket
from workers.fetch.memory import Budget, Reservation
from workers.fetch.ranges import Kind, judge
from workers.fetch.reading import Reading

__all__ = ["Bodies"]

#: What a body of unknown length begins with; it doubles while there is room.
FIRST_BYTES = 256 * 1024


class _NoRoom(Exception):
    """A body of unknown length could not grow."""


class _ToldNothing(Exception):
    """The answer to a condition is none."""


class Bodies:
    """Holds bodies of at most *max_bytes*, all together within *budget*."""

    def __init__(self, asking: Asking, budget: Budget, *, max_bytes: int) -> None:
        self._asking = asking
        self._budget = budget
        self._max = max_bytes

    async def read(self, ticket: Ticket, watched: Watched) -> Body | ImageInfo | Failure:
        """The whole file, or why there is none; the earlier facts, where it has not changed."""
        unknown = min(FIRST_BYTES, self._max)
        asked = conditions(ticket.row.before, whole=True)
        try:
            try:
                return await self._read(ticket, watched, unknown, asked)
            except _ToldNothing:
                return await self._read(ticket, watched, unknown, {})
        except _NoRoom:  # what it held was released, so that it may wait
            return await self._read(ticket, watched, self._max, {})

    async def _read(
        self, ticket: Ticket, watched: Watched, unknown: int, asked: Mapping[str, str]
    ) -> Body | ImageInfo | Failure:
        """Ask, on the conditions *asked*, and hold; *unknown* bytes are reserved first where no
        length is told.
        """
        headers = CIMultiDict(asked) if asked else None
        response = await self._asking.ask(ticket, watched, headers)
        try:
            if asked:
                if (known := unchanged(ticket, response)) is not None:
                    return known
                if tells_nothing(response):
                    await self._asking.drain(ticket, response)
                    raise _ToldNothing
            answer = judge(response.status, response.headers, asked=None)
            if answer.kind is not Kind.WHOLE:
                return await self._asking.refused(ticket, response)
            told = response.content_length
            if told is not None and told > self._max:
                return too_large(self._max, told)
            ticket.fetch.size_source = "counted" if told is None else "content_length"
            room = await self._reserve(ticket, watched, unknown if told is None else told)
            watched.expect(told)
            began = monotonic()
            try:
                outcome = await self._hold(ticket, response, room)
            except BaseException:
                room.release()
                raise
            self._asking.timings.body.observe(monotonic() - began)
            if isinstance(outcome, Failure):
                room.release()
                return outcome
            room.shrink(len(outcome))
            return Body(outcome, room)
        finally:
            watched.expect(None)
            response.release()

    async def _hold(
        self, ticket: Ticket, response: ClientResponse, room: Reservation
    ) -> bytes | Failure:
        """All bytes of the body; given up as soon as they are seen to be no picture."""
        held = bytearray()
        reading = Reading(response.content_length)
        while chunk := await response.content.readany():
            ticket.fetch.bytes += len(chunk)
            reading.feed(chunk)
            if isinstance(reading.outcome, Failure) and not reading.lost:
                return reading.outcome
            if reading.count > self._max:
                return too_large(self._max, None)
            if reading.count > room.size and not room.grow(_larger(reading.count, self._max)):
                raise _NoRoom
            held += chunk
        facts = reading.finish()
        return facts if isinstance(facts, Failure) and not reading.lost else bytes(held)

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


def _larger(count: int, most: int) -> int:
    return min(2 * count, most)
