"""Damaged files through the real process pool at full depth: one outcome each, and it lives on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from imaging.examine import Examined
from imaging.facts import ErrorCode, Failure
from imaging.options import Limits
from scripts.fuzzing.mutants import Mutants
from workers.pool import child, entries
from workers.pool.pool import ImagePool, PoolSettings, open_pool

__all__ = ["Outcomes", "through_the_pool"]

#: A mutant may claim any size: small bounds keep each quick, and are tried by it.
SETTINGS = PoolSettings(
    slots=2, memory_bytes=1 << 30, item_timeout=10.0, limits=Limits(max_pixels=20_000_000)
)
CHUNK = 8
#: What no picture should come to; one that needs too much memory may well be `worker_died`.
_FOUND = (ErrorCode.INTERNAL, ErrorCode.DECODE_TIMEOUT)


@dataclass(slots=True)
class Outcomes:
    """What became of all items."""

    codes: Counter[str] = field(default_factory=Counter)  #: `ok` or an error code
    findings: list[tuple[int, str]] = field(default_factory=list)  #: number of a mutant, what
    deaths: int = 0  #: children that ended unasked
    alive: bool = False  #: every slot answers at the end


async def through_the_pool(mutants: Mutants, executions: int, seconds: float) -> Outcomes:
    """Examine so many mutants, or as many as fit the time."""
    outcomes = Outcomes()
    numbers = iter(range(0, executions, CHUNK))
    until = time.monotonic() + seconds
    async with open_pool(SETTINGS) as pool:

        async def work() -> None:
            for first in numbers:
                if time.monotonic() > until:
                    return
                count = min(CHUNK, executions - first)
                await _chunk(pool, mutants, range(first, first + count), outcomes)

        await asyncio.gather(*(work() for _ in range(pool.size)))
        async with asyncio.timeout(60):
            outcomes.alive = all(await asyncio.gather(*(_answers(pool) for _ in range(pool.size))))
        outcomes.deaths = pool.restarts
    return outcomes


async def _chunk(pool: ImagePool, mutants: Mutants, numbers: range, outcomes: Outcomes) -> None:
    items = [mutants.make(number)[1] for number in numbers]
    try:
        async with pool.slot() as slot:
            results = await slot.run(entries.examine_item, items, SETTINGS.limits, 32)
    except Exception as exc:
        outcomes.findings.append((numbers[0], f"the chunk raised {exc!r}"))
        return
    if len(results) != len(items):
        outcomes.findings.append((numbers[0], f"{len(results)} results of {len(items)}"))
    for number, result in zip(numbers, results, strict=False):
        if isinstance(result, Examined):
            outcomes.codes["ok"] += 1
        elif isinstance(result, Failure) and isinstance(result.code, ErrorCode):
            outcomes.codes[result.code] += 1
            if result.code in _FOUND or "the process ended" in result.message:
                outcomes.findings.append((number, f"{result.code}: {result.message}"))
        else:
            outcomes.findings.append((number, f"{type(result).__name__} is no outcome"))


async def _answers(pool: ImagePool) -> bool:
    async with pool.slot() as slot:
        return await slot.run(child.echo, [True]) == [True]
