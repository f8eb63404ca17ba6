"""SIGTERM ends what is under way like Ctrl-C does, with its own exit code and everything closed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from scripts.cli import exits

__all__ = ["until_terminated"]


async def until_terminated(work: Coroutine[Any, Any, int]) -> int:
    """What *work* returns, or the exit code of SIGTERM, which cancels it. To be run as a task."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - the runner made one
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await work
    except asyncio.CancelledError:
        if not terminated:
            raise
        return exits.TERMINATED
