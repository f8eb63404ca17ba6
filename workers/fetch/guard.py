"""Addresses a download may reach: judged on the address that is dialled, not on the URL.

The connector calls `socket_factory` for every dial: literals, resolved names, each redirect hop,
each happy-eyeballs try. So there is no gap between the check and the use, and no spelling of an
address needs parsing here. Deny by default: only public unicast addresses pass, and those of
`ALLOW_NETWORKS`.

Ranges are IANA's special-purpose registries (RFC 6890 and updates); the standard library's
`is_global` is not used, as it lets through addresses that embed a private IPv4 one.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = ["BLOCKED_ERRNO", "BlockedAddress", "Network", "forbidden", "parse_network"]

_BRACKETED = re.compile(r"\[(.*)\](?::(.*))?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Happy eyeballs folds several errors into one plain OSError but keeps an errno they share, so a
#: number of our own survives where the class does not.
BLOCKED_ERRNO = 0x0B10C


class BlockedAddress(OSError):
    """The address is not one a download may reach. An OSError, so that the next one is tried."""


class Network(NamedTuple):
    """One entry of `ALLOW_NETWORKS`: a network and, if not None, the only port open in it."""

    cidr: ipaddress.IPv4Network | ipaddress.IPv6Network
    port: int | None

    def holds(self, address: Address, port: int) -> bool:
        """Whether *address* and *port* lie in it."""
        return address in self.cidr and self.port in (None, port)

    def __str__(self) -> str:
        if self.port is None:
            return str(self.cidr)
        return (
            f"{self.cidr}:{self.port}" if self.cidr.version == 4 else f"[{self.cidr}]:{self.port}"
        )


def parse_network(text: str) -> Network:
    """Read `CIDR[:port]`; an IPv6 network with a port is written `[CIDR]:port`.

    Raises:
        ValueError: naming the text.
    """
    cidr, port = text, ""
    if bracketed := _BRACKETED.fullmatch(text):
        cidr, port = bracketed[1], bracketed[2] or ""
    elif text.count(":") == 1:
        cidr, _, port = text.partition(":")
    try:
        number = int(port) if port else None
        if number is not None and not 0 < number < 65536:
            raise ValueError
        return Network(ipaddress.ip_network(cidr), number)
    except ValueError:
        msg = f"{text!r} is not CIDR[:port], such as 10.0.0.0/8 or 127.0.0.1/32:8000"
        raise ValueError(msg) from None


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(part) for part in text.split())


_DENY4 = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 "
    "224.0.0.0/4 240.0.0.0/4"
)
#: Global unicast is 2000::/3; inside it these are not for the public.
_ALLOW6 = ipaddress.IPv6Network("2000::/3")
_DENY6 = _networks("2001::/23 2001:db8::/32 3fff::/20")
#: Prefix → where in the packed address the IPv4 address starts that decides alone.
_EMBED4 = tuple(
    (ipaddress.IPv6Network(prefix), start)
    for prefix, start in (
        ("::/96", 12),  # IPv4-compatible (and :: and ::1, whose IPv4 part 0.0.0.x is denied)
        ("::ffff:0:0/96", 12),  # IPv4-mapped
        ("::ffff:0:0:0/96", 12),  # SIIT
        ("64:ff9b::/96", 12),  # NAT64, well-known prefix
        ("2002::/16", 2),  # 6to4
    )
)
#: ISATAP puts the IPv4 address behind this interface identifier, under any prefix.
_ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))


def _forbidden4(address: ipaddress.IPv4Address) -> bool:
    return any(address in network for network in _DENY4)


def _forbidden6(address: ipaddress.IPv6Address) -> bool:
    if address.scope_id:
        return True
    packed = address.packed
    for network, start in _EMBED4:
        if address in network:
            return _forbidden4(ipaddress.IPv4Address(packed[start : start + 4]))
    if address not in _ALLOW6 or any(address in network for network in _DENY6):
        return True
    return packed[8:12] in _ISATAP and _forbidden4(ipaddress.IPv4Address(packed[12:]))


def forbidden(host: str, port: int, allow: Iterable[Network] = ()) -> bool:
    """Whether a download must not reach *host* (an address as dialled). Not an address: True."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if any(network.holds(mapped or address, port) for network in allow):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return _forbidden4(address)
    return _forbidden6(address)


def socket_factory(allow: tuple[Network, ...]) -> Callable[[Any], socket.socket]:
    """A factory for `TCPConnector(socket_factory=…)` that refuses forbidden addresses.

    Raises (the factory):
        BlockedAddress: before any packet leaves.
    """

    def open_socket(info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        host, port = str(address[0]), int(address[1])
        if forbidden(host, port, allow):
            raise BlockedAddress(BLOCKED_ERRNO, f"address {host} is not public")
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        return sock

    return open_socket
