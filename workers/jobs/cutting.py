"""Cutting tasks off, also such as do not hear of it the first time.

The Redis client sends through `asyncio.wait_for`, which before Python 3.12 forgets a cancellation
that comes just as it ends (gh-86296). A task would go on then, and be waited for without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

__all__ = ["cut_off"]

#: Cleaning up has so long before it is cut off as well.
AGAIN_SECONDS = 0.5


async def cut_off(tasks: Iterable[asyncio.Task[Any]]) -> list[Any]:
    """Cancel *tasks* until all are over. Their results or errors, as `gather` gives them."""
    waited = list(tasks)
    left = {task for task in waited if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    return await asyncio.gather(*waited, return_exceptions=True)
