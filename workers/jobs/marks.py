"""Which rows were under way when consumers died with a shard in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.patience import Patience
from workers.jobs.scripts import Script

__all__ = ["Marks"]

_MARK = Script("mark")

#: Marks are of no use later.
KEPT_SECONDS = 24 * 3600


class Marks:
    """Those of one job. All of it may raise RedisAway and KeyBroken."""

    def __init__(self, redis: Redis, patience: Patience, job: str) -> None:
        self._redis = redis
        self._patience = patience
        self._job = job

    async def set(self, rows: Iterable[int], count: int) -> None:
        """Say that these rows are under way, for the *count*-th time."""
        named = [keys.job(self._job), keys.marks(self._job)]
        await self._patience(
            lambda: _MARK(self._redis, named, KEPT_SECONDS, count, *rows), breakable=True
        )

    async def clear(self, rows: Sequence[int]) -> None:
        """They are over and did no harm."""
        key = keys.marks(self._job)
        await self._patience(
            lambda: self._redis.execute_command("HDEL", key, *rows), breakable=True
        )

    async def all(self) -> dict[int, int]:
        """How many consumers died with each row under way."""
        key = keys.marks(self._job)
        found: dict[bytes, bytes] = await self._patience(
            lambda: self._redis.execute_command("HGETALL", key), breakable=True
        )
        return {int(k): int(n) for k, n in found.items() if k.isdigit() and n.isdigit()}
