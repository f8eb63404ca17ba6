"""What the application opens before it serves and closes after: in this order, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from contextvars import Context
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver

from server import keys
from workers.engine import open_engine
from workers.jobs.connection import connect
from workers.jobs.ledger import Ledger
from workers.jobs.upkeep import warn_of_loss

__all__ = ["drain", "engine", "ledger"]


def engine(
    resolver: AbstractResolver | None,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """The cleanup context of the engine; *resolver* stands in for the system's."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with open_engine(app[keys.SETTINGS], resolver=resolver) as opened_engine:
            app[keys.ENGINE] = opened_engine
            yield

    return opened


async def ledger(app: web.Application) -> AsyncIterator[None]:
    """The cleanup context of the ledger. Redis may be away; then jobs are, until it is back."""
    settings = app[keys.SETTINGS]
    if settings.redis_url is None:
        yield
        return
    async with aclosing(connect(settings)) as redis:
        root = Path(settings.data_root)
        app[keys.LEDGER] = Ledger(redis, root=root, ttl=settings.result_ttl)
        warning = asyncio.create_task(warn_of_loss(redis), context=Context())
        try:
            yield
        finally:
            warning.cancel()
            await asyncio.gather(warning, return_exceptions=True)


async def drain(app: web.Application) -> None:
    """End open streams with a summary that says so. For `on_shutdown`: handlers still run."""
    grace = app[keys.SETTINGS].shutdown_grace
    app[keys.READERS].drain()
    await app[keys.STREAMS].drain()
    await asyncio.gather(app[keys.STREAMS].leave(grace), app[keys.READERS].leave(grace))
