"""A host that says exactly what a test gives it, for what the picture host would never say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext

__all__ = ["RawHost", "answering", "head"]


class RawHost:
    """What was asked of it, and how it is reached."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.asked: list[bytes] = []  # heads of requests
        self.dialled = 0
        self.open = 0  # connections


#: An answer's bytes; None: say nothing; a function of the request's head that gives one of these.
Said = bytes | None | Callable[[bytes], "bytes | None"]


def head(status: str, **fields: object) -> bytes:
    """An answer's head; `Content_Length=5` is a header."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


@asynccontextmanager
async def answering(
    *said: Said, stays: bool = False, ssl: SSLContext | None = None
) -> AsyncIterator[RawHost]:
    """Say *said*, one for each request, the last one again and again; then close, or stay open."""
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.dialled += 1
        host.open += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                answer = said[min(len(host.asked), len(said) - 1)]
                host.asked.append(asked)
                answer = answer(asked) if callable(answer) else answer
                if answer is None:
                    await reader.read()
                    break
                writer.write(answer)
                await writer.drain()
                if not stays:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            host.open -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=ssl)
    host = RawHost(server.sockets[0].getsockname()[1], "https" if ssl else "http")
    try:
        yield host
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
