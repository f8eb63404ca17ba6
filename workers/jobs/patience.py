"""What is asked of Redis until it answers: through restarts, failovers and a full memory.

Only for what may be asked twice: reads, and scripts that know what they did already.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
)

from workers.errors import WorkError
from workers.jobs.connection import TROUBLE, Redis, drop_connections

__all__ = ["KeyBroken", "Patience", "RedisAway", "is_missing_group", "told"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_SECONDS = 0.02
LONGEST_SECONDS = 2.0
#: The same trouble is logged once in so long.
SILENT_SECONDS = 60.0

#: Answers of a Redis that changed its role: connections to it lead nowhere. Out of a script the
#: code stands in the text on some versions, and elsewhere the client has cut it off.
_MOVED_ON = ("READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS")
#: Answers that stay the same however often it is asked: a key is not what it should be.
_BROKEN = (
    *("WRONGTYPE", "not an integer", "not a valid float", "would overflow"),
    *("equal or smaller than", "exhausted the last possible ID", "attempt to "),
)


class RedisAway(WorkError):
    """Redis did not answer in the time there was."""


class KeyBroken(WorkError):
    """A key is not of the kind, or holds not what, this service writes into it."""


def is_broken(exc: Exception) -> bool:
    """Whether asking again is of no use until a person has mended a key."""
    return isinstance(exc, ResponseError) and any(sign in str(exc) for sign in _BROKEN)


def is_missing_group(exc: Exception) -> bool:
    """Whether a stream or its consumer group is not there (any more)."""
    return isinstance(exc, ResponseError) and any(
        sign in str(exc) for sign in ("NOGROUP", "UNBLOCKED", "no longer exists")
    )


def told(exc: BaseException) -> str:
    """A sentence of what Redis, or the way to it, says."""
    text = f"{type(exc).__name__}: {exc}"
    if "CROSSSLOT" in text or "MOVED" in text:
        text += " (a cluster needs CENSUS_REDIS_CLUSTER=1)"
    if isinstance(exc, AuthenticationError | NoPermissionError):
        text += " (look at the user and the password of CENSUS_REDIS_URL)"
    return text[:300]


class Patience:
    """Asks until there is an answer, or until a deadline that may be set later."""

    def __init__(self, *clients: Redis) -> None:
        """*clients* dial anew when a Redis turns out to have another role."""
        self._clients = clients
        self._deadline: float | None = None
        self._asking: set[asyncio.Timeout] = set()
        self._logged: dict[str, float] = {}
        self._in_trouble = 0

    def end_by(self, deadline: float) -> None:
        """From *deadline* (loop time) on nothing is waited for any more."""
        self._deadline = deadline
        for clock in self._asking:
            if (before := clock.when()) is None or before > deadline:
                clock.reschedule(deadline)

    async def __call__(
        self,
        ask: Callable[[], Awaitable[T]],
        *,
        within: float | None = None,
        breakable: bool = False,
    ) -> T:
        """The answer to *ask*.

        Raises:
            RedisAway: there was none *within* so many seconds, or until the deadline.
            KeyBroken: where it is *breakable*: there will be none, for its keys.
            ResponseError: a stream or group is missing; the caller knows what to do.
        """
        loop = asyncio.get_running_loop()
        until = None if within is None else loop.time() + within
        pause, last = FIRST_SECONDS, "it did not answer in time"
        with self._noticing() as trouble:
            try:
                async with asyncio.timeout_at(self._earliest(until)) as clock:
                    self._asking.add(clock)
                    try:
                        while True:
                            try:
                                return await ask()
                            except TROUBLE as exc:
                                if clock.expired() or is_missing_group(exc):
                                    raise
                                if breakable and is_broken(exc):
                                    raise KeyBroken(told(exc)) from exc
                                last = told(exc)
                                await trouble(exc)
                            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                            pause = min(2 * pause, LONGEST_SECONDS)
                    finally:
                        self._asking.discard(clock)
            except TimeoutError:
                raise RedisAway(last) from None

    def _earliest(self, until: float | None) -> float | None:
        return min((one for one in (until, self._deadline) if one is not None), default=None)

    @contextmanager
    def _noticing(self) -> Iterator[Callable[[Exception], Awaitable[None]]]:
        """Count an ask among those in trouble, from its first until its end."""
        counted = False

        async def trouble(exc: Exception) -> None:
            nonlocal counted
            if not counted:
                counted = True
                self._in_trouble += 1
            await self.trouble(exc)

        try:
            yield trouble
        finally:
            if counted:
                self._in_trouble -= 1
                self.fine()

    def fine(self) -> None:
        """One that was in trouble is not any more."""
        if not self._in_trouble and self._logged:
            self._logged.clear()
            logger.info("Redis answers again", extra={"action": "redis_back"})

    async def trouble(self, exc: Exception) -> None:
        """Say once in a while what is wrong, and leave a Redis that has another role now."""
        moved = isinstance(exc, ReadOnlyError | ClusterDownError)
        if moved or any(sign in str(exc) for sign in _MOVED_ON):
            for client in self._clients:
                with suppress(*TROUBLE):
                    await drop_connections(client)
        now = time.monotonic()
        kind = type(exc).__name__ + str(exc).partition(" ")[0]
        if now - self._logged.get(kind, -SILENT_SECONDS) >= SILENT_SECONDS:
            self._logged[kind] = now
            logger.warning(
                "Redis does not take it; asked again until it does",
                extra={"action": "redis_trouble", "reason": told(exc)},
            )
