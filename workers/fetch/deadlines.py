"""Deadlines and silences of all downloads, by one timer for all of them.

A timer for each download, set again with each packet, costs a tenth of the whole download; one
that looks around ten times a second costs nothing, and a tenth of a second does not matter here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import ClientResponse

__all__ = ["Deadlines", "DownloadTimeout", "Watched"]

T = TypeVar("T")

LOOK_SECONDS = 0.1


class DownloadTimeout(TimeoutError):
    """The host fell silent, or the time for one picture is over."""


class Watched:
    """One attempt being watched."""

    __slots__ = ("deadline", "expired", "heard_at", "heard_bytes", "response", "task")

    def __init__(self, task: asyncio.Task[Any], deadline: float, now: float) -> None:
        self.task = task
        self.deadline = deadline  # by the loop's clock; infinite while it waits for us
        self.response: ClientResponse | None = None  # once there is one
        self.heard_at = now
        self.heard_bytes = -1  # of the response; -1: it has only begun
        self.expired: str | None = None


class Deadlines:
    """Cancels downloads that are over their deadline or heard nothing for *silence* seconds."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, watched: Watched, work: Coroutine[Any, Any, T]) -> T:
        """Do *work* in the watched task. Raises DownloadTimeout when it takes too long."""
        self._watched.add(watched)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if watched.expired is None or watched.task.uncancel() > 0:
                raise
            raise DownloadTimeout(watched.expired) from None
        finally:
            self._watched.discard(watched)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for watched in self._watched:
            if watched.expired is None:
                watched.expired = self._over(watched, now)
                if watched.expired is not None:
                    watched.task.cancel()
        self._timer = loop.call_later(LOOK_SECONDS, self._look) if self._watched else None

    def _over(self, watched: Watched, now: float) -> str | None:
        """Why the time is over, if it is."""
        response = watched.response
        if response is not None and response.content.total_bytes != watched.heard_bytes:
            watched.heard_bytes = response.content.total_bytes
            watched.heard_at = now
        if now >= watched.deadline:
            return "not done within the time for one picture"
        if now - watched.heard_at >= self._silence and watched.deadline < math.inf:
            return "the host did not answer" if response is None else "the host fell silent"
        return None
