"""Waiting for what other tasks, threads and processes do, without sleeping for a guess."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["eventually", "pestered", "wait_for", "wait_until"]

T = TypeVar("T")

PAUSE_SECONDS = 0.005


async def wait_until(condition: Callable[[], T], timeout: float = 20.0) -> T:
    """Wait until *condition* holds and return what it said. Raises AssertionError after *timeout*.

    Asks in pauses: other processes set no events.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not (held := condition()):
        assert loop.time() < end, f"not so within {timeout} s: {condition}"
        await asyncio.sleep(PAUSE_SECONDS)
    return held


def eventually(condition: Callable[[], T], timeout: float = 60.0) -> T:
    """As `wait_until`, where there is no event loop; each try may take its time."""
    end = time.monotonic() + timeout
    while not (held := condition()):
        assert time.monotonic() < end, f"not so within {timeout} s: {condition}"
        time.sleep(PAUSE_SECONDS)
    return held


async def wait_for(ask: Callable[[], Awaitable[T]], timeout: float = 20.0) -> T:
    """As `wait_until`, for what has to be awaited to be known."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not (held := await ask()):
        assert loop.time() < end, f"not so within {timeout} s: {ask}"
        await asyncio.sleep(PAUSE_SECONDS)
    return held


def pestered(process: subprocess.Popen[bytes], number: int) -> int:
    """The exit code of a process that is sent that signal again and again until it is gone."""

    def gone() -> bool:
        process.send_signal(number)
        return process.poll() is not None

    eventually(gone)
    return process.returncode
