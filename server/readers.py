"""Answers that give out a job's results, so that a server that stops can end each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from server.problems import RequestError, ShuttingDown

__all__ = ["Readers"]


class Readers:
    """All of them. Each holds results: at most *most* follow a job, for as long as it runs, and so
    many others read what is there.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts = {True: 0, False: 0}  # those who follow, and the others
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def draining(self) -> bool:
        """Whether they are to end."""
        return self._draining.is_set()

    @contextmanager
    def entered(self, *, follow: bool) -> Iterator[None]:
        """Count one. Raises ShuttingDown, or RequestError (503) where they are too many."""
        if self.draining:
            raise ShuttingDown
        if self._counts[follow] >= self._most:
            told = f"{self._most} do, as many as CENSUS_MAX_STREAMS allows"
            if follow:
                told += "; without follow what is there now is given out"
            doing = "follow jobs" if follow else "read results"
            raise RequestError(503, f"too many clients {doing}", detail=told)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - handlers run in one
        self._tasks.add(task)
        self._counts[follow] += 1
        try:
            yield
        finally:
            self._tasks.discard(task)
            self._counts[follow] -= 1

    async def rest(self, seconds: float) -> None:
        """Wait, not so long when draining begins."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._draining.wait()

    def drain(self) -> None:
        """End all of them, each with a summary."""
        self._draining.set()

    async def leave(self, grace: float) -> None:
        """Wait for them to end; those that do not within *grace* seconds are cut."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
