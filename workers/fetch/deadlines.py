"""Deadlines and silences of all downloads, by one timer for all of them.

A timer for each download, set again with each packet, costs a tenth of the whole download; one
that looks around ten times a second costs nothing, and a tenth of a second does not matter here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from aiohttp import ClientResponse

__all__ = ["TOO_SLOW", "Deadlines", "DownloadTimeout", "Watched"]

LOOK_SECONDS = 0.1

#: A body is judged by its rate once it has come for so long, and may still become this much faster.
JUDGED_SECONDS = 2.0
FASTER = 4

TOO_SLOW = "too slow to be done within the time for one picture"


class DownloadTimeout(TimeoutError):
    """The host fell silent, or the time for one picture is over."""


class Watched:
    """One attempt, watched inside a `with` block in its own task.

    Raises (the block):
        DownloadTimeout: in place of what it did, when it took too long.
    """

    __slots__ = (
        "_all",
        "_expected",
        "_since",
        "deadline",
        "expired",
        "heard_at",
        "heard_bytes",
        "response",
        "task",
    )

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
        self._expected: int | None = None
        self._since = 0.0

    def expect(self, size: int | None) -> None:
        """A body of *size* bytes begins to come, and holds memory; None: no more."""
        self._expected, self._since = size, asyncio.get_running_loop().time()

    def hopeless(self, now: float) -> bool:
        """Whether the expected body cannot be whole by the deadline, judged by its rate so far."""
        if self._expected is None or self.response is None or now - self._since < JUDGED_SECONDS:
            return False
        came = self.response.content.total_bytes
        rate = FASTER * came / (now - self._since)
        return came + rate * (self.deadline - now) < self._expected

    def __enter__(self) -> None:
        self._all.add(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._all.discard(self)
        if self.expired is None or kind is not asyncio.CancelledError:
            return
        if self.task.uncancel() <= 0:  # else somebody else cancelled it as well
            raise DownloadTimeout(self.expired) from None


class Deadlines:
    """Cancels downloads that are over their deadline or heard nothing for *silence* seconds.

    Where others wait for the memory it holds (*pressed*), one that cannot be done in time ends now.
    """

    def __init__(self, silence: float, pressed: Callable[[], bool] = lambda: False) -> None:
        self._silence = silence
        self._pressed = pressed
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
        if self._pressed() and watched.hopeless(now):
            return TOO_SLOW
        return None


def _pass_on(response: ClientResponse) -> None:
    """Give the reader the error its connection ended with: aiohttp tells it of none that comes
    between two chunks, and it would wait for ever.
    """
    protocol = response.connection.protocol if response.connection is not None else None
    error = protocol.exception() if protocol is not None else None
    if error is not None and response.content.exception() is None:
        response.content.set_exception(error)
