"""What `python -m server` has beside it where no Redis is named: one of our own, and a consumer."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from server.consumer import Consumer
from server.settings import ServerSettings
from workers.jobs.embedded import embedded_redis

__all__ = ["Companions", "companions"]

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent


class Companions:
    """The settings to serve with, and what of it is the server's own."""

    def __init__(self, settings: ServerSettings, consumer: Consumer | None = None) -> None:
        self.settings = settings
        self._consumer = consumer
        #: For the ready line: where jobs live, and a command that puts one there.
        self.told: dict[str, str] = {}
        if consumer is not None and settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
            self.told = {"redis": url, "inject": _inject(settings.var)}

    def begin(self) -> None:
        """Have jobs worked on, now that the door is open."""
        if self._consumer is not None:
            self._consumer.start()

    def let_go(self) -> None:
        """Tell the consumer to end, while the server ends its streams."""
        if self._consumer is not None:
            self._consumer.stop()


@asynccontextmanager
async def companions(settings: ServerSettings, stop: asyncio.Event) -> AsyncIterator[Companions]:
    """A Redis and a consumer for a server that was told of none; they end with the context.

    With CENSUS_REDIS_URL nothing is started. *stop* gives up a Redis that still reads its files.

    Raises:
        EmbeddedRedisError: there is no Redis to be had.
    """
    if settings.redis_url is not None:
        yield Companions(settings)
        return
    async with AsyncExitStack() as stack:
        url = await _unless(stop, stack.enter_async_context(embedded_redis(settings.var)))
        if url is None:
            yield Companions(settings)
            return
        settings = settings.model_copy(update={"redis_url": SecretStr(url), "redis_cluster": False})
        consumer = Consumer(url, settings.shutdown_grace)
        stack.push_async_callback(consumer.end)
        yield Companions(settings, consumer)


def _inject(var: Path) -> str:
    command = "./scripts/redis-cli XADD census:jobs '*' kind images_info filepath sample.tsv"
    if var.resolve() == (ROOT / "var").resolve():
        return command
    return f"CENSUS_VAR={shlex.quote(str(var.resolve()))} {command}"


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What *work* comes to; None when *stop* is set before, and it is cancelled then."""
    doing = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        doing.cancel()  # does nothing to one that is done
    with suppress(asyncio.CancelledError):
        return await doing
    return None
