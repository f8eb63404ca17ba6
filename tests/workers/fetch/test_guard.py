"""The guard: which addresses a download may dial, and that the others get no packet at all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from imaging.facts import ErrorCode, Failure
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Outcomes, fetching, resolving
from workers.fetch.guard import BlockedAddress, Network, forbidden, parse_network, socket_factory
from workers.settings import WorkSettings

REFUSED = """
    127.0.0.1 0.0.0.0 0.1.2.3 10.0.0.1 172.16.5.5 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8
    198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 192.88.99.1 203.0.113.5 ::1 :: ::ffff:127.0.0.1
    ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 2002:7f00:1:: 2001:0:1::1
    fe80::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 fec0::1 100::1 2001:4860::5efe:7f00:1
    2001:4860::200:5efe:a00:1 ::ffff:0:127.0.0.1 fe80::1%eth0 5f00::1 3fff::1 127.1 0x7f000001
    4000::1
"""
ALLOWED = """
    1.1.1.1 8.8.8.8 93.184.216.34 2606:4700:4700::1111 2a00:1450:4001:81b::200e ::ffff:8.8.8.8
    64:ff9b::808:808 2620:fe::fe 2001:4860:4860::8888 100.63.255.255 100.128.0.1 172.32.0.1
"""


@pytest.mark.parametrize("address", [*REFUSED.split(), "", "localhost", "1.1.1.1 ", "١.1.1.1"])
def test_refused(address: str) -> None:
    """Neither loopback, private, special nor embedded addresses; what is no address is refused."""
    assert forbidden(address, 80)


@pytest.mark.parametrize("address", ALLOWED.split())
def test_allowed(address: str) -> None:
    """Public unicast addresses, their neighbours of private ranges included."""
    assert not forbidden(address, 80)


@pytest.mark.parametrize(
    ("entry", "open_to", "closed_to"),
    [
        ("127.0.0.0/8", [("127.0.0.1", 80), ("127.9.9.9", 1)], [("10.0.0.1", 80), ("::1", 80)]),
        ("127.0.0.1", [("127.0.0.1", 80)], [("127.0.0.2", 80)]),
        ("127.0.0.1:8000", [("127.0.0.1", 8000)], [("127.0.0.1", 8001), ("127.0.0.2", 8000)]),
        ("10.0.0.0/8:80", [("10.1.1.1", 80), ("::ffff:10.1.1.1", 80)], [("10.1.1.1", 443)]),
        ("::1", [("::1", 80)], [("127.0.0.1", 80), ("::2", 80)]),
        ("fd00::/8", [("fd00:ec2::254", 80)], [("fc00::1", 80)]),
        ("[::1]:80", [("::1", 80)], [("::1", 81)]),
        ("[fd00::/8]:443", [("fd01::1", 443)], [("fd01::1", 80)]),
    ],
)
def test_networks_that_are_opened(
    entry: str, open_to: list[tuple[str, int]], closed_to: list[tuple[str, int]]
) -> None:
    """A network, with or without a port, opens itself and nothing beside."""
    network = parse_network(entry)
    assert all(not forbidden(*each, [network]) for each in open_to)
    assert all(forbidden(*each, [network]) for each in closed_to)
    assert parse_network(str(network)) == network


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "localhost",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "[::1",
        "[]:1",
    ],
)
def test_what_is_no_network(entry: str) -> None:
    """A typing error is named, not taken for something wider."""
    with pytest.raises(ValueError, match=r"is not CIDR\[:port\]"):
        parse_network(entry)


def test_factory_refuses_before_there_is_a_socket() -> None:
    """It judges the address that would be dialled; what passes gets a socket that never blocks."""
    factory = socket_factory((parse_network("127.0.0.1:80"),))
    kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    with pytest.raises(BlockedAddress, match=r"127\.0\.0\.1 is not public"):
        factory((*kind, ("127.0.0.1", 81)))
    with factory((*kind, ("127.0.0.1", 80))) as opened:
        assert opened.getblocking() is False


class Canary:
    """Listens where nobody may dial, and counts who does."""

    def __init__(self, address: str, port: int, met: list[str]) -> None:
        self.address = address
        self.port = port
        self.met = met


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    """On 127.0.0.2 and, on the same port, 127.0.0.3 and ::1."""
    met: list[str] = []

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer.get_extra_info("peername")[0])
        writer.close()

    first = await asyncio.start_server(meet, "127.0.0.2", 0)
    port = first.sockets[0].getsockname()[1]
    others = [await asyncio.start_server(meet, "127.0.0.3", port)]
    if socket.has_ipv6:
        others.append(await asyncio.start_server(meet, "::1", port))
    try:
        yield Canary("127.0.0.2", port, met)
    finally:
        for server in (first, *others):
            server.close()
            await server.wait_closed()


@pytest.fixture
def guarded(settings_of: Callable[..., WorkSettings], picture_host: PictureHost) -> WorkSettings:
    """Settings that open the picture host's port on 127.0.0.1 and nothing else."""
    return settings_of(allow_networks=f"127.0.0.1:{picture_host.port}")


def blocked(outcome: object) -> bool:
    """Whether an outcome is `blocked_address`, and says which setting would open it."""
    assert isinstance(outcome, Failure), outcome
    assert outcome.code is ErrorCode.BLOCKED_ADDRESS, outcome
    assert "CENSUS_ALLOW_NETWORKS" in outcome.message
    assert not outcome.retryable
    return True


async def test_canary_sings_when_it_is_dialled(
    canary: Canary, settings_of: Callable[..., WorkSettings]
) -> None:
    """Otherwise the silence below would prove nothing."""
    async with fetching(settings_of(retries=0)) as fetch:
        await fetch(f"http://127.0.0.2:{canary.port}/")
    assert set(canary.met) == {"127.0.0.1"}


