"""Records → one JSON object keyed by id, as the predecessor answered; written as it grows.

JSON has no place for a summary: what could not be completed is cut off, so that no client takes a
part for the whole.
"""

from __future__ import annotations

import logging

from aiohttp import web

from server.ndjson import IDLE_SECONDS
from server.streams import OpenStream

__all__ = ["wants_keyed", "write_keyed"]

logger = logging.getLogger(__name__)


def wants_keyed(request: web.Request) -> bool:
    """Whether the client asks for `application/json` and not for NDJSON."""
    accepted = {
        part.partition(";")[0].strip().lower()
        for part in ",".join(request.headers.getall("Accept", [])).split(",")
    }
    return "application/json" in accepted and "application/x-ndjson" not in accepted


async def write_keyed(request: web.Request, stream: OpenStream) -> web.StreamResponse:
    """Write the whole object; blank lines keep it alive while nothing comes."""
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Cache-Control": "no-store, no-transform"}
    )
    await response.prepare(request)
    separator = b"{"
    try:
        async for records in stream.inspection.batches(idle=IDLE_SECONDS):
            pieces = [b"\n"]
            for record in records:
                pieces += (separator, record.keyed())
                separator = b",\n"
            await response.write(b"".join(pieces))
        complete = stream.reason is None
    except ConnectionError:
        complete = False
    except Exception:
        logger.exception("a stream failed", extra={"action": "stream_failed"})
        complete = False
    if not complete:
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write((b"{}" if separator == b"{" else b"}") + b"\n")
    await response.write_eof()
    return response
