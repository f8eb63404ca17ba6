"""Connections to Redis, with the client's own persistence switched off.

By default the client sends a command again when its connection breaks: an entry would be added
twice, or read, lost with the answer, and left behind. Here nothing is sent twice but scripts that
may be (`patience`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from redis import asyncio as aioredis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from workers.settings import WorkSettings

__all__ = ["BLOCK_SECONDS", "TROUBLE", "Redis", "connect", "drop_connections", "shown_url"]

Redis: TypeAlias = aioredis.Redis | RedisCluster

#: What is raised where Redis, or the way to it, is not as it should be. (Of a cluster without a
#: node the client raises errors that are none of its own family.)
TROUBLE = (RedisError, RedisClusterException, OSError, TimeoutError)

#: A blocking read waits so long. Redis 6.2 does not wake one whose stream was removed.
BLOCK_SECONDS = 1.0
#: Any other answer comes sooner, or the connection is given up.
ANSWER_SECONDS = 5.0
#: Commands under way at once: every job that is split may have one.
MOST_CONNECTIONS = 1024


class _Single(aioredis.Redis):
    """One server."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As the client does, but raises only what is in TROUBLE."""
        async with _in_its_words():
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class _Cluster(RedisCluster):
    """The nodes of a cluster."""

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """As the client does, but raises only what is in TROUBLE."""
        async with _in_its_words():
            return await super().execute_command(*args, **kwargs)


@asynccontextmanager
async def _in_its_words() -> AsyncIterator[None]:
    """What uvloop says of a connection that closed just now is an error of the connection."""
    try:
        yield
    except RuntimeError as exc:
        if "closed" not in str(exc):
            raise
        raise RedisConnectionError(f"the connection was lost: {exc}") from exc


def connect(settings: WorkSettings, *, blocking: bool = False) -> Redis:
    """A client for `CENSUS_REDIS_URL`; *blocking* reads need one of their own. To be closed.

    Nothing is dialled yet. Replies are bytes: one field that is not UTF-8 must not spoil a read.
    """
    if settings.redis_url is None:
        raise ValueError("there is no CENSUS_REDIS_URL")
    url = settings.redis_url.get_secret_value()
    seconds = ANSWER_SECONDS + (BLOCK_SECONDS if blocking else 0.0)
    options: dict[str, Any] = {
        "protocol": 2,
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": seconds,
        "socket_connect_timeout": ANSWER_SECONDS,
        "health_check_interval": 30,
        "max_connections": MOST_CONNECTIONS,
    }
    found: Redis = (_Cluster if settings.redis_cluster else _Single).from_url(url, **options)
    return found


async def drop_connections(redis: Redis) -> None:
    """Have the next commands dial anew; those under way go on."""
    if isinstance(redis, RedisCluster):
        await redis.aclose()
    else:
        async with _in_its_words():
            await redis.connection_pool.disconnect(inuse_connections=False)


def shown_url(settings: WorkSettings) -> str:
    """The address without user and password, for logs."""
    if settings.redis_url is None:
        return "none"
    scheme, _, rest = settings.redis_url.get_secret_value().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