async def test_literals_are_never_dialled(canary: Canary, guarded: WorkSettings) -> None:
    """However an address is spelled in a URL, no packet leaves."""
    hosts = [
        "127.0.0.2",
        "127.0.0.3",
        "[::1]",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[0:0:0:0:0:ffff:127.0.0.2]",
        "[::127.0.0.2]",
        "１２７.0.0.2",
        "127。0。0。2",
        "0.0.0.0",
        "[::]",
    ]
    async with fetching(guarded) as fetch:
        for host in hosts:
            [outcome] = await fetch(f"http://{host}:{canary.port}/")
            assert blocked(outcome)
    assert canary.met == []


async def test_odd_spellings_are_never_dialled(canary: Canary, guarded: WorkSettings) -> None:
    """What the system takes for a loopback: refused one way or another."""
    hosts = ["0x7f000002", "2130706434", "127.2", "0177.0.0.2", "localhost", "*", "localhost%00x"]
    fine = {
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.BAD_URL,
        ErrorCode.DNS_NOT_FOUND,
        ErrorCode.DNS_TEMPORARY,
    }
    async with fetching(guarded) as fetch:
        for host in hosts:
            [outcome] = await fetch(f"http://{host}:{canary.port}/")
            assert isinstance(outcome, Failure)
            assert outcome.code in fine, host
    assert canary.met == []


async def test_names_are_judged_by_what_they_resolve_to(
    canary: Canary, guarded: WorkSettings
) -> None:
    """One address or several, all of them private: blocked, also when they are looked up again."""
    names = {
        "inside.example": ["127.0.0.2"],
        "both.example": ["127.0.0.2", "127.0.0.3"],
        "six.example": ["::1"],
        "mixed.example": ["::1", "127.0.0.2"],
        "meta.example": ["169.254.169.254"],
    }
    async with fetching(guarded, resolver=resolving(names)) as fetch:
        for name in names:
            for _ in range(2):
                [outcome] = await fetch(f"http://{name}:{canary.port}/")
                assert blocked(outcome)
    assert canary.met == []


async def test_of_several_addresses_only_those_allowed_are_dialled(
    canary: Canary, settings_of: Callable[..., WorkSettings]
) -> None:
    """A private address before or behind a public one changes nothing."""
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        answered.set()
        writer.close()

    settings = settings_of(allow_networks="127.0.0.4")  # stands for a public one
    async with await asyncio.start_server(answer, "127.0.0.4", canary.port):
        for addresses in (["127.0.0.2", "127.0.0.4"], ["127.0.0.4", "127.0.0.2"]):
            answered.clear()
            names = resolving({"mixed.example": addresses})
            async with fetching(settings, resolver=names) as fetch:
                [outcome] = await fetch(f"http://mixed.example:{canary.port}/")
            assert isinstance(outcome, Failure)
            assert outcome.http_status == 404
            assert answered.is_set()
    assert canary.met == []


async def test_name_whose_answers_change_is_judged_at_each_dial(
    canary: Canary,
    picture_host: PictureHost,
    guarded: WorkSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First the picture host, then the canary: there is no gap between the check and the use."""
    monkeypatch.setattr("workers.fetch.session._NAMES_KEPT", 0)
    names = resolving({"flips.example": ["127.0.0.1"]})
    async with fetching(guarded, resolver=names) as fetch:
        [outcome] = await fetch(f"http://flips.example:{picture_host.port}/cat")
        assert not isinstance(outcome, Failure)
        names.known["flips.example"] = ["127.0.0.2"]
        [outcome] = await fetch(f"http://flips.example:{canary.port}/cat")
        assert blocked(outcome)
    assert canary.met == []


@pytest.fixture
def redirects(picture_host: PictureHost, canary: Canary) -> Callable[[str], str]:
    """Makes the URL that redirects to another one."""
    return lambda url: f"{picture_host}/redirect-to?url={url.format(port=canary.port)}"


async def test_redirects_are_judged_as_the_first_dial(
    canary: Canary, guarded: WorkSettings, redirects: Callable[[str], str]
) -> None:
    """Each hop, absolute or by scheme only, through a second host or straight."""
    targets = [
        "http://127.0.0.2:{port}/",
        "http://[::1]:{port}/",
        "//127.0.0.3:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://inside.example:{port}/",
        "http://[::ffff:127.0.0.2]:{port}/",
    ]
    names = resolving({"inside.example": ["127.0.0.2"]})
    async with fetching(guarded, resolver=names) as fetch:
        for target in targets:
            assert blocked((await fetch(redirects(target)))[0])
    assert canary.met == []


async def test_message_names_the_address_and_no_more(guarded: WorkSettings) -> None:
    """It tells what was refused and how to open it; not which other addresses there are."""
    async with fetching(guarded, resolver=resolving({"x.example": ["10.1.2.3"]})) as fetch:
        outcomes: Outcomes = await fetch("http://x.example/", "http://192.168.0.1/")
    assert [getattr(outcome, "message", "") for outcome in outcomes] == [
        "address 10.1.2.3 is not public; CENSUS_ALLOW_NETWORKS can allow its network",
        "address 192.168.0.1 is not public; CENSUS_ALLOW_NETWORKS can allow its network",
    ]


def test_network_prints_as_it_is_written() -> None:
    """For `--show-settings`."""
    assert str(parse_network("10.0.0.0/8:80")) == "10.0.0.0/8:80"
    assert str(parse_network("[fd00::/8]:80")) == "[fd00::/8]:80"
    assert isinstance(parse_network("::1"), Network)
