"""Records → an NDJSON response: back-pressure, progress while idle, a summary at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import web

from server.streams import OpenStream
from workers.errors import ManifestError
from workers.records import Summary, progress_line

__all__ = ["CONTENT_TYPE", "write_ndjson"]

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/x-ndjson"
#: A stream without a record for so long gets a progress line, so that no proxy cuts it.
IDLE_SECONDS = 10.0

_HEADERS = {
    "Content-Type": CONTENT_TYPE,
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


async def write_ndjson(
    request: web.Request,
    stream: OpenStream,
    *,
    start: bytes,
    sha256: Callable[[], str | None],
) -> web.StreamResponse:
    """Write the whole stream. A client that does not read stops the work, not the memory."""
    began = time.monotonic()
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    await response.write(start)
    summary, reason = Summary(), None
    try:
        async for records in stream.inspection.batches(idle=IDLE_SECONDS):
            if not records:
                await response.write(progress_line(summary))
                continue
            for record in records:
                summary.count(record)
            await response.write(b"".join([record.line() for record in records]))
    except ManifestError as exc:
        reason = f"failed: {exc}"
    except ConnectionError as exc:
        # The client is gone and the handler's cancellation comes second: the same end.
        raise asyncio.CancelledError from exc
    except Exception:
        logger.exception("a stream failed", extra={"action": "stream_failed"})
        reason = "failed: internal error"
    line = summary.line(
        seconds=time.monotonic() - began,
        manifest_sha256=sha256(),
        reason=reason or stream.reason,
    )
    await response.write(line)
    await response.write_eof()
    logger.info(
        "a stream ended",
        extra={
            "action": "stream_ended",
            "rows": summary.rows,
            "failed": summary.failed,
            "reason": reason or stream.reason,
        },
    )
    return response
