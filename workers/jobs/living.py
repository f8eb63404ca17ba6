"""Which consumers live, and how many shards they run at once together."""

from __future__ import annotations

from typing import Any

import orjson

from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.patience import Patience
from workers.jobs.scripts import Script

__all__ = ["LIVING_SECONDS", "say_alive"]

_ALIVE = Script("alive")

#: A consumer that did not say so for so long does not live.
LIVING_SECONDS = 15


async def say_alive(
    redis: Redis, patience: Patience, consumer: str, told: dict[str, Any] | None
) -> list[int]:
    """Say what *consumer* is, or with None that it goes; shards at once, by kind.

    Raises:
        RedisAway: the time for it was over.
    """
    named = [keys.CONSUMERS, *(keys.CAPACITY + kind for kind in keys.KINDS)]
    text = b"" if told is None else orjson.dumps(told)
    sums: list[int] = await patience(
        lambda: _ALIVE(redis, named, consumer, text, LIVING_SECONDS, *keys.KINDS)
    )
    return sums
