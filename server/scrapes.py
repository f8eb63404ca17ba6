"""Scrapes of `/metrics` → the text they are answered with, made once a second at most.

Whoever reaches the service may scrape it, as often as they like: those that come together wait for
the same look at Redis and at the disk, and those that come soon after have its text again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from workers.metrics.encoding import readable

__all__ = ["SHARED_SECONDS", "Scrapes"]

#: So old a text may be.
SHARED_SECONDS = 1.0


class _Look:
    """What was found, and its texts by what they are called."""

    def __init__(self, found: Collector, until: float) -> None:
        self.found = found
        self.until = until  # by the loop's clock
        self.texts: dict[str, bytes] = {}


class Scrapes:
    """Of one application."""

    def __init__(self, look: Callable[[], Awaitable[Collector]]) -> None:
        """*look* finds all there is to tell. It is not called again while it is under way."""
        self._look = look
        self._looking: asyncio.Task[_Look] | None = None

    async def text(self, accept: str) -> tuple[bytes, str]:
        """The text that *accept* asks for, and its media type. Raises what the look raises."""
        look = await asyncio.shield(self._current())
        encode, content_type = choose_encoder(readable(accept))
        if content_type not in look.texts:
            look.texts[content_type] = encode(look.found)
        return look.texts[content_type], content_type

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._looking

    def _current(self) -> asyncio.Task[_Look]:
        task = self._looking
        if task is None or (task.done() and self._is_old(task)):
            # Of no request in particular: others wait for it as well.
            task = self._looking = asyncio.create_task(self._see(), context=Context())
        return task

    def _is_old(self, task: asyncio.Task[_Look]) -> bool:
        if task.cancelled() or task.exception() is not None:
            return True
        return asyncio.get_running_loop().time() >= task.result().until

    async def _see(self) -> _Look:
        found = await self._look()
        return _Look(found, asyncio.get_running_loop().time() + SHARED_SECONDS)
