"""Whether a Redis that others run keeps what is put into it: said loudly at start if not."""

from __future__ import annotations

import logging

from redis.exceptions import NoPermissionError, ResponseError

from workers.jobs.connection import Redis
from workers.jobs.patience import Patience

__all__ = ["warn_of_loss"]

logger = logging.getLogger(__name__)


async def warn_of_loss(redis: Redis) -> None:
    """Warn where this Redis would lose jobs, as soon as it answers. Waits for that without end."""
    told = await Patience(redis)(lambda: _said(redis))
    if told is None:
        extra = {"action": "redis_unknown"}
        logger.warning(
            "Redis does not tell whether it keeps jobs: INFO is forbidden or has another name",
            extra=extra,
        )
        return
    policy, kept = told.get("maxmemory_policy", "noeviction"), told.get("aof_enabled") != "0"
    if policy != "noeviction":
        logger.warning(
            "REDIS EVICTS: it drops keys of jobs when its memory is full; set maxmemory-policy"
            " noeviction",
            extra={"action": "redis_evicts", "policy": policy},
        )
    if not kept:
        logger.warning(
            "REDIS FORGETS: it keeps no append-only file, so jobs are lost when it ends; set"
            " appendonly yes",
            extra={"action": "redis_forgets"},
        )
    if kept and policy == "noeviction":
        logger.info("Redis keeps jobs", extra={"action": "redis_keeps"})


async def _said(redis: Redis) -> dict[str, str] | None:
    """What INFO says of memory and persistence; None where it may not, or cannot, be asked."""
    told: dict[str, str] = {}
    for section in ("memory", "persistence"):
        try:
            found = await redis.execute_command("INFO", section)
        except ResponseError as exc:
            if isinstance(exc, NoPermissionError) or "unknown command" in str(exc).lower():
                return None
            raise
        nodes = found.values() if all(isinstance(one, dict) for one in found.values()) else [found]
        for node in nodes:  # of a cluster; what is wrong with one is wrong
            for name, value in node.items():
                if name not in told or (name == "maxmemory_policy" and value != "noeviction"):
                    told[str(name)] = str(value)
    return told
