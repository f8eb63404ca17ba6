"""What the client library raises, as codes: against hosts that break every rule, for real."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from imaging.facts import ErrorCode, Failure
from tests.asserts import wait_until
from tests.workers.fetch.downloading import Fetcher, failure, fetching, info, resolving
from tests.workers.fetch.pictures import PICTURE
from tests.workers.fetch.raw_hosts import answering, head
from workers.fetch.failures import failure_of, status_failure
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]

LENGTH = len(PICTURE)
CHUNKED = head("200 OK", Transfer_Encoding="chunked")
CHUNK = b"%x\r\n%b\r\n" % (40, PICTURE[:40])
PROTOCOL, TRUNCATED = ErrorCode.HTTP_PROTOCOL, ErrorCode.TRUNCATED_BODY


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/9.9 200 OK\r\n\r\n", PROTOCOL),
        (b"<html>\r\n\r\n", PROTOCOL),
        (b"HTTP/1.1 000 Zero\r\n\r\n", ErrorCode.HTTP_STATUS),
        (b"HTTP/1.1 abc OK\r\n\r\n", PROTOCOL),
        (b"HTTP/1.1\r\n\r\n", PROTOCOL),
        (PICTURE + b"\r\n\r\n", PROTOCOL),
        (head("200 OK", Content_Length=-5) + PICTURE, PROTOCOL),
        (head("200 OK", Content_Length="many") + PICTURE, PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + PICTURE, PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n" + PICTURE, PROTOCOL),
        (head("200 OK", X="y" * 100_000) + PICTURE, PROTOCOL),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", PROTOCOL),
        (CHUNKED + b"zz\r\n" + PICTURE, PROTOCOL),
        (CHUNKED + b"-5\r\n" + PICTURE, PROTOCOL),
        (CHUNKED + b"5\r\nabcdefgh\r\n0\r\n\r\n", PROTOCOL),
        (CHUNKED + CHUNK, TRUNCATED),
        (CHUNKED + CHUNK[:-10], TRUNCATED),
        (CHUNKED, TRUNCATED),
        (head("200 OK", Content_Length=LENGTH + 1) + PICTURE[:30], TRUNCATED),
        (head("200 OK", Content_Length=5) + PICTURE, PROTOCOL),
        (head("200 OK", Content_Length=0), ErrorCode.EMPTY_BODY),
        (head("200 OK"), ErrorCode.EMPTY_BODY),
        (head("204 No Content") + PICTURE, PROTOCOL),
        (head("206 Partial Content", Content_Length=LENGTH) + PICTURE, ErrorCode.HTTP_STATUS),
        (head("101 Switching Protocols", Upgrade="x", Connection="upgrade"), None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, None),
    ],
)
async def test_answers_that_break_the_rules(
    settings: WorkSettings, said: bytes, code: ErrorCode | None
) -> None:
    """Each has its code (None: any), is no bug of ours, and takes no connection along."""
    async with answering(said) as raw, fetching(settings) as fetch:
        [(outcome, how)] = await fetch.answers(raw.url)
        found = failure(outcome)
        assert found.code is code or (code is None and found.code is not ErrorCode.INTERNAL), found
        assert how.attempts == (3 if found.retryable else 1)
        assert "127.0.0.1" not in found.message
        assert found.message.isprintable()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % LENGTH + PICTURE,
        b"HTTP/1.0 200 OK\r\n\r\n" + PICTURE,
        b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n" % LENGTH + PICTURE,
        b"HTTP/1.1 203 Proxied\r\nContent-Length: %d\r\n\r\n" % LENGTH + PICTURE,
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: %d\r\n\r\n" % LENGTH + PICTURE,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 32
        + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LENGTH
        + PICTURE,
        head("200 OK", Content_Type="text/html", Content_Length=LENGTH) + PICTURE,
        head("200 OK", Transfer_Encoding="identity") + PICTURE,
        CHUNKED + b"%x;name=value\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (LENGTH, PICTURE),
    ],
)
async def test_answers_that_only_bend_the_rules(fetch: Fetcher, said: bytes) -> None:
    """The web is full of them: the picture counts."""
    async with answering(said) as raw:
        [outcome] = await fetch(raw.url)
    assert info(outcome).image_size == LENGTH


@pytest.mark.parametrize(
    ("later", "ends", "code"),
    [
        (b"zz\r\nabc", False, PROTOCOL),
        (b"5\r\nabcdefgh\r\n", False, PROTOCOL),
        (b"5\r\nab", True, TRUNCATED),
    ],
)
async def test_damage_in_a_later_packet(
    settings_of: SettingsOf, later: bytes, ends: bool, code: ErrorCode
) -> None:
    """A bad chunk behind a good one is told at once, not when the host has been silent for long."""
    go = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + CHUNK)
        await go.wait()
        writer.write(later)
        if not ends:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, fetching(settings_of(retries=0)) as fetch:
        coming = asyncio.create_task(fetch.answers(f"http://127.0.0.1:{port}/"))
        await wait_until(lambda: any(ticket.fetch.bytes for ticket in fetch.lane.under_way))
        go.set()
        async with asyncio.timeout(30):
            [(outcome, _)] = await coming
    assert failure(outcome).code is code


async def test_reset_in_the_middle(fetch: Fetcher) -> None:
    """RST instead of the rest of the body."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head("200 OK", Content_Length=LENGTH) + PICTURE[:40])
        await writer.drain()
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        [(outcome, how)] = await fetch.answers(f"http://127.0.0.1:{port}/")
    assert failure(outcome).code in (TRUNCATED, ErrorCode.CONNECT)
    assert how.attempts == 3


