"""The picture host's misdeeds are on the wire what their names say."""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import picture_hosts
from tests.picture_hosts import PictureHost

PICTURE = "by-name/made-0000-plain.jpg"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PictureHost]:
    """A host of two addresses that also speaks bad TLS; `ca.pem` is in its folder."""
    folder = tmp_path_factory.mktemp("tls")
    options = ("--made", "1", "--addresses", "2", "--tls", str(folder))
    with picture_hosts.started(*options) as started:
        started.ready["folder"] = folder
        yield started


@contextmanager
def asking(host: PictureHost, name: str, *, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection on which a misdeed was asked for."""
    with socket.create_connection((address, host.port), timeout=5) as talking:
        ask(talking, name)
        yield talking


def ask(talking: socket.socket, name: str) -> None:
    """Ask for a misdeed of the one picture there is."""
    talking.sendall(f"GET /hostile/{name}/{PICTURE} HTTP/1.1\r\nHost: h\r\n\r\n".encode())


def everything(talking: socket.socket) -> bytes:
    """All that comes until the close."""
    with talking.makefile("rb") as file:
        return file.read()


@pytest.fixture(scope="module")
def picture(host: PictureHost) -> bytes:
    """The one picture."""
    return host.body("/" + PICTURE)


def test_a_reset_is_none_of_the_usual_closes(host: PictureHost, picture: bytes) -> None:
    """Half of the answer comes, then the connection is not closed but broken."""
    with asking(host, "reset-in-body") as talking:
        assert talking.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(ConnectionResetError):
            everything(talking)

    with asking(host, "close-in-body") as talking:
        assert len(everything(talking)) < len(picture)


def test_the_second_request_of_a_connection_is_another_matter(
    host: PictureHost, picture: bytes
) -> None:
    """The first has its answer and the connection stays; the second finds it closed."""
    with asking(host, "close-second") as talking:
        got = b""
        while not got.endswith(picture):
            got += talking.recv(65_536)
        ask(talking, "close-second")
        assert talking.recv(1) == b""


def test_a_drip_is_one_byte_at_a_time(host: PictureHost, picture: bytes) -> None:
    """The head comes at once, the body does not."""
    with asking(host, "drip-body") as talking:
        head = talking.recv(65_536)
        if head.endswith(b"\r\n\r\n"):
            assert len(talking.recv(65_536)) == 1

    assert f"Content-Length: {len(picture)}\r\n".encode() in head
    assert len(head.partition(b"\r\n\r\n")[2]) <= 1


def test_interim_answers_are_as_many_as_said(host: PictureHost, picture: bytes) -> None:
    """And the answer itself stands behind them."""
    with asking(host, "interim-200k") as talking:
        got = b""
        while not got.endswith(picture):
            got += talking.recv(1 << 20)

    assert got.count(b"100 Continue") == 200_000


def test_an_endless_body_goes_on_while_it_is_read(host: PictureHost, picture: bytes) -> None:
    """Long past the picture."""
    long = 8 * len(picture)
    with asking(host, "endless-body") as talking, talking.makefile("rb") as file:
        assert len(file.read(long)) == long


def test_the_bomb_is_one(host: PictureHost) -> None:
    """A megabyte that inflates without an error, however far one goes."""
    packed = host.body("/hostile/gzip-bomb/")
    inflater, inflated = zlib.decompressobj(31), 0
    for _ in range(32):
        inflated += len(inflater.decompress(packed, 1 << 20))
        packed = inflater.unconsumed_tail

    assert inflated == 32 << 20


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tls-expired", "certificate has expired"),
        ("tls-wrong-host", "IP address mismatch"),
        ("tls-unknown-authority", "unable to get local issuer"),
        ("tls-self-signed", "self-signed"),
        ("tls-plain", "WRONG_VERSION_NUMBER|wrong version"),
        ("tls-close", "EOF|reset"),
    ],
)
def test_tls_fails_for_the_reason_in_its_name(host: PictureHost, name: str, reason: str) -> None:
    """To a client that trusts the authority, which finds the good one good."""
    with shake(host, "tls-good") as talking:
        assert talking.version()

    with pytest.raises(OSError, match=reason), shake(host, name):
        pass


@contextmanager
def shake(host: PictureHost, name: str) -> Iterator[ssl.SSLSocket]:
    """A handshake with one of the TLS hosts. Raises OSError."""
    folder: Path = host.ready["folder"]
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    port = int(host.ready["tls"][name].rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as talking,
    ):
        yield talking


def test_all_addresses_answer_on_one_port(host: PictureHost) -> None:
    """A name that is none is said to be none, at each."""
    for address in ("127.0.0.1", "127.0.0.2"):
        with asking(host, "no-such-misdeed", address=address) as talking:
            assert talking.recv(4096).startswith(b"HTTP/1.1 404 ")
