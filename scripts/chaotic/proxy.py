"""F8: a way to Redis that breaks: now and then the connection ends instead of a reply."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.chaotic.crashes import LATE
from scripts.chaotic.stage import Setting, staged
from scripts.chaotic.verdict import Verdict

__all__ = ["broken_way"]

EVERY = 50
BLOCK = 64 * 1024


class Proxy:
    """Between 127.0.0.1 and a socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._passed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.port = 0
        self.whole = False  #: nothing is dropped any more

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        with suppress(OSError, asyncio.CancelledError):
            back, there = await asyncio.open_unix_connection(str(self._socket))
            ways = [
                asyncio.create_task(self._pass("requests", reader, there)),
                asyncio.create_task(self._pass("replies", back, writer)),
            ]
            await asyncio.wait(ways, return_when="FIRST_COMPLETED")
            for way in ways:
                way.cancel()
        for one in (writer, there):
            if one is not None:
                one.transport.abort()

    async def _pass(
        self, what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(BLOCK):
                self._passed[what] += 1
                if not self.whole and self._passed[what] % EVERY == 0:
                    self.dropped[what] += 1
                    return
                writer.write(data)
                await writer.drain()

    @classmethod
    @contextmanager
    def running(cls, socket: Path) -> Iterator[Proxy]:
        """In a thread of its own."""
        proxy, started = cls(socket), threading.Event()
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        thread = threading.Thread(
            target=loop.run_until_complete, args=(proxy._serve(started, stop),), daemon=True
        )
        thread.start()
        try:
            started.wait(10)
            yield proxy
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()


def broken_way(setting: Setting) -> Verdict:
    """F8: one reply and one request in fifty get lost, with the connection."""
    with staged(setting, "F8") as stage, Proxy.running(stage.redis.socket) as proxy:
        stage.crew_of(f"redis://127.0.0.1:{proxy.port}").hire(2)
        for size in (150, 150) if setting.short else (600, 1500, 600):
            stage.enter(size, prefix=lambda _: LATE)
        stage.until(stage.settled)
        stage.done.update({f"{what} dropped": count for what, count in proxy.dropped.items()})
        stage.judge()
        stage.crew.close()
    return stage.verdict
