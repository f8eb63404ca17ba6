"""No packet reaches an address that is not public: literals, names and redirects, through HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from server.settings import ServerSettings
from tests.asserts import wait_until
from tests.hostile.canaries import Canaries, Names, listening
from tests.picture_hosts import PictureHost
from tests.server.serving import serving

BLOCKED = "blocked_address"
Codes = dict[str, str]
#: Look at rows of id → URL, `{port}` being the canaries'; their codes by id, `ok` with facts.
Look = Callable[[Mapping[str, str]], "asyncio.Future[Codes]"]
Answers = Mapping[str, Sequence[Sequence[str]]]

#: Addresses as they are dialled. Those of the loopback have a canary.
_ADDRESSES = """
    127.0.0.1 127.0.0.2 127.0.0.3 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.5.5 192.168.1.1
    169.254.169.254 100.64.0.1 100.100.100.200 192.0.0.8 198.18.0.1 224.0.0.1 240.0.0.1
    255.255.255.255 192.88.99.1 203.0.113.5 ::1 :: ::ffff:127.0.0.1 ::ffff:7f00:2 ::127.0.0.1
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 2002:7f00:1:: 2001:0:1::1 fe80::1 fc00::1
    fd00:ec2::254 ff02::1 2001:db8::1 fec0::1 100::1 2001:4860::5efe:7f00:1
    2001:4860::200:5efe:a00:1 ::ffff:0:127.0.0.1 5f00::1 3fff::1 4000::1 0:0:0:0:0:ffff:127.0.0.1
"""
#: Hosts of a URL that some resolver takes for one of those; never dialled, by whatever code.
_SPELLINGS = """
    127.1 127.0.1 0x7f000001 0x7f.0.0.1 2130706433 2130706434 0177.0.0.1 017700000001 0 0x0
    localhost LOCALHOST localhost. localhost%00x * １２７.0.0.1 127。0。0。1 ①②⑦.0.0.1 127.0.0.1.
    127.0.0.2. [fe80::1%25lo] [::1%25lo] [::ffff:0x7f000001] 127.0.0.1%20 %31%32%37.0.0.1
"""
ADDRESSES, SPELLINGS = _ADDRESSES.split(), _SPELLINGS.split()
REFUSALS = {BLOCKED, "bad_url", "dns_not_found", "dns_temporary", "bad_redirect"}


def literal(address: str) -> str:
    """An address as a URL has it."""
    return f"[{address}]" if ":" in address else address


@pytest.fixture
async def canaries(picture_host: PictureHost) -> AsyncIterator[Canaries]:
    """Nobody has come when the test ends, unless it says so and clears them."""
    async with listening(picture_host.port) as found:
        yield found
        assert found.met == []


@pytest.fixture
def looking(
    settings_of: Callable[..., ServerSettings], picture_host: PictureHost, canaries: Canaries
) -> Callable[..., AbstractAsyncContextManager[Look]]:
    """A server whose downloads may reach the picture host's port of 127.0.0.1 and nothing else."""

    @asynccontextmanager
    async def look(names: Answers | None = None, **given: Any) -> AsyncIterator[Look]:
        chosen = {"allow_networks": f"127.0.0.1/32:{picture_host.port}", "retries": 0, **given}
        settings = settings_of(ServerSettings, **chosen)
        async with serving(settings, resolver=Names(names or {})) as served:

            async def ask(urls: Mapping[str, str]) -> Codes:
                images = [
                    {"id": key, "url": url.format(port=canaries.port)} for key, url in urls.items()
                ]
                records = (await served.ask(json={"images": images})).records()
                assert len(records) == len(images)
                return {
                    record["id"]: (record.get("error") or {"code": "ok"})["code"]
                    for record in records
                }

            yield ask

    return look


async def test_they_sing_where_they_may_be_dialled(
    canaries: Canaries, looking: Callable[..., AbstractAsyncContextManager[Look]]
) -> None:
    """Otherwise their silence below would prove nothing."""
    urls = {address: f"http://{literal(address)}:{{port}}/" for address in ("127.0.0.3", "::1")}
    async with looking(allow_networks="127.0.0.0/8,::1") as look:
        codes = await look(urls)
        await wait_until(lambda: len(set(canaries.met)) == 2)

    assert set(codes.values()) == {"connect"}
    canaries.met.clear()


async def test_literals(looking: Callable[..., AbstractAsyncContextManager[Look]]) -> None:
    """Every address that can be written in a URL, on the canaries' port and on the usual one."""
    urls = {address: f"http://{literal(address)}:{{port}}/" for address in ADDRESSES}
    urls |= {f"{address} at 80": f"http://{literal(address)}/" for address in ADDRESSES}
    async with looking() as look:
        codes = await look(urls)

    assert {key: code for key, code in codes.items() if code != BLOCKED} == {}


