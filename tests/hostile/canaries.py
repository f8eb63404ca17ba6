"""Listeners where no download may ever arrive, and names that lead there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

from aiohttp.abc import AbstractResolver, ResolveResult

from workers.fetch.names import ThreadedNames

__all__ = ["Canaries", "Names", "listening"]

#: Where they listen; whatever leads to 0.0.0.0 or [::] ends up at one of them too.
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.255.255.254", "::1")


class Canaries:
    """Counts who was there: address and port, as often as somebody came."""

    def __init__(self) -> None:
        self.port = 0
        self.met: list[str] = []

    async def meet(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody came."""
        self.met.append("{}:{}".format(*writer.get_extra_info("sockname")))
        writer.close()


@asynccontextmanager
async def listening(beside: int) -> AsyncIterator[Canaries]:
    """On one port of every address, and at 127.0.0.2 on the port *beside* that 127.0.0.1 uses."""
    canaries = Canaries()
    async with AsyncExitStack() as stack:
        for address in ADDRESSES:
            server = await asyncio.start_server(canaries.meet, address, canaries.port)
            canaries.port = server.sockets[0].getsockname()[1]
            await stack.enter_async_context(server)
        server = await asyncio.start_server(canaries.meet, "127.0.0.2", beside)
        await stack.enter_async_context(server)
        yield canaries


class Names(AbstractResolver):
    """Knows the names below `.example`, and takes the system's word for all others.

    A name has a list of answers, each a list of addresses: one answer for each look-up, in turn.
    """

    def __init__(self, known: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._system = ThreadedNames()
        self._known = {name: cycle(answers) for name, answers in known.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The next answer. Raises OSError."""
        if host not in self._known:
            return await self._system.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in next(self._known[host])
        ]

    async def close(self) -> None:
        """Nothing is open."""
        await self._system.close()
