"""The body of a request, as it comes: inflated here, bounded, and never waited for without end.

The HTTP library would inflate as well, but takes a gzip that ends in the middle for a whole one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from aiohttp import web

from server import keys
from server.problems import RequestError, ShuttingDown, UploadStalled
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.inflate import Inflater

__all__ = ["Body"]

#: No byte for so long, and the body is given up.
STALLED_SECONDS = 30.0


class Pace(NamedTuple):
    """The least that must come."""

    least: int  #: bytes …
    seconds: float  #: … in so many seconds of waiting for them


#: Less is nobody's manifest: a row every half a minute is more.
SLOWEST = Pace(256, 300.0)
#: What still comes when the rows have ended is waited for only from who sends it in earnest.
HURRIED = Pace(64 * 1024, 5.0)

_CODINGS = {"": None, "identity": None, "gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}


class Body:
    """One request's body, read once."""

    def __init__(self, request: web.Request, *, max_bytes: int) -> None:
        """Raises RequestError (415) or ManifestTooLarge: what the head of the request says."""
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _CODINGS:
            told = f"Content-Encoding {encoding[:40]!r} is not taken, gzip and zstd are"
            raise RequestError(415, told)
        self._request = request
        self._max = max_bytes
        self._pace = SLOWEST
        self._waited = 0.0  # seconds, since the pace was last looked at
        self._came = 0  # bytes, since then
        coding = _CODINGS[encoding]
        self._inflater = Inflater(max_bytes, coding=coding) if coding is not None else None
        if self._inflater is None and (request.content_length or 0) > max_bytes:
            raise self._too_large()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body, inflated.

        Raises:
            ManifestTooLarge: it is larger than allowed, inflated.
            UploadStalled, ShuttingDown: it did not come to its end.
            ManifestError: it cannot be read, or is not of the coding it is said to be.
        """
        if self._inflater is None:
            count = 0
            while data := await self._next():
                count += len(data)
                if count > self._max:
                    raise self._too_large()
                yield data
            return
        while data := await self._next():
            for piece in self._inflater.feed(data):
                yield piece
                await asyncio.sleep(0)  # one block may inflate to very many pieces
        for piece in self._inflater.finish():
            yield piece
            await asyncio.sleep(0)

    @property
    def hurried(self) -> bool:
        """Whether the rest is read for the client's sake only."""
        return self._pace is HURRIED

    def hurry(self) -> None:
        """Take the rest, which nobody wants, only if it comes fast."""
        self._pace, self._waited, self._came = HURRIED, 0.0, 0

    async def _next(self) -> bytes:
        """The next bytes; none at the end."""
        streams = self._request.app[keys.STREAMS]
        began = time.monotonic()
        try:
            async with asyncio.timeout(STALLED_SECONDS) as clock:
                with streams.interrupting(clock):
                    data = await self._request.content.readany()
        except TimeoutError:
            if streams.draining:
                raise ShuttingDown from None
            raise UploadStalled(f"no byte came for {STALLED_SECONDS:g} seconds") from None
        except (web.RequestPayloadError, ConnectionError) as exc:
            raise ManifestError(f"the body cannot be read: {str(exc)[:200]}") from exc
        self._waited += time.monotonic() - began
        self._came += len(data)
        if data and self._waited >= self._pace.seconds:
            if self._came < self._pace.least:
                raise UploadStalled(
                    f"only {self._came} bytes came in {self._waited:.0f} seconds of waiting"
                )
            self._waited, self._came = 0.0, 0
        return data

    def _too_large(self) -> ManifestTooLarge:
        return ManifestTooLarge(f"the manifest is larger than {self._max} bytes")
