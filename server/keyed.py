"""Records → one JSON object keyed by id, as the predecessor answered; written as it grows.

JSON has no place for a summary: what could not be completed is cut off, so that no client takes a
part for the whole.
"""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from server.accepted import accepted
from server.ndjson import CONTENT_TYPE, IDLE_SECONDS, log_end
from server.streams import OpenStream
from workers.records import Record

__all__ = ["wants_keyed", "write_keyed"]


def wants_keyed(request: web.Request) -> bool:
    """Whether the client asks for `application/json` and not for NDJSON."""
    named = accepted(request)
    return "application/json" in named and CONTENT_TYPE not in named


async def write_keyed(request: web.Request, stream: OpenStream[Record]) -> web.StreamResponse:
    """Write the whole object; blank lines keep it alive while nothing comes.

    Raises:
        ConnectionError: the client is gone.
    """
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Cache-Control": "no-store, no-transform"}
    )
    await response.prepare(request)
    summary = stream.summary
    separator = b"{"
    async with aclosing(stream.batches(idle=IDLE_SECONDS)) as batches:
        async for records in batches:
            pieces = [b"\n"]
            for record in records:
                pieces += (separator, record.keyed())
                separator = b",\n"
            await response.write(b"".join(pieces))
    if stream.reason is None:
        await response.write((b"{}" if separator == b"{" else b"}") + b"\n")
    elif request.transport is not None:
        request.transport.abort()
    log_end(summary, stream.reason)
    return response
