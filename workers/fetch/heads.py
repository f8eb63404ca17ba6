"""Facts from the first bytes of a file: by ranges, or from as much of the whole as it takes."""

from __future__ import annotations

from time import monotonic

from aiohttp import ClientResponse, hdrs
from multidict import CIMultiDict

from imaging import header
from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.fetch.asking import Asking
from workers.fetch.conditions import conditions, tells_nothing, unchanged
from workers.fetch.deadlines import Watched
from workers.fetch.failures import too_large
from workers.fetch.lanes import Ticket
from workers.fetch.ranges import (
    FURTHER_RANGES,
    RANGE_BYTES,
    Answer,
    Kind,
    further,
    judge,
    range_header,
    strong_validator,
)
from workers.fetch.reading import Reading

__all__ = ["Heads"]

_FIRST = CIMultiDict({hdrs.RANGE: range_header(0, RANGE_BYTES)})


class Heads:
    """Reads heads; files of more than *max_bytes* are `too_large` where they must be read whole."""

    def __init__(self, asking: Asking, *, max_bytes: int) -> None:
        self._asking = asking
        self._max = max_bytes

    async def read(self, ticket: Ticket, watched: Watched) -> ImageInfo | Failure:
        """Ask for the first range, for what the walker needs besides, then for the file.

        Of a file that an earlier census saw, the first range only if it has changed.
        """
        head, pieces = b"", list[tuple[int, bytes]]()
        asked = conditions(ticket.row.before)
        offset, length = 0, RANGE_BYTES
        headers = CIMultiDict({**_FIRST, **asked}) if asked else _FIRST
        total: int | None = None
        for turn in range(1 + FURTHER_RANGES):
            response = await self._asking.ask(ticket, watched, headers)
            try:
                if asked and turn == 0:
                    if (known := unchanged(ticket, response)) is not None:
                        return known
                    if tells_nothing(response):
                        await self._asking.drain(ticket, response)
                        break
                answer = judge(response.status, response.headers, asked=offset)
                changed = total is not None and answer.kind is Kind.PART and answer.total != total
                if answer.kind is Kind.UNRANGED or changed:
                    await self._asking.drain(ticket, response)
                    break
                if answer.kind is not Kind.PART:
                    return await self._of_answer(ticket, response, answer)
                total = answer.total
                began = monotonic()
                data = await self._part(ticket, response, length)
                self._asking.timings.body.observe(monotonic() - began)
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
            if turn == FURTHER_RANGES and facts.otherwise is not None:
                return facts.otherwise  # what is missing is not worth the whole file
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
            began = monotonic()
            facts = await self._stream(ticket, response)
            self._asking.timings.body.observe(monotonic() - began)
            return facts
        return await self._asking.refused(ticket, response)

    async def _stream(self, ticket: Ticket, response: ClientResponse) -> ImageInfo | Failure:
        """Facts from a whole file that streams in, its size counted where it was not told."""
        fetch = ticket.fetch
        told = response.content_length
        if told is not None and told > self._max:
            return too_large(self._max, told)
        fetch.size_source = "counted" if told is None else "content_length"
        reading = Reading(told)
        while chunk := await response.content.readany():
            fetch.bytes += len(chunk)
            reading.feed(chunk)
            if isinstance(reading.outcome, Failure):
                return reading.outcome
            if reading.count > self._max:
                return too_large(self._max, None)
            if reading.outcome is not None and told is not None:
                await self._asking.drain(ticket, response)
                return reading.outcome
        facts = reading.finish()
        return facts if isinstance(facts, Failure) else facts._replace(image_size=reading.count)

    async def _part(self, ticket: Ticket, response: ClientResponse, length: int) -> bytes:
        """The body of a 206, no more of it than was asked for."""
        content, fetch = response.content, ticket.fetch
        data = await content.readany()
        fetch.bytes += len(data)
        if len(data) == response.content_length:  # at once and whole, as nearly always
            await content.readany()
            return data[:length]
        gathered = bytearray(data)
        while len(gathered) < length and (data := await content.readany()):
            gathered += data
            fetch.bytes += len(data)
        await self._asking.drain(ticket, response)
        return bytes(gathered[:length])
