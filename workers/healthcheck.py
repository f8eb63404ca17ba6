"""`python -m workers.healthcheck`: does a consumer of this host live? Exit code 0 or 1.

For containers. Every consumer tells Redis each second that it lives; here it is looked up by the
name of the host, which in a container is its own. Reads `CENSUS_REDIS_URL`, `CENSUS_REDIS_CLUSTER`
and `CENSUS_VAR` as the consumer does; imports little, as it runs every few seconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import closing
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

from workers.errors import WorkError
from workers.jobs import keys
from workers.jobs.home import running_url

__all__ = ["main"]

#: Whoever did not say so for so long does not live.
LIVING_SECONDS = 15.0
TIMEOUT_SECONDS = 3.0

_YES = ("1", "true", "t", "yes", "y", "on")


def main() -> int:
    """Ask once; the reason for a 1 goes to stderr, where `docker inspect` shows it."""
    host = socket.gethostname()
    try:
        with closing(_connect()) as redis:
            told: dict[bytes, bytes] = redis.hgetall(keys.CONSUMERS)  # type: ignore[assignment]
            now = _time(redis)
    except (RedisError, WorkError, OSError, ValueError) as exc:
        return _unwell(f"no answer of Redis: {exc}")
    seen = [_seen(text) for name, text in told.items() if _host(name) == host.encode()]
    if not seen:
        return _unwell(f"no consumer runs on {host}")
    ago = now - max(seen)
    if ago > LIVING_SECONDS:
        return _unwell(f"the consumer on {host} was heard of {ago:.0f} s ago")
    return 0


def _connect() -> Redis | RedisCluster:
    url = os.environ.get("CENSUS_REDIS_URL")
    if not url:  # an empty setting is an unset one
        var = Path(os.environ.get("CENSUS_VAR") or "var")
        url = running_url(var)
        if url is None:
            raise ValueError(f"none is named, and none runs below CENSUS_VAR={var}")
    clustered = os.environ.get("CENSUS_REDIS_CLUSTER", "").strip().lower() in _YES
    found: Redis | RedisCluster = (RedisCluster if clustered else Redis).from_url(
        url,
        protocol=2,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return found


def _time(redis: Redis | RedisCluster) -> float:
    """By the clock of the Redis that consumers speak to, in seconds since 1970."""
    if isinstance(redis, RedisCluster):
        node = redis.get_node_from_key(keys.CONSUMERS)  # type: ignore[no-untyped-call]
        told = redis.execute_command("TIME", target_nodes=node)  # type: ignore[no-untyped-call]
    else:
        told = redis.time()
    seconds, microseconds = told
    return float(seconds) + float(microseconds) / 1e6


def _host(name: bytes) -> bytes:
    """Of a consumer's name: host:pid:random."""
    return name.rsplit(b":", 2)[0]


def _seen(text: bytes) -> float:
    """When it said so, by the clock of Redis, in seconds since 1970; 0 where it is unreadable."""
    try:
        return float(json.loads(text)["seen"]) / 1000
    except (ValueError, TypeError, LookupError, RecursionError):
        return 0.0


def _unwell(reason: str) -> int:
    print(reason, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
