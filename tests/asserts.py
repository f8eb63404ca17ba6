"""Waiting for what other tasks, threads and processes do, without sleeping for a guess."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_until"]

T = TypeVar("T")

PAUSE_SECONDS = 0.005


async def wait_until(condition: Callable[[], T], timeout: float = 5.0) -> T:
    """Wait until *condition* holds and return what it said. Raises AssertionError after *timeout*.

    Asks in pauses: other processes set no events.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not (held := condition()):
        assert loop.time() < end, f"not so within {timeout} s: {condition}"
        await asyncio.sleep(PAUSE_SECONDS)
    return held
