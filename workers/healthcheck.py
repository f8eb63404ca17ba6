"""`python -m workers.healthcheck`: does a consumer of this host live? Exit code 0 or 1.

Asks the Redis that `CENSUS_REDIS_URL` (else `CENSUS_VAR`) leads to what consumers said last of
themselves; in a container the host is the container. Imports little: it runs every few seconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["main"]

TIMEOUT_SECONDS = 3.0
#: As in `workers.jobs.streams`.
LIVING_SECONDS = 15

_YES = frozenset({"1", "true", "yes", "on", "t", "y"})


def main() -> int:
    """Ask once; the reason for a 1 goes to stderr, where `docker inspect` shows it."""
    from redis.exceptions import RedisError

    url = os.environ.get("CENSUS_REDIS_URL") or _own()
    if url is None:
        return _said("CENSUS_REDIS_URL is not set, and no Redis of our own runs")
    try:
        with closing(_client(url)) as client:
            (seconds, micros), told = client.time(), client.hgetall(_consumers())
    except (RedisError, OSError, ValueError) as exc:
        return _said(f"no answer of Redis: {type(exc).__name__}: {exc}")
    oldest = (seconds - LIVING_SECONDS) * 1000 + micros // 1000
    host = socket.gethostname()
    if not any(_lives(text, host, oldest) for text in told.values()):
        return _said(f"no consumer of {host} said for {LIVING_SECONDS} seconds that it lives")
    return 0


def _lives(text: bytes, host: str, oldest: int) -> bool:
    try:
        told = json.loads(text)
        return bool(told["host"] == host and told["seen"] >= oldest)
    except (ValueError, TypeError, KeyError):  # whoever wrote that is no consumer
        return False


def _client(url: str) -> Any:
    from redis import Redis, RedisCluster
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    cluster = (os.environ.get("CENSUS_REDIS_CLUSTER") or "").lower() in _YES
    waits: dict[str, Any] = {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    if cluster:
        return RedisCluster.from_url(url, **waits)
    return Redis.from_url(url, **waits)


def _consumers() -> str:
    from workers.jobs import keys

    return keys.CONSUMERS


def _own() -> str | None:
    from workers.jobs.home import running_url

    return running_url(Path(os.environ.get("CENSUS_VAR") or "var"))


def _said(reason: str) -> int:
    print(reason.replace("\n", " "), file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
