"""Records → an NDJSON response: back-pressure, progress while idle, a summary at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, TypeVar

from aiohttp import web

from server.streams import OpenStream
from workers.summary import Answering, Summary, progress_line
from workers.tracing import spans

__all__ = ["CONTENT_TYPE", "HEADERS", "IDLE_SECONDS", "log_end", "write_ndjson"]

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Answering)

CONTENT_TYPE = "application/x-ndjson"
#: A stream without a record for so long gets a progress line, so that no proxy cuts it.
IDLE_SECONDS = 10.0

#: Of every stream of lines.
HEADERS = {
    "Content-Type": CONTENT_TYPE,
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


async def write_ndjson(
    request: web.Request,
    stream: OpenStream[R],
    *,
    start: bytes,
    sha256: Callable[[], str | None],
    provenance: dict[str, Any] | None = None,
) -> web.StreamResponse:
    """Write the whole stream, with the *provenance* of predictions in its summary.

    A client that does not read stops the work, not the memory.

    The end of the body is left to be written when the handler returns: a client that has seen it
    and hangs up can then no longer cut off what it got whole.

    Raises:
        ConnectionError: the client is gone.
    """
    began = time.monotonic()
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    await response.write(start)
    summary = stream.summary
    async with aclosing(stream.batches(idle=IDLE_SECONDS)) as batches:
        async for records in batches:
            if not records:
                await response.write(progress_line(summary))
                continue
            await response.write(b"".join([record.line() for record in records]))
    line = summary.line(
        seconds=time.monotonic() - began,
        manifest_sha256=sha256(),
        provenance=provenance,
        reason=stream.reason,
    )
    await response.write(line)
    log_end(summary, stream.reason)
    return response


def log_end(summary: Summary, reason: str | None) -> None:
    """Say what a stream came to."""
    extra = {
        "action": "stream_ended",
        "rows": summary.rows,
        "failed": summary.failed,
        "reason": reason,
    }
    logger.info("a stream ended", extra=extra)
    spans.note(summary.facts())
    if reason is not None:
        spans.fail(reason.partition(":")[0])
