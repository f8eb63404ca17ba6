"""A manifest in the request body → a spool, as fast as it comes, whoever reads the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from aiohttp import web

from server import keys
from server.bodies import Body
from server.problems import RequestError
from workers.errors import ManifestError
from workers.manifest.kept import KeptUpload
from workers.manifest.kinds import Kind
from workers.manifest.spool import Spool

__all__ = ["receive", "receive_kept"]

logger = logging.getLogger(__name__)

#: A small or broken upload is waited for this long, so that its error can still be the status.
SETTLE_SECONDS = 0.1


@asynccontextmanager
async def receive(request: web.Request, *, whole: bool = False) -> AsyncIterator[Spool]:
    """Receive the body in the background while the spool is read, or *whole* before.

    Nothing is answered before the first byte came, so a client that sends none is told by status.

    Raises:
        RequestError, ManifestError: what is wrong from the start; later it is the spool's error.
    """
    max_bytes = int(request.app[keys.SETTINGS].max_body_bytes)
    body = Body(request, max_bytes=max_bytes)
    await request.app[keys.SPOOL_ROOM].look()
    spool = Spool(request.app[keys.SPOOL_ROOM], max_bytes=max_bytes)
    async with _receiving(body, spool, whole=whole):
        yield spool


@asynccontextmanager
async def receive_kept(request: web.Request, kind: Kind) -> AsyncIterator[KeptUpload]:
    """Receive the whole body into a file that may be kept. Raises as `receive`."""
    max_bytes = int(request.app[keys.SETTINGS].max_body_bytes)
    body = Body(request, max_bytes=max_bytes)
    await request.app[keys.SPOOL_ROOM].look()
    upload = KeptUpload(request.app[keys.SPOOL_ROOM], max_bytes=max_bytes, kind=kind)
    async with _receiving(body, upload, whole=True):
        yield upload


@asynccontextmanager
async def _receiving(body: Body, spool: Spool, *, whole: bool) -> AsyncIterator[None]:
    begun = asyncio.Event()
    receiving = asyncio.create_task(_receive(body, spool, begun))
    try:
        await begun.wait()
        await asyncio.wait({receiving}, timeout=None if whole else SETTLE_SECONDS)
        if spool.error is not None:
            raise spool.error
        if spool.empty:
            raise RequestError(422, "Data is not provided", detail="the body is empty")
        yield
        # The rows may end before the upload does (`limit`), and a client that sends everything
        # before it reads must be able to, if it does.
        body.hurry()
        await asyncio.wait({receiving})
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        spool.close()


async def _receive(body: Body, spool: Spool, begun: asyncio.Event) -> None:
    try:
        async with aclosing(body.pieces()) as pieces:
            async for piece in pieces:
                if piece and not body.hurried:
                    await spool.write(piece)
                    begun.set()
    except ManifestError as exc:
        spool.fail(exc)
    except Exception:
        logger.exception("an upload failed", extra={"action": "upload_bug"})
        spool.fail(ManifestError("the upload failed; the log has why"))
    else:
        spool.finish()
    finally:
        begun.set()