async def test_the_open_port_is_open_at_its_address_only(
    looking: Callable[..., AbstractAsyncContextManager[Look]], picture_host: PictureHost
) -> None:
    """The neighbour address on the same port stays closed."""
    async with looking() as look:
        codes = await look(
            {
                "open": f"http://127.0.0.1:{picture_host.port}/cat",
                "mapped": f"http://[::ffff:127.0.0.1]:{picture_host.port}/cat",
                "beside": f"http://127.0.0.2:{picture_host.port}/cat",
                "any": f"http://0.0.0.0:{picture_host.port}/cat",
            }
        )

    assert codes == {"open": "ok", "mapped": "ok", "beside": BLOCKED, "any": BLOCKED}


async def test_spellings(
    looking: Callable[..., AbstractAsyncContextManager[Look]], picture_host: PictureHost
) -> None:
    """Asked for straight and behind a redirect, with the system's own resolver."""
    urls = {spelling: f"http://{spelling}:{{port}}/" for spelling in SPELLINGS}
    urls |= {
        f"to {spelling}": redirect(picture_host, f"http://{spelling}:{{port}}/")
        for spelling in SPELLINGS
    }
    async with looking() as look:
        codes = await look(urls)

    assert {key: code for key, code in codes.items() if code not in REFUSALS} == {}
    assert codes["localhost"] == BLOCKED


async def test_names(looking: Callable[..., AbstractAsyncContextManager[Look]]) -> None:
    """A name with one such address, with all of them, and one that changes between them."""
    names: dict[str, list[list[str]]] = {
        f"n{number}.example": [[address]] for number, address in enumerate(ADDRESSES)
    }
    names["all.example"] = [ADDRESSES]
    names["turns.example"] = [["127.0.0.2"], ["::1"], ["10.0.0.1", "127.0.0.3"]]
    urls = {name: f"http://{name}:{{port}}/" for name in names}
    urls |= {f"{name} again": url for name, url in urls.items()}
    async with looking(names) as look:
        codes = await look(urls)

    assert {key: code for key, code in codes.items() if code != BLOCKED} == {}


async def test_of_a_mixed_name_only_the_open_address_is_dialled(
    looking: Callable[..., AbstractAsyncContextManager[Look]], picture_host: PictureHost
) -> None:
    """In whatever order; 127.0.0.2 has a canary on that very port, 127.0.0.1 the picture host."""
    names = {
        "before.example": [["127.0.0.2", "127.0.0.1"]],
        "behind.example": [["127.0.0.1", "127.0.0.2"]],
        "among.example": [["::1", "10.0.0.1", "127.0.0.1", "169.254.169.254"]],
    }
    async with looking(names) as look:
        codes = await look({name: f"http://{name}:{picture_host.port}/cat" for name in names})

    assert set(codes.values()) == {"ok"}


async def test_name_that_flips_between_look_ups(
    looking: Callable[..., AbstractAsyncContextManager[Look]],
    picture_host: PictureHost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The open address first and the canary's next: what is judged is what is dialled."""
    monkeypatch.setattr("workers.fetch.session._NAMES_KEPT", 0)
    names = {"flips.example": [["127.0.0.1"], ["127.0.0.2"]]}
    url = f"http://flips.example:{picture_host.port}/no-length/cat"  # which closes the connection
    async with looking(names) as look:
        codes = [(await look({"row": f"{url}/{turn}"}))["row"] for turn in range(4)]

    assert codes == ["ok", BLOCKED, "ok", BLOCKED]


async def test_redirects(
    looking: Callable[..., AbstractAsyncContextManager[Look]], picture_host: PictureHost
) -> None:
    """To every address by literal, by name, by another redirect and without a scheme."""
    names = {f"n{number}.example": [[address]] for number, address in enumerate(ADDRESSES)}
    urls = {}
    for name, address in zip(names, ADDRESSES, strict=True):
        place = f"http://{literal(address)}:{{port}}/"
        urls[address] = redirect(picture_host, place)
        urls[f"{address} by name"] = redirect(picture_host, f"http://{name}:{{port}}/")
        urls[f"{address} at second"] = redirect(picture_host, redirect(picture_host, place))
        urls[f"{address} without scheme"] = redirect(picture_host, place.removeprefix("http:"))
    async with looking(names) as look:
        codes = await look(urls)

    assert {key: code for key, code in codes.items() if code != BLOCKED} == {}


def redirect(host: PictureHost, place: str) -> str:
    """The URL that redirects there; `{port}` stays as it is."""
    return f"{host}/redirect-to?url={quote(place, safe='{}')}"
