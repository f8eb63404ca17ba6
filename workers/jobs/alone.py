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
        self._left = asyncio.Event()
        self._turn = asyncio.Lock()
        self._suspects = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody is alone, or waits to be: begin nothing new."""
        return self._suspects > 0

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Run with the others."""
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            self._left.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until the others are done, and run with none beside."""
        self._suspects += 1
        try:
            async with self._turn:
                while self._together:
                    self._left.clear()
                    await self._left.wait()
                yield
        finally:
            self._suspects -= 1
