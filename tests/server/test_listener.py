"""Connections that speak no HTTP, that say nothing, that come by the thousand."""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from server import listener
from tests.asserts import wait_until
from tests.server.serving import INFO, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

POST = f"POST {INFO} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
GET = b"GET /ping/ HTTP/1.1\r\nHost: localhost\r\n"
MANY = 1000


def heads(said: bytes) -> list[int]:
    """The statuses of the answers in what the server said."""
    return [int(status) for status in re.findall(rb"HTTP/\d\.\d (\d{3}) ", said)]


@pytest.mark.parametrize(
    "said",
    [
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: +1\r\n\r\n1",
        POST + b"Content-Length: 1e3\r\n\r\n",
        POST + b"Content-Length: 99999999999999999999\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        GET + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
        GET + b"X" * 20_000 + b": x\r\n\r\n",
        GET + b"X: y\r\n" * 1000 + b"\r\n",
        GET + b"X: a\0b\r\n\r\n",
        GET + b"X: a\rb\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        GET + b" folded\r\n\r\n",
        b"GET /ping/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET /ping/ HTTP/1.1\r\n\r\n",
        b"GET /ping/ HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ping/ HTTP/7.1\r\nHost: localhost\r\n\r\n",
        b"GET /ping/ HTTP/1.1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\r\n\r\n",
        b"HELO example.org\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret\r\n\r\n",
        b"\0" * 100,
        b"{}\r\n\r\n",
    ],
    ids=lambda said: repr(bytes(said).replace(POST, b"")[:40])[2:-1],
)
async def test_what_is_not_http_is_refused(
    served: Served, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A problem and the end of the connection; one quiet line, without what came; a living server.

    400 for all of it: a length that is none, two framings, a head too long, HTTP/0.9, TLS, noise.
    """
    caplog.set_level("INFO")
    async with served.talk() as talk:
        talk.writer.write(said)
        answer = await talk.answer()
        told = answer.problem(400)
        await talk.rest()
    assert answer.headers["Server"] == "imagecensus"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "xxx" not in str(told)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.exc_info is None
    assert "secret" not in str(vars(record))
    assert (await served.ask("/ping/", method="GET")).status == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "OPTIONS", "BREW"])
async def test_a_method_of_no_use_is_refused(served: Served, method: str) -> None:
    """By the parser or by the router; TRACE sends nothing back."""
    target = "localhost:80" if method == "CONNECT" else INFO
    async with served.talk() as talk:
        talk.writer.write(
            f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Mine: 17\r\n\r\n".encode()
        )
        answer = await talk.answer()
        answer.problem(answer.status)
    assert answer.status in (400, 404, 405)
    assert b"X-Mine" not in answer.body


async def test_noise_behind_a_request_costs_only_itself(served: Served) -> None:
    """What came before it on the connection is answered."""
    async with served.talk() as talk:
        talk.writer.write(GET + b"\r\n" + GET + b"\r\n" + b"\0noise\r\n\r\n" + GET + b"\r\n")
        assert heads(await talk.rest()) in ([200, 200, 400], [400])
    async with served.talk() as talk:
        talk.writer.write(GET + b"\r\n")
        assert (await talk.answer()).status == 200
        talk.writer.write(b"\0noise\r\n\r\n")
        (await talk.answer()).problem(400)


@pytest.mark.parametrize("before", [b"", GET + b"\r\n"], ids=["first", "kept"])
async def test_a_head_that_drips_is_waited_for_only_so_long(
    served: Served, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    """From its first byte on, however regularly the next ones come."""
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
    async with served.talk() as talk:
        if before:
            talk.writer.write(before)
            assert (await talk.answer()).status == 200
        talk.writer.write(GET)
        dripping = asyncio.create_task(drip(talk.writer))
        with suppress(ConnectionError):  # closed over bytes that were not read
            assert await talk.rest() == b""
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


class Early(asyncio.Protocol):
    """A connection whose first bytes come with it, as uvloop hands them on."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.connection_lost = inner.connection_lost  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inner.connection_made(transport)
        self.inner.data_received(GET)


async def test_a_head_that_comes_with_its_connection_has_no_more_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection's own task has not begun then."""
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(listener, "KEEP_SECONDS", 3600)
    loop, server = asyncio.get_running_loop(), served.runner.server
    assert server is not None
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours:
        await loop.connect_accepted_socket(lambda: Early(server()), theirs)
        async with asyncio.timeout(30):
            assert await loop.sock_recv(ours, 100) == b""


async def drip(writer: asyncio.StreamWriter) -> None:
    """A header field every now and then, as long as anybody takes it; fewer than are too many."""
    with suppress(ConnectionError, RuntimeError):  # the loop's own word for a closed transport
        for count in range(100):
            writer.write(b"X-%d: x\r\n" % count)
            await asyncio.sleep(0.02)


async def test_a_client_that_says_nothing_is_waited_for_only_so_long(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting is no request."""
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.05)
    async with served.talk() as talk:
        assert await talk.rest() == b""


async def test_a_body_is_no_head(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit ends with the head: a body may take longer, and so may the pause behind it."""
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.3)
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type="application/json")
        for piece in (b"{", b'"images"', b":", b"1}"):
            await talk.chunk(piece)
            await asyncio.sleep(0.1)
        await talk.chunk(b"")
        (await talk.answer()).problem(422)
    async with served.talk() as talk:
        for _ in range(2):
            talk.writer.write(GET + b"\r\n")
            assert (await talk.answer()).status == 200
            await asyncio.sleep(0.4)


