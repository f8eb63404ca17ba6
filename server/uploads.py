"""A manifest in the request body → a spool, as fast as it comes, whoever reads the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from server.problems import RequestError
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.spool import Spool, SpoolRoom

__all__ = ["UploadStalled", "receive"]

logger = logging.getLogger(__name__)

#: No byte for so long, and the upload is given up.
STALLED_SECONDS = 30.0
#: A small or broken upload is waited for this long, so that its error can still be the status.
SETTLE_SECONDS = 0.1

_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class UploadStalled(ManifestError):
    """The client stopped sending."""


@asynccontextmanager
async def receive(request: web.Request, room: SpoolRoom, *, max_bytes: int) -> AsyncIterator[Spool]:
    """Receive the body in the background while the spool is read.

    Raises:
        RequestError, ManifestError: what is wrong from the start; later it is the spool's error.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise RequestError(415, f"Content-Encoding {encoding[:40]!r} is not taken, gzip is")
    if encoding in ("", "identity") and (request.content_length or 0) > max_bytes:
        raise ManifestTooLarge(f"the manifest is larger than {max_bytes} bytes")
    spool = Spool(room, max_bytes=max_bytes)
    receiving = asyncio.create_task(_receive(request, spool))
    try:
        await asyncio.wait({receiving}, timeout=SETTLE_SECONDS)
        if spool.error is not None:
            raise spool.error
        yield spool
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        spool.close()


async def _receive(request: web.Request, spool: Spool) -> None:
    try:
        while True:
            async with asyncio.timeout(STALLED_SECONDS):
                data = await request.content.readany()
            if not data:
                break
            await spool.write(data)
    except TimeoutError:
        spool.fail(UploadStalled(f"no byte came for {STALLED_SECONDS:.0f} seconds"))
    except ManifestError as exc:
        spool.fail(exc)
    except (web.RequestPayloadError, ConnectionError) as exc:
        spool.fail(ManifestError(f"the body cannot be read: {str(exc)[:200]}"))
    except Exception:
        logger.exception("an upload failed", extra={"action": "upload_bug"})
        spool.fail(ManifestError("the upload failed; the log has why"))
    else:
        spool.finish()
