"""What every row needs, opened once for a process: downloads with manners, and the pool.

The server enters it from a cleanup context, a consumer from its exit stack: the same code at
both doors.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from imaging.options import Limits
from workers.batches.predictors import Predictors
from workers.batches.recipe import Recipe, recipe_for
from workers.fetch.download import Downloads
from workers.fetch.memory import Budget
from workers.fetch.session import open_session
from workers.fetch.turns import Turns
from workers.metrics.instruments import Instruments
from workers.options import BatchOptions
from workers.pool.pool import ImagePool, PoolSettings, open_pool
from workers.repeats import Repeats
from workers.settings import WorkSettings

__all__ = ["Engine", "open_engine"]


@dataclass(frozen=True, slots=True)
class Engine:
    """Shared by all streams of a process."""

    settings: WorkSettings
    downloads: Downloads
    turns: Turns
    pool: ImagePool
    limits: Limits
    predictors: Predictors
    arrays: Budget  #: of batches that are put together
    #: For each predictor, how many of its calls may wait for the pool or have it: as many as keep
    #: it busy. What else has work for the pool comes behind these, not behind all there will be.
    calls: defaultdict[str, asyncio.Semaphore]
    repeats: Repeats  #: what its runs know of URLs they asked for
    instruments: Instruments  #: what rows are counted and timed by

    async def recipe(self, options: BatchOptions) -> Recipe:
        """What batches are made with that are asked for so. Raises PredictorError."""
        return await recipe_for(self.predictors, options, most_bytes=self.settings.largest_array)


@asynccontextmanager
async def open_engine(
    settings: WorkSettings, *, resolver: AbstractResolver | None = None, pixels: bool = True
) -> AsyncIterator[Engine]:
    """Start the pool and the session; *resolver* stands in for the system's.

    Without *pixels* there is nothing to decode: no process is started, and nobody predicts.
    """
    limits = Limits(max_pixels=settings.max_pixels)
    of_pool = PoolSettings(
        slots=settings.pool_slots,
        memory_bytes=settings.pool_budget,
        item_timeout=settings.decode_timeout,
        limits=limits,
    )
    instruments = Instruments()
    async with (
        open_pool(of_pool, idle=not pixels) as pool,
        open_session(settings, resolver=resolver, timings=instruments.timings) as session,
    ):
        turns = Turns(
            connections=settings.max_connections,
            per_host=settings.max_connections_per_host,
            trusted=settings.trusted_hosts,
            instruments=instruments,
        )
        predictors = Predictors(settings, pool)
        if pixels:
            await predictors.look()
        arrays = Budget(int(settings.max_inflight_bytes), largest=settings.largest_array)
        try:
            yield Engine(
                settings,
                Downloads(session, settings, instruments.timings),
                turns,
                pool,
                limits,
                predictors,
                arrays,
                defaultdict(lambda: asyncio.Semaphore(pool.size)),
                Repeats(),
                instruments,
            )
        finally:
            await predictors.close()