async def test_random_answers_are_never_internal(settings_of: SettingsOf) -> None:
    """Good answers with bytes changed, cut out, doubled: always one of the codes, and in time."""
    dice = random.Random(5)
    whole = head("206 Partial Content", Content_Length=LENGTH, ETag='"x"')
    bases = [
        whole.replace(b"ETag", b"Content-Range: bytes 0-%d/%d\r\nETag" % (LENGTH - 1, LENGTH)),
        head("200 OK", Content_Length=LENGTH, Connection="keep-alive"),
        CHUNKED,
        head("302 Found", Location="/x", Content_Length=3) + b"abc",
        head("416 Range Not Satisfiable", Content_Range="bytes */0", Content_Length=0),
        head("429 Slow Down", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT", Content_Length=0),
    ]

    def damaged(_request: bytes) -> bytes:
        said = bytearray(dice.choice(bases) + PICTURE)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(120)
            kind = dice.randrange(3)
            if kind == 0:
                said[at] = dice.randrange(256)
            elif kind == 1:
                del said[at : at + dice.randrange(1, 20)]
            else:
                said[at:at] = said[at : at + dice.randrange(1, 20)]
        return bytes(said)

    settings = settings_of(retries=0, timeout=3)
    async with answering(damaged) as raw, fetching(settings) as fetch:
        outcomes = await fetch(*[f"{raw.url}/{n}" for n in range(300)])
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, Failure)}
    assert ErrorCode.INTERNAL not in codes, [o for o in outcomes if isinstance(o, Failure)]
    assert len(codes) >= 3
    assert any(not isinstance(outcome, Failure) for outcome in outcomes)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate nobody signed, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    try:
        subprocess.run(
            [*command.split(), "-subj", "/CN=x.example", "-keyout", "key", "-out", "certificate"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    return folder


async def test_certificate_nobody_signed(fetch: Fetcher, certificate: Path) -> None:
    """Refused, and not asked again."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "certificate", certificate / "key")
    async with answering(PICTURE, ssl=context) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
        assert raw.asked == []
    assert failure(outcome).code is ErrorCode.TLS
    assert how.attempts == 1
    assert "127.0.0.1" not in failure(outcome).message


async def test_host_that_speaks_no_tls(fetch: Fetcher) -> None:
    """Plain HTTP where TLS was asked for."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(head("400 Bad Request", Content_Length=0))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        [(outcome, how)] = await fetch.answers(f"https://127.0.0.1:{port}/")
    assert failure(outcome).code is ErrorCode.TLS
    assert how.attempts == 1


@pytest.fixture
async def mute() -> AsyncIterator[int]:
    """A port that takes connections and says nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_handshake_that_hangs(mute: int, settings_of: SettingsOf) -> None:
    """The time to connect covers TLS."""
    async with fetching(settings_of(connect_timeout=0.2, retries=0)) as fetch:
        [(outcome, how)] = await fetch.answers(f"https://127.0.0.1:{mute}/")
    assert failure(outcome).code is ErrorCode.TIMEOUT
    assert failure(outcome).message == "no connection in time"
    assert how.attempts == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), ErrorCode.DNS_NOT_FOUND),
        (socket.gaierror(socket.EAI_NODATA, "no"), ErrorCode.DNS_NOT_FOUND),
        (socket.gaierror(socket.EAI_AGAIN, "later"), ErrorCode.DNS_TEMPORARY),
        (socket.gaierror(socket.EAI_FAIL, "broken"), ErrorCode.DNS_TEMPORARY),
        (OSError("DNS server returned answer with no data"), ErrorCode.DNS_TEMPORARY),
    ],
)
async def test_look_ups(settings: WorkSettings, error: OSError, code: ErrorCode) -> None:
    """No such name lasts, everything else may pass; neither is tried again now."""
    async with fetching(settings, resolver=resolving({"n.example": error})) as fetch:
        [(outcome, how)] = await fetch.answers("http://n.example/")
    assert (failure(outcome).code, how.attempts) == (code, 1)


async def test_name_without_an_address(settings: WorkSettings) -> None:
    """A look-up that finds nothing found no host."""
    async with fetching(settings, resolver=resolving({"n.example": []})) as fetch:
        [outcome] = await fetch("http://n.example/")
    assert failure(outcome).code is ErrorCode.DNS_NOT_FOUND


@pytest.mark.parametrize(
    ("error", "answered", "code"),
    [
        (TimeoutError(), False, ErrorCode.TIMEOUT),
        (aiohttp.ServerDisconnectedError(), False, ErrorCode.CONNECT),
        (aiohttp.ServerDisconnectedError(), True, ErrorCode.TRUNCATED_BODY),
        (ConnectionResetError(104, "Connection reset by peer"), False, ErrorCode.CONNECT),
        (aiohttp.InvalidURL("http://x"), False, ErrorCode.BAD_URL),
        (UnicodeError("label too long"), False, ErrorCode.BAD_URL),
        (aiohttp.NonHttpUrlClientError("x://h"), False, ErrorCode.BAD_SCHEME),
        (KeyError("a bug"), True, ErrorCode.INTERNAL),
    ],
)
def test_errors_by_class(error: Exception, answered: bool, code: ErrorCode) -> None:
    """Whatever is raised has a code; only a bug is `internal`."""
    found = failure_of(error, answered=answered)
    assert found.code is code
    assert len(found.message) <= 200
    assert "\n" not in found.message


def test_status_in_words() -> None:
    """The host's own phrase, cut where it goes on for ever."""
    assert status_failure(404, "Not Found").message == "404 Not Found"
    assert status_failure(599, None).message == "599"
    assert len(status_failure(500, "x" * 9000).message) == 200
    assert status_failure(500, "a\x1b[31m\tb\x00").message == "500 a�[31m b�"


class Dialled(NamedTuple):
    """What the library says it dialled."""

    host: str = "127.0.0.1"
    port: int = 80
    is_ssl: bool = False
    ssl: bool = True


def connector_error(error: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(Dialled(), error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            connector_error(OSError(111, "Connect call failed ('10.1.2.3', 80)")),
            "no connection to the host: Connection refused",
        ),
        (
            connector_error(OSError("Multiple exceptions: [Errno 111] ('10.1.2.3', 80), x")),
            "no connection to the host",
        ),
        (
            connector_error(OSError(24, "Too many open files")),
            "no connection to the host: this machine is out of file descriptors",
        ),
        (
            aiohttp.ClientConnectorDNSError(Dialled(), OSError(24, "x")),  # type: ignore[arg-type]
            "the host name could not be looked up now: this machine is out of file descriptors",
        ),
        (
            aiohttp.ServerDisconnectedError(f"<object at 0x7f00> {'S3cr3t' * 99}"),
            "no connection to the host: the host closed it",
        ),
        (
            ConnectionResetError(104, "10.1.2.3"),
            "no connection to the host: Connection reset by peer",
        ),
        (
            aiohttp.http_exceptions.BadStatusLine(error="Bad status line:\n  New:\n\n  b'S3cr3t'"),
            "the answer is not valid HTTP: a bad status line",
        ),
        (
            aiohttp.http_exceptions.BadHttpMessage("Never heard of: b'S3cr3t chunk size'"),
            "the answer is not valid HTTP",
        ),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            "the TLS handshake or certificate failed",
        ),
    ],
)
def test_messages_are_ours(error: Exception, message: str) -> None:
    """No address that was dialled, no object of ours, no byte of the host's."""
    assert failure_of(error, answered=False).message == message


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 S3cr3t\x1b[31m OK\r\n\r\n",
        b"S3cr3t\r\n\r\n",
        b"HTTP/1.1 200 " + b"S3cr3t" * 3000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nS3cr3t\x01: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: S3cr3t\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: S3cr3t\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nS3cr3t: S3cr3t",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: S3cr3t, chunked\r\n\r\nS3cr3t\r\n",
        CHUNKED + b"S3cr3t\r\n",
        CHUNKED + b"5;S3cr3t\x01\r\n",
        CHUNKED + b"5\r\nabcdeS3cr3t",
        CHUNKED + b"5\r\nabcde\r\n0\r\nS3cr3t\x01: x\r\n\r\n",
    ],
)
async def test_broken_answers_are_not_quoted(
    settings: WorkSettings, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """They may hold what is nobody's business; the rule they break is named instead."""
    with caplog.at_level(logging.DEBUG):
        async with answering(said) as raw, fetching(settings) as fetch:
            [outcome] = await fetch(raw.url)
    found = failure(outcome)
    assert "S3cr3t" not in found.message
    assert found.message.isprintable()
    assert len(found.message) <= 200
    assert "S3cr3t" not in caplog.text
