"""Hosts that fail at TLS, one a port, and a good one: certificates of an authority made here.

Needs `trustme`. A client that trusts the authority (`ca.pem`, by SSL_CERT_FILE say) finds the good
one good and each of the others wrong for its own reason.
"""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

ADDRESS = "127.0.0.1"
LONG_AGO = datetime.now(UTC) - timedelta(days=400)
GARBAGE = b"\x15\x03\x01\x00\x02\x02\x50 this is no handshake\r\n" * 4

Factory = Callable[[], asyncio.BaseProtocol]


class Deaf(asyncio.Protocol):
    """Accepts, and never says a word."""


class Rude(asyncio.Protocol):
    """Answers the first bytes with others that mean nothing, and closes; or only closes."""

    transport: asyncio.Transport

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, _: bytes) -> None:
        """It said hello."""
        self.transport.write(self.answer)
        self.transport.close()


def certificates(folder: Path) -> dict[str, ssl.SSLContext]:
    """What each listener shows; the authority's own certificate goes to *folder*."""
    import trustme  # the plain host needs nothing of it

    folder.mkdir(parents=True, exist_ok=True)
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    itself = folder / "self-signed.pem"
    other.private_key_pem.write_to_path(str(itself))
    other.cert_pem.write_to_path(str(itself), append=True)
    over = LONG_AGO + timedelta(days=30)
    shown = {
        "tls-good": ours.issue_cert(ADDRESS),
        "tls-expired": ours.issue_cert(ADDRESS, not_before=LONG_AGO, not_after=over),
        "tls-wrong-host": ours.issue_cert("elsewhere.example"),
        "tls-unknown-authority": other.issue_cert(ADDRESS),
        "tls-self-signed": None,
    }
    contexts = {}
    for name, certificate in shown.items():
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate is None:
            contexts[name].load_cert_chain(itself)
        else:
            certificate.configure_cert(contexts[name])
    return contexts


async def listen(folder: Path, pictures: Factory) -> dict[str, str]:
    """Write `ca.pem` to *folder* and start every listener: its name → its URL.

    *pictures* makes the connections of the picture host itself.
    """
    listeners: dict[str, tuple[Factory, ssl.SSLContext | None]] = {
        **{name: (pictures, context) for name, context in certificates(folder).items()},
        "tls-plain": (pictures, None),
        "tls-hang": (Deaf, None),
        "tls-garbage": (lambda: Rude(GARBAGE), None),
        "tls-close": (lambda: Rude(b""), None),
    }
    loop, urls = asyncio.get_running_loop(), {}
    for name, (factory, context) in listeners.items():
        server = await loop.create_server(factory, ADDRESS, 0, ssl=context)
        urls[name] = f"https://{ADDRESS}:{server.sockets[0].getsockname()[1]}"
    return urls
