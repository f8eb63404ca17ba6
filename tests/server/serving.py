"""The real application on a free port of 127.0.0.1, and clients that talk to it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import numpy as np
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict

from server import keys
from server.app import create_runner
from server.settings import ServerSettings
from tests.asserts import wait_until

__all__ = ["BATCH", "INFO", "TSV", "Answer", "Served", "Talk", "arrays", "serving"]

INFO = "/api/v1/images_info"
BATCH = "/api/v1/batch_predict"
TSV = {"Content-Type": "text/tab-separated-values"}
#: Whatever a test waits for comes long before; a bug must fail it, not hang it.
PATIENCE_SECONDS = 15.0


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def problem(self, status: int) -> dict[str, Any]:
        """The problem this is, with every member one must have."""
        assert self.status == status, self.body
        assert self.headers["Content-Type"] == "application/problem+json"
        told: dict[str, Any] = self.json()
        assert told["status"] == status
        assert told["request_id"] == self.headers["X-Request-ID"]
        assert told["type"] == "about:blank"
        assert told["title"]
        assert told["detail"]
        assert told["error"]
        return told

    def lines(self) -> list[dict[str, Any]]:
        """The body as NDJSON, which it must say it is."""
        assert self.status == 200, self.body
        assert self.headers["Content-Type"] == "application/x-ndjson"
        assert self.body.endswith(b"\n")
        return [json.loads(line) for line in self.body.splitlines()]

    def records(self, kind: str = "image") -> list[dict[str, Any]]:
        """The lines between `start` and `summary`, which must be there; a busy machine may idle."""
        start, *between, summary = self.lines()
        records = [line for line in between if line["type"] != "progress"]
        assert start["type"] == "start"
        assert {record["type"] for record in records} <= {kind}
        assert summary["type"] == "summary"
        return records

    def batches(self) -> list[dict[str, Any]]:
        """The batches of a stream, each once, in the order of the manifest."""
        found = sorted(self.records("batch"), key=lambda line: int(line["batch"]))
        assert [line["batch"] for line in found] == list(range(len(found)))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all batches."""
        return [row for line in self.batches() for row in line["rows"]]

    def summary(self) -> dict[str, Any]:
        """The last line."""
        last = self.lines()[-1]
        assert last["type"] == "summary"
        return last


def arrays(line: dict[str, Any]) -> np.ndarray:
    """The array of a batch that was asked for as `.npy`."""
    file = io.BytesIO(base64.b64decode(line["pixels"], validate=True))
    array: np.ndarray = np.load(file, allow_pickle=False)
    assert array.dtype == np.uint8
    assert list(array.shape) == line["batch_dimension"]
    return array


class Talk:
    """A connection on which every byte is said by the test itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(
        self, path: str = INFO, *, body: bytes | None = b"", length: int | None = None, **named: str
    ) -> None:
        """Send a POST: `body` with its length (or the `length` claimed), None: chunks follow."""
        fields = {
            "Host": "127.0.0.1",
            **{name.replace("_", "-"): said for name, said in named.items()},
        }
        if body is None:
            fields["Transfer-Encoding"] = "chunked"
        else:
            fields["Content-Length"] = str(len(body) if length is None else length)
        head = "".join(f"{name}: {said}\r\n" for name, said in fields.items())
        self.writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        """Send one chunk; an empty one is the end of the body."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def head(self) -> tuple[int, Mapping[str, str]]:
        """Status and header fields of the answer."""
        said = (await self.until(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in said[1:-2])
        return int(said[0].split()[1]), CIMultiDict(fields)

    async def line(self) -> dict[str, Any]:
        """The next line of a chunked NDJSON answer, its framing passed over."""
        while True:
            said = await self.until(b"\n")
            if said.startswith(b"{"):
                line: dict[str, Any] = json.loads(said)
                return line

    async def answer(self) -> Answer:
        """An answer with a Content-Length, whole."""
        status, headers = await self.head()
        async with asyncio.timeout(PATIENCE_SECONDS):
            body = await self.reader.readexactly(int(headers["Content-Length"]))
        return Answer(status, headers, body)

    async def until(self, end: bytes) -> bytes:
        """What comes next, up to and with *end*."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.read()

    def vanish(self) -> None:
        """Be gone, with no goodbye."""
        self.writer.transport.abort()


class Served:
    """A running application and a client of it."""

    def __init__(self, runner: web.AppRunner, session: ClientSession) -> None:
        self.runner = runner
        self.session = session
        self.port: int = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def app(self) -> web.Application:
        """The application itself."""
        return self.runner.app

    @property
    def settings(self) -> ServerSettings:
        """What it was made with."""
        return self.app[keys.SETTINGS]

    async def ask(self, path: str = INFO, *, method: str = "POST", **said: Any) -> Answer:
        """One request; `json`, `data`, `params` and `headers` as aiohttp's client takes them."""
        async with self.session.request(method, self.url + path, **said) as response:
            return Answer(response.status, response.headers, await response.read())

    async def upload(
        self,
        data: Any,
        *,
        headers: Mapping[str, str] = TSV,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a manifest as the body, its options in the query."""
        return await self.ask(data=data, headers={**TSV, **headers}, params=params)

    @asynccontextmanager
    async def talk(self, *, narrow: bool = False) -> AsyncIterator[Talk]:
        """A bare connection, closed without a goodbye; a *narrow* one holds little unread."""
        plug = socket.socket()
        if narrow:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", self.port))
        limit = 1 << (15 if narrow else 22)
        reader, writer = await asyncio.open_connection(sock=plug, limit=limit)
        try:
            yield Talk(reader, writer)
        finally:
            writer.transport.abort()

    async def stuck(self) -> None:
        """Wait until a client does not read what is written to it."""
        server = self.runner.server
        assert server is not None
        await wait_until(lambda: any(connection._paused for connection in server.connections))

    async def at_rest(self) -> None:
        """Wait until nothing is held for anybody: streams, downloads, arrays, spools, slots."""
        app, engine = self.app, self.app[keys.ENGINE]
        spools = self.app[keys.SPOOL_ROOM]
        await wait_until(lambda: not app[keys.STREAMS])
        await wait_until(lambda: not app[keys.READERS])
        await wait_until(lambda: not engine.turns.busy)
        await wait_until(lambda: engine.arrays.free == engine.arrays.size)
        await wait_until(lambda: not engine.pool.busy)
        await wait_until(lambda: spools._free == int(self.settings.max_spool_bytes))
        hosts = engine.turns._hosts._known.values()
        assert not [host for host in hosts if host.busy or host.lines]


@asynccontextmanager
async def serving(
    settings: ServerSettings, *, resolver: AbstractResolver | None = None
) -> AsyncIterator[Served]:
    """The application as `python -m server` runs it, and a client."""
    runner = create_runner(settings, resolver=resolver)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        patience = ClientTimeout(total=2 * PATIENCE_SECONDS)
        async with ClientSession(auto_decompress=False, timeout=patience) as session:
            yield Served(runner, session)
    finally:
        await runner.cleanup()
