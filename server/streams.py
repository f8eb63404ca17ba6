"""The streams that are open, so that a server that stops can end each with a summary."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from workers.pipeline import Inspection

__all__ = ["OpenStream", "OpenStreams"]


class OpenStream:
    """One answer being written."""

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.reason: str | None = None  #: why it was ended early

    async def end(self, reason: str) -> None:
        """Start no more rows; what is under way is recorded as cancelled."""
        self.reason = reason
        await self.inspection.stop()


class OpenStreams:
    """All of them; once draining, there are no new ones."""

    def __init__(self) -> None:
        self._open: set[OpenStream] = set()
        self.draining = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def entered(self, inspection: Inspection) -> Iterator[OpenStream]:
        """Count a stream among the open ones."""
        stream = OpenStream(inspection)
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)

    async def drain(self) -> None:
        """End every stream."""
        self.draining = True
        await asyncio.gather(*(stream.end("draining") for stream in self._open))
