"""Deadlines and silences of all downloads, by one timer for all of them.

A timer for each download, set again with each packet, costs a tenth of the whole download; one
that looks around ten times a second costs nothing, and a tenth of a second does not matter here.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from aiohttp import ClientResponse

__all__ = ["Deadlines", "DownloadTimeout", "Watched"]

LOOK_SECONDS = 0.1


class DownloadTimeout(TimeoutError):
    """The host fell silent, or the time for one picture is over."""


class Watched:
    """One attempt, watched inside a `with` block in its own task.

    Raises (the block):
        DownloadTimeout: in place of what it did, when it took too long.
    """

    __slots__ = ("_all", "deadline", "expired", "heard_at", "heard_bytes", "response", "task")

    def __init__(
        self, among: Deadlines, task: asyncio.Task[Any], deadline: float, now: float
    ) -> None:
        self._all = among
        self.task = task
        self.deadline = deadline  # by the loop's clock; infinite while it waits for us
        self.response: ClientResponse | None = None  # once there is one
        self.heard_at = now
        self.heard_bytes = -1  # of the response; -1: it has only begun
        self.expired: str | None = None

    def __enter__(self) -> None:
        self._all.add(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._all.discard(self)
        if self.expired is None or kind is not asyncio.CancelledError:
            return
        if self.task.uncancel() <= 0:  # else somebody else cancelled it as well
            raise DownloadTimeout(self.expired) from None


class Deadlines:
    """Cancels downloads that are over their deadline or heard nothing for *silence* seconds."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watched: Watched) -> None:
        """Watch it from now on."""
        self._watched.add(watched)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def discard(self, watched: Watched) -> None:
        """Watch it no more."""
        self._watched.discard(watched)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for watched in self._watched:
            if watched.response is not None:
                _pass_on(watched.response)
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


def _pass_on(response: ClientResponse) -> None:
    """Give the reader the error its connection ended with: aiohttp tells it of none that comes
    between two chunks, and it would wait for ever.
    """
    protocol = response.connection.protocol if response.connection is not None else None
    error = protocol.exception() if protocol is not None else None
    if error is not None and response.content.exception() is None:
        response.content.set_exception(error)
