"""The body of a request, as it comes: inflated here, bounded, and never waited for without end.

The HTTP library would inflate as well, but takes a gzip that ends in the middle for a whole one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web

from server import keys
from server.problems import RequestError, ShuttingDown, UploadStalled
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.inflate import Inflater

__all__ = ["Body"]

#: No byte for so long, and the body is given up.
STALLED_SECONDS = 30.0

_GZIP = b"\x1f\x8b"


class Body:
    """One request's body, read once."""

    def __init__(self, request: web.Request, *, max_bytes: int) -> None:
        """Raises RequestError (415) or ManifestTooLarge: what the head of the request says."""
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise RequestError(415, f"Content-Encoding {encoding[:40]!r} is not taken, gzip is")
        self._request = request
        self._max = max_bytes
        self._inflater = Inflater(max_bytes) if encoding.endswith("gzip") else None
        if self._inflater is None and (request.content_length or 0) > max_bytes:
            raise self._too_large()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body, inflated.

        Raises:
            ManifestTooLarge: it is larger than allowed, inflated.
            UploadStalled, ShuttingDown: it did not come to its end.
            ManifestError: it cannot be read, or is not the gzip it is said to be.
        """
        if self._inflater is None:
            count = 0
            while data := await self._next():
                count += len(data)
                if count > self._max:
                    raise self._too_large()
                yield data
            return
        head = await self._next()
        while head and len(head) < len(_GZIP) and (data := await self._next()):
            head += data
        if head and not head.startswith(_GZIP):
            raise ManifestError("Content-Encoding says gzip, the body is something else")
        while head:
            for piece in self._inflater.feed(head):
                yield piece
            head = await self._next()
        for piece in self._inflater.finish():
            yield piece

    async def _next(self) -> bytes:
        """The next bytes; none at the end."""
        streams = self._request.app[keys.STREAMS]
        try:
            async with asyncio.timeout(STALLED_SECONDS) as clock:
                with streams.interrupting(clock):
                    return await self._request.content.readany()
        except TimeoutError:
            if streams.draining:
                raise ShuttingDown from None
            raise UploadStalled(f"no byte came for {STALLED_SECONDS:g} seconds") from None
        except (web.RequestPayloadError, ConnectionError) as exc:
            raise ManifestError(f"the body cannot be read: {str(exc)[:200]}") from exc

    def _too_large(self) -> ManifestTooLarge:
        return ManifestTooLarge(f"the manifest is larger than {self._max} bytes")
