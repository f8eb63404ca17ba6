"""What the predictions of a request are made with."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server import keys
from server.problems import ShuttingDown
from workers.batches.recipe import Recipe
from workers.options import BatchOptions

__all__ = ["recipe_of"]


async def recipe_of(request: web.Request, options: BatchOptions) -> Recipe:
    """Find the predictor, also one that is still being loaded: that is waited for.

    Raises:
        PredictorError: naming the option that is wrong.
        ShuttingDown: the server ends meanwhile.
    """
    try:
        async with asyncio.timeout(None) as clock:
            with request.app[keys.STREAMS].interrupting(clock):
                return await request.app[keys.ENGINE].recipe(options)
    except TimeoutError:
        raise ShuttingDown from None
