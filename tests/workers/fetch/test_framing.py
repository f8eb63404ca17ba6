"""Floods beside the body: each ends the connection, with the reason, before it costs anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from imaging.facts import ErrorCode
from tests.asserts import wait_until
from tests.workers.fetch.downloading import Fetcher, failure, fetching, info
from tests.workers.fetch.pictures import PICTURE
from tests.workers.fetch.raw_hosts import answering, head
from workers.fetch.framing import MAX_FRAMING_BYTES, MAX_HEAD_BYTES, MAX_INTERIM
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]

LENGTH = len(PICTURE)
OK = head("200 OK", Content_Length=LENGTH) + PICTURE
CHUNKED = head("200 OK", Transfer_Encoding="chunked")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Flood:
    """A host that says one thing and then another without end."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.sent = 0
        self.dialled = 0
        self.cut = 0


@asynccontextmanager
async def flooding(first: bytes, again: bytes) -> AsyncIterator[Flood]:
    """Send *again* until the connection is closed from the other side."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flood.dialled += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        try:
            while True:
                writer.write(again)
                await writer.drain()
                flood.sent += len(again)
        except ConnectionError:
            flood.cut += 1
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    flood = Flood(server.sockets[0].getsockname()[1])
    async with server:
        yield flood


@pytest.mark.parametrize(
    ("first", "again", "reason"),
    [
        (b"", CONTINUE * 4000, f"more than {MAX_INTERIM} interim answers"),
        (b"", b"HTTP/1.1 103\r\n\r\n" * 4000, f"more than {MAX_INTERIM} interim answers"),
        (b"", b"\r\n" * 30_000, f"more than {MAX_HEAD_BYTES} bytes before"),
        (CHUNKED + b"5;", b"a=b;" * 20_000, "far more chunk framing than body"),
        (CHUNKED + b"5\r\nabcde\r\n0\r\n", b"X: y\r\n" * 20_000, "too many headers"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 20_000, "too many headers"),
    ],
)
async def test_floods(settings: WorkSettings, first: bytes, again: bytes, reason: str) -> None:
    """Cut off long before the row's deadline, not tried again, and the message says for what."""
    async with flooding(first, again) as flood, fetching(settings) as fetch:
        async with asyncio.timeout(10):
            [outcome] = await fetch(flood.url)
            await wait_until(lambda: flood.cut)
        found = failure(outcome)
        assert found.code is ErrorCode.HTTP_PROTOCOL
        assert reason in found.message
        assert flood.dialled == 1


async def test_body_of_one_byte_chunks_without_end(settings_of: SettingsOf) -> None:
    """A body that is framing for the most part is given up, whoever reads it."""
    settings = settings_of(max_image_bytes="1GiB", max_inflight_bytes="1GiB")
    start = PICTURE[:-2]  # its last scan goes on for ever
    first = CHUNKED + b"%x\r\n%b\r\n" % (len(start), start)
    async with flooding(first, b"1;a=b\r\n\0\r\n" * 20_000) as flood:
        async with fetching(settings, body=True) as fetch, asyncio.timeout(20):
            [outcome] = await fetch(flood.url)
        assert flood.dialled == 1
    found = failure(outcome)
    assert found.code is ErrorCode.HTTP_PROTOCOL
    assert found.message.endswith("far more chunk framing than body")


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        CONTINUE * MAX_INTERIM + OK,
        b"\r\n" * 1000 + OK,
        CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in PICTURE) + b"0\r\n\r\n",
        CHUNKED + b"%x%b\r\n%b\r\n0\r\n\r\n" % (LENGTH, b";a=b" * 1000, PICTURE),
        head("200 OK", Content_Length=LENGTH, **{f"X{n}": "x" * 4000 for n in range(100)})
        + PICTURE,
    ],
)
async def test_what_is_merely_odd_is_read(settings: WorkSettings, said: bytes, body: bool) -> None:
    """Bounds are far from what an honest host sends: a small picture may be framed as it likes."""
    async with answering(said) as raw, fetching(settings, body=body) as fetch:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert how.bytes == LENGTH, outcome


async def test_framing_is_bounded_by_the_body_not_by_a_number(settings: WorkSettings) -> None:
    """A large body in small chunks passes: its framing is more than the slack, less than it."""
    filler = bytes(100_000)
    picture = PICTURE + filler * 20
    chunks = b"".join(
        b"8\r\n%b\r\n" % picture[at : at + 8] for at in range(0, len(picture) // 8 * 8, 8)
    )
    assert len(chunks) - len(picture) > MAX_FRAMING_BYTES
    said = CHUNKED + chunks + b"0\r\n\r\n"
    async with answering(said) as raw, fetching(settings, body=True) as fetch:
        [(_, how)] = await fetch.answers(raw.url)
    assert how.bytes == len(picture) // 8 * 8


async def test_an_answer_nobody_asked_for_answers_nothing(fetch: Fetcher) -> None:
    """What comes behind an answer is not taken for the answer to the next question."""
    poison = head("404 Poisoned", Content_Length=0)
    go = asyncio.Event()
    dialled = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dialled
        dialled += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await go.wait()
        writer.write(poison)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    connector = fetch.downloads._heads._asking._session.connector
    assert connector is not None
    async with server:
        [first] = await fetch(url)
        [[(kept, _)]] = connector._conns.values()
        assert kept.is_connected()
        go.set()
        await wait_until(lambda: not kept.is_connected())
        [second] = await fetch(url)
    assert info(first) == info(second)
    assert dialled == 2