async def test_a_kept_connection_is_not_kept_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind an answer a connection without another request is closed."""
    server = served.runner.server
    assert server is not None
    assert listener.KEEP_SECONDS == server._kwargs["keepalive_timeout"] < 120
    monkeypatch.setitem(server._kwargs, "keepalive_timeout", 0.05)
    async with served.talk() as talk:
        talk.writer.write(GET + b"\r\n")
        assert (await talk.answer()).status == 200
        assert await talk.rest() == b""


@pytest.fixture
def room() -> Iterator[None]:
    """Descriptors for both ends of the connections of a flood."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * MANY
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this system lets a process have {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def flood(served: Served, stack: ExitStack, count: int, said: bytes) -> None:
    """So many connections that say this much."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        plug = stack.enter_context(socket.socket())
        plug.setblocking(False)
        await loop.sock_connect(plug, ("127.0.0.1", served.port))
        await loop.sock_sendall(plug, said)


@pytest.mark.parametrize("said", [b"", GET, POST + b"Content-Length: 9\r\n\r\n{"])
async def test_clients_that_vanish_leave_nothing(served: Served, room: None, said: bytes) -> None:
    """A thousand of them, without a word, in their head or in their body."""
    server = served.runner.server
    assert server is not None
    itself = psutil.Process()
    assert (await served.ask("/ping/", method="GET")).status == 200
    tasks, descriptors = asyncio.all_tasks(), itself.num_fds()
    connections = len(server.connections)

    with ExitStack() as stack:
        await flood(served, stack, MANY, said)

    await wait_until(lambda: len(server.connections) <= connections)
    await wait_until(lambda: asyncio.all_tasks() <= tasks)
    await wait_until(lambda: itself.num_fds() <= descriptors)
    assert len((await served.ask(json={"images": ["foo"]})).records()) == 1


@pytest.mark.parametrize("said", [b"", GET], ids=["silent", "half a head"])
async def test_clients_that_wait_make_room_for_those_that_ask(
    served: Served, room: None, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are never more than so many; the longest waiting goes, a request under way does not."""
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 100)
    server = served.runner.server
    assert server is not None
    async with served.talk() as first:
        await first.ask(body=b"{", length=2, Content_Type="application/json")
        await wait_until(lambda: any(one._request_in_progress for one in server.connections))
        with ExitStack() as stack:
            await flood(served, stack, MANY, said)
            assert len((await served.ask(json={"images": ["foo"]})).records()) == 1
            await wait_until(lambda: len(server.connections) <= 100)
            first.writer.write(b"}")
            (await first.answer()).problem(422)


async def test_where_every_connection_is_at_work_one_more_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was begun is given up for it."""
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 2)
    server = served.runner.server
    assert server is not None
    async with served.talk() as first, served.talk() as second:
        for talk in (first, second):
            await talk.ask(body=b"{", length=2, Content_Type="application/json")
        await wait_until(lambda: sum(one._request_in_progress for one in server.connections) == 2)
        async with served.talk() as third:
            assert await third.rest() == b""
        for talk in (first, second):
            talk.writer.write(b"}")
            (await talk.answer()).problem(422)
