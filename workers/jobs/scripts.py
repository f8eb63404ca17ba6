"""Lua scripts, each a file of `lua/`, run atomically by Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from workers.jobs.connection import Redis

__all__ = ["Script"]

_FOLDER = files("workers.jobs") / "lua"


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


class Script:
    """One script, with what all scripts share in front of it.

    Called by its hash, and by its text where that Redis does not know it (any more).
    """

    def __init__(self, name: str) -> None:
        self._source = _text("prelude") + _text(name)
        # Redis names scripts by it; nothing is secured with it.
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: Redis, keys: Sequence[str], *arguments: Any) -> Any:
        """Run it. Raises what the Redis client raises."""
        try:
            return await redis.execute_command("EVALSHA", self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.execute_command("EVAL", self._source, len(keys), *keys, *arguments)
