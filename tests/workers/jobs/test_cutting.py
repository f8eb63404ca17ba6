"""Tasks that are cut off, whether they hear of it the first time or not."""

from __future__ import annotations

import asyncio

from workers.jobs.cutting import cut_off


async def test_a_task_that_misses_it_is_told_again() -> None:
    """As one that is sending to Redis may; results and errors are told in order."""
    missed = 0

    async def deaf() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                missed += 1
                if missed == 2:
                    raise

    async def fails() -> None:
        raise ValueError("of the test")

    async def ends() -> int:
        return 7

    tasks = [asyncio.create_task(work()) for work in (deaf, fails, ends)]
    await asyncio.sleep(0)
    cut, error, result = await cut_off(tasks)
    assert isinstance(cut, asyncio.CancelledError)
    assert isinstance(error, ValueError)
    assert (result, missed) == (7, 2)
    assert await cut_off([]) == []
