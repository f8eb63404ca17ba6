"""Connections: dialled through the guard, kept a while, no more of them idle than may be busy."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler

from workers.fetch.framing import BoundedAnswers
from workers.metrics.histogram import Histogram

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["AFRESH", "DIALLED", "Connections"]

#: Whether the question about to be asked wants a connection of its own, none that was kept.
AFRESH: ContextVar[bool] = ContextVar("afresh", default=False)
#: When the task that asks last dialled, by the clock of `time.monotonic`: what it asks takes its
#: time from then on.
DIALLED: ContextVar[float] = ContextVar("dialled", default=0.0)


class Connections(TCPConnector):
    """The library's connector, with at most *most_idle* connections kept that nobody uses.

    A manifest of a hundred thousand hosts would else keep one to each for as long as they are
    kept, and the process has no descriptors left. The oldest idle one is closed first. This goes
    behind the library's public face (four methods); constraints.txt pins what it was tried with.
    """

    def __init__(
        self, *, most_idle: int, connecting: Histogram | None = None, **given: Any
    ) -> None:
        """*connecting* is told how long each TCP and TLS handshake took, also one in vain."""
        super().__init__(**given)
        self._connecting = connecting or Histogram()
        bounded = partial(BoundedAnswers, asyncio.get_running_loop())
        self._factory = cast("partial[ResponseHandler]", bounded)
        self._most_idle = most_idle
        self._idle: dict[ResponseHandler, ConnectionKey] = {}  # the oldest first

    @property
    def idle(self) -> int:
        """Connections kept for later, those included that their hosts have closed since."""
        return len(self._idle)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        if AFRESH.get():
            return None
        connection = await super()._get(key, traces)
        if connection is not None and connection.protocol is not None:
            self._idle.pop(connection.protocol, None)
        return connection

    async def _wrap_create_connection(
        self, *args: Any, **given: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        began = monotonic()
        try:
            return await super()._wrap_create_connection(*args, **given)
        finally:
            now = monotonic()
            DIALLED.set(now)
            self._connecting.observe(now - began)

    def _release(
        self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        super()._release(key, protocol, should_close=should_close)
        kept = self._conns.get(key)
        if kept and kept[-1][0] is protocol:
            self._idle[protocol] = key
            if len(self._idle) > self._most_idle:
                self._close_oldest()

    def _close_oldest(self) -> None:
        protocol, key = next(iter(self._idle.items()))
        del self._idle[protocol]
        protocol.close()
        kept = self._conns.get(key)
        if kept is None:
            return
        for entry in kept:  # it is the first, unless a later one was never used again
            if entry[0] is protocol:
                kept.remove(entry)
                break
        if not kept:
            del self._conns[key]

    def _cleanup(self) -> None:
        super()._cleanup()
        self._idle = {
            protocol: key for protocol, key in self._idle.items() if protocol.is_connected()
        }
