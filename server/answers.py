"""What lines become on their way to a client: NDJSON here, or a table in `tables`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from server.ndjson import HEADERS

__all__ = ["Answer", "LinesAnswer"]


class Answer(Protocol):
    """One answer being written. All of it raises ConnectionError where the client is gone."""

    response: web.StreamResponse

    async def begin(self, start: bytes) -> None:
        """Send what comes first, with the start line as far as there is a place for it."""
        ...

    async def write(self, lines: Sequence[bytes], rows: int) -> None:
        """Send whole lines, records of so many *rows*."""
        ...

    async def progress(self, line: bytes) -> None:
        """Show that it goes on."""
        ...

    async def finish(self, summary: bytes, reason: str | None) -> None:
        """Send what comes last. With a *reason* it is not all that there should be."""
        ...

    def close(self) -> None:
        """Let go of it, whatever came of it."""
        ...


class LinesAnswer:
    """The lines as they are."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers=HEADERS)

    async def begin(self, start: bytes) -> None:
        """Send the start line."""
        await self.response.prepare(self._request)
        await self.response.write(start)

    async def write(self, lines: Sequence[bytes], rows: int) -> None:  # noqa: ARG002
        """Send them."""
        for line in lines:
            await self.response.write(line)

    async def progress(self, line: bytes) -> None:
        """Send it."""
        await self.response.write(line)

    async def finish(self, summary: bytes, reason: str | None) -> None:  # noqa: ARG002
        """Send the summary, which tells the reason."""
        await self.response.write(summary)

    def close(self) -> None:
        """Nothing is held."""
