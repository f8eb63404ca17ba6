"""What is asked of Redis until it answers: through restarts, failovers and a full memory.

Only for what may be asked twice: reads, and scripts that know what they did already.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from workers.errors import WorkError
from workers.jobs.connection import Redis

__all__ = ["Patience", "RedisAway", "is_missing_group", "told"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_SECONDS = 0.02
LONGEST_SECONDS = 2.0
#: The same trouble is logged once in so long.
SILENT_SECONDS = 60.0

#: Answers of a Redis that changed its role: connections to it lead nowhere.
_MOVED_ON = ("READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "UNKILLABLE")


class RedisAway(WorkError):
    """Redis did not answer in the time there was."""


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

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._deadline: float | None = None
        self._logged: dict[str, float] = {}
        self._hurry = asyncio.Event()
        self.away_since: float | None = None  #: monotonic; None while Redis answers

    def end_by(self, deadline: float) -> None:
        """From *deadline* (loop time) on nothing is waited for any more."""
        self._deadline = deadline
        self._hurry.set()

    async def __call__(self, ask: Callable[[], Awaitable[T]], *, within: float | None = None) -> T:
        """The answer to *ask*.

        Raises:
            RedisAway: there was none *within* so many seconds, or until the deadline.
            ResponseError: a stream or group is missing; the caller knows what to do.
        """
        pause = FIRST_SECONDS
        until = None if within is None else asyncio.get_running_loop().time() + within
        while True:
            deadline = min(filter(None, (until, self._deadline)), default=None)
            try:
                async with asyncio.timeout_at(deadline):
                    answer = await ask()
            except (RedisError, OSError, TimeoutError) as exc:
                if is_missing_group(exc):
                    raise
                await self._wait(exc, pause, deadline)
                pause = min(2 * pause, LONGEST_SECONDS)
            else:
                self.fine()
                return answer

    def fine(self) -> None:
        """It answers."""
        if self.away_since is not None:
            self.away_since = None
            self._logged.clear()
            logger.info("Redis answers again", extra={"action": "redis_back"})

    async def _wait(self, exc: Exception, pause: float, deadline: float | None) -> None:
        """Wait before asking again. Raises RedisAway where there is no time for it."""
        loop = asyncio.get_running_loop()
        self.trouble(exc)
        if any(sign in str(exc) for sign in _MOVED_ON):
            with suppress(RedisError, OSError):
                await drop_connections(self._redis)
        seconds = pause * random.uniform(0.5, 1.0)
        if deadline is not None and loop.time() + seconds >= deadline:
            raise RedisAway(told(exc)) from exc
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self._deadline is None:
                    await self._hurry.wait()
                else:
                    await asyncio.sleep(seconds)

    def trouble(self, exc: Exception) -> None:
        """Say once in a while what is wrong."""
        now = time.monotonic()
        self.away_since = self.away_since or now
        kind = type(exc).__name__ + str(exc).partition(" ")[0]
        if now - self._logged.get(kind, -SILENT_SECONDS) >= SILENT_SECONDS:
            self._logged[kind] = now
            logger.warning(
                "Redis does not take it; asked again until it does",
                extra={"action": "redis_trouble", "reason": told(exc)},
            )


async def drop_connections(redis: Redis) -> None:
    """Have the next commands dial anew."""
    pool = getattr(redis, "connection_pool", None)
    if pool is not None:
        await pool.disconnect()
    else:
        await redis.aclose()
