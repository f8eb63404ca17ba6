"""What the application opens before it serves and closes after: in this order, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import web
from aiohttp.abc import AbstractResolver

from server import keys
from workers.engine import open_engine

__all__ = ["drain", "engine"]


def engine(
    resolver: AbstractResolver | None,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """The cleanup context of the engine; *resolver* stands in for the system's."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with open_engine(app[keys.SETTINGS], resolver=resolver) as opened_engine:
            app[keys.ENGINE] = opened_engine
            yield

    return opened


async def drain(app: web.Application) -> None:
    """End open streams with a summary that says so. For `on_shutdown`: handlers still run."""
    await app[keys.STREAMS].drain()
    await app[keys.STREAMS].leave(app[keys.SETTINGS].shutdown_grace)
