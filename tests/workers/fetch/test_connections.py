"""Connections that nobody uses, and what is left when there are no more descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from imaging.facts import ErrorCode
from tests.asserts import wait_until
from tests.workers.fetch.downloading import Fetcher, failure, fetching, info, resolving
from tests.workers.fetch.pictures import PICTURE
from tests.workers.fetch.raw_hosts import head
from workers.fetch.connections import Connections
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]

OK = head("200 OK", Content_Length=len(PICTURE)) + PICTURE


class Everywhere:
    """One host for every address of the loopback, which makes each of them a host of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open: list[str] = []
        self.dialled = 0

    def urls(self, count: int) -> list[str]:
        return [f"http://127.0.0.{n + 1}:{self.port}/" for n in range(count)]


@asynccontextmanager
async def everywhere() -> AsyncIterator[Everywhere]:
    """Answers every question with the picture, and keeps its connections."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        host.open.append(address)
        host.dialled += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            host.open.remove(address)
            writer.close()

    server = await asyncio.start_server(talk, "0.0.0.0", 0)
    host = Everywhere(server.sockets[0].getsockname()[1])
    async with server:
        yield host


def connector(fetch: Fetcher) -> Connections:
    found = fetch.downloads._heads._asking._session.connector
    assert isinstance(found, Connections)
    return found


async def test_idle_connections_are_capped(settings_of: SettingsOf) -> None:
    """However many hosts were met, no more are kept than may be used; the oldest go first."""
    async with everywhere() as host, fetching(settings_of(max_connections=4)) as fetch:
        for url in host.urls(20):
            await fetch(url)
        await wait_until(lambda: len(host.open) == 4)
        assert sorted(host.open) == [f"127.0.0.{n}" for n in range(17, 21)]
        assert connector(fetch).idle == 4
        assert sum(len(kept) for kept in connector(fetch)._conns.values()) == 4


async def test_kept_connections_serve_again(settings_of: SettingsOf) -> None:
    """Those within the cap are dialled once, and one in use counts as young when it comes back."""
    async with everywhere() as host, fetching(settings_of(max_connections=4)) as fetch:
        first, *others = host.urls(5)
        for url in [first, *others[:3], first, others[3], first]:
            await fetch(url)
        assert host.dialled == 5
        await wait_until(lambda: len(host.open) == 4)
        assert "127.0.0.1" in host.open
        assert "127.0.0.2" not in host.open


async def test_connections_their_hosts_closed_are_forgotten(settings: WorkSettings) -> None:
    """At the next look around, with the library's own."""
    async with everywhere() as host, fetching(settings) as fetch:
        await fetch(*host.urls(3))
        kept = connector(fetch)
        for conns in kept._conns.values():
            for protocol, _ in conns:
                protocol.abort()
        kept._cleanup()
        assert kept.idle == 0


async def test_tls_host_that_says_no_farewell_holds_no_descriptor(
    settings: WorkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing is not waited for: a host could hold the connection half a minute by silence."""
    authority = trustme.CA()
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ours)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("tls.example").configure_cert(theirs)
    listener = socket.create_server(("127.0.0.1", 0))
    end = threading.Event()
    said = head("200 OK", Content_Length=10**6, Connection="close") + PICTURE + bytes(30_000)

    def serve() -> None:
        raw, _ = listener.accept()
        with theirs.wrap_socket(raw, server_side=True) as connection:
            connection.recv(4096)
            connection.sendall(said)
            end.wait(20)  # reads nothing, so it does not answer a farewell

    thread = threading.Thread(target=serve)
    thread.start()
    names = resolving({"tls.example": ["127.0.0.1"]})
    port = listener.getsockname()[1]
    try:
        async with fetching(settings, resolver=names) as fetch:
            [outcome] = await fetch(f"https://tls.example:{port}/")
            assert info(outcome).image_format
            await wait_until(lambda: not _dialled(port))
    finally:
        end.set()
        thread.join()
        listener.close()


def _dialled(port: int) -> list[str]:
    """Descriptors of this process that are connected to *port*."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(entry.name))) as copy:
                if copy.getpeername()[1] == port:
                    found.append(entry.name)
        except (OSError, TypeError, IndexError):
            continue
    return found


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process cannot open anything."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_machine_out_of_descriptors(settings_of: SettingsOf, name: str) -> None:
    """The row says that it is our fault and may be asked for again; the name is not held guilty."""
    async with everywhere() as host, fetching(settings_of(retries=0)) as fetch:
        url = f"http://{name}:{host.port}/"
        with no_descriptors():
            [outcome] = await fetch(url)
        found = failure(outcome)
        assert found.code in (ErrorCode.CONNECT, ErrorCode.DNS_TEMPORARY)
        assert found.message.endswith("this machine is out of file descriptors")
        assert found.retryable
        [outcome] = await fetch(url)
        assert info(outcome).image_size == len(PICTURE)


def test_a_server_raises_its_limit_to_what_it_may_have() -> None:
    """A shell begins with 1,024, or fewer."""
    code = (
        "import resource; from workers.descriptors import raise_descriptors as act; act();"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -S -n 64; exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(hard), str(hard)]


async def test_a_host_that_hangs_up_on_kept_connections(settings_of: SettingsOf) -> None:
    """It would do so on each of them in turn: the next attempt dials."""
    many = 12
    together = asyncio.Barrier(many)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if together.n_waiting or not answered:
            await together.wait()
        writer.write(OK)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    answered: list[bool] = []
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, fetching(settings_of(retries=2)) as fetch:
        for outcome in await fetch(*[f"{url}{n}" for n in range(many)]):
            info(outcome)
        answered.append(True)
        [(outcome, how)] = await fetch.answers(url)
        info(outcome)
        assert how.attempts == 2
