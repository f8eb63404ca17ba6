"""Shards run together, but a suspect one alone: what it does then is blamed on nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Alone"]


class Alone:
    """Many together, or one alone."""

    def __init__(self) -> None:
        self._together = 0
        self._changed = asyncio.Condition()
        self._turn = asyncio.Lock()
        self._suspects = 0

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Run with the others, behind whoever is alone or waits to be."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._suspects)
            self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            await self._tell()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until the others are done, and run with none beside."""
        self._suspects += 1
        try:
            async with self._turn:
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._together)
                yield
        finally:
            self._suspects -= 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
