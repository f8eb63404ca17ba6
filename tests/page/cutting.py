"""A proxy between a browser and the service that cuts, stalls and leads elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Proxy", "proxied"]

PART_BYTES = 16384


@dataclass(slots=True)
class Proxy:
    """Every connection leads to `upstream`, as long as that answers."""

    upstream: int  #: a port of 127.0.0.1
    port: int = 0
    cut_after: list[int] = field(default_factory=list)  #: bytes of results, a number a connection
    stall_after: int | None = None  #: bytes of results, of one connection: then `stalled` is set
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)  #: the stalled connection is cut
    cuts: int = 0
    followed: int = 0  #: connections that asked for results

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the browser: as many requests as it likes."""
        try:
            there, upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        results = asyncio.Event()

        async def asks() -> None:
            while part := await reader.read(PART_BYTES):
                if b"/results?" in part:
                    self.followed += 1
                    results.set()
                upstream.write(part)
                await upstream.drain()

        async def answers() -> None:
            sent, most = 0, None
            while part := await there.read(PART_BYTES):
                if results.is_set():
                    if most is None:
                        most = self.cut_after.pop(0) if self.cut_after else 0
                    sent += len(part)
                    if most and sent > most:
                        writer.write(part[: len(part) // 2])
                        await writer.drain()
                        self.cuts += 1
                        return
                    if self.stall_after is not None and sent > self.stall_after:
                        self.stall_after = None
                        self.stalled.set()
                        await self.go_on.wait()
                        return
                writer.write(part)
                await writer.drain()

        ways = [asyncio.create_task(asks()), asyncio.create_task(answers())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await way
            upstream.transport.abort()
            writer.transport.abort()


@asynccontextmanager
async def proxied(upstream: int) -> AsyncIterator[Proxy]:
    """Such a proxy on a free port of 127.0.0.1."""
    proxy = Proxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
