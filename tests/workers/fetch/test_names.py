"""Look-ups: in threads of their own, and failures remembered for a minute."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import weakref
from contextlib import suppress

import pytest
from aiohttp import ClientConnectorDNSError, ClientSession, TCPConnector
from aiohttp.abc import ResolveResult

from tests.asserts import wait_until
from tests.workers.fetch.downloading import resolving
from workers.fetch import names as module
from workers.fetch.names import CachedFailures, ThreadedNames


async def test_literal_and_local_names() -> None:
    """What the system says, as the connector wants it."""
    names = ThreadedNames()
    [found] = await names.resolve("127.0.0.1", 80, socket.AF_INET)
    assert (found["host"], found["port"], found["family"]) == ("127.0.0.1", 80, socket.AF_INET)
    assert {entry["hostname"] for entry in await names.resolve("localhost", 80)} == {"localhost"}
    await names.close()


async def test_many_slow_look_ups_do_not_hold_up_other_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dead names take seconds each; whatever else uses the loop's threads goes on."""
    go = threading.Event()

    def slow(*_: object) -> list[object]:
        assert go.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    names = ThreadedNames()
    waiting = [asyncio.create_task(names.resolve(f"{n}.example")) for n in range(100)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        assert await asyncio.to_thread(lambda: "free") == "free"
    go.set()
    assert await asyncio.gather(*waiting) == [[]] * 100
    await names.close()


async def test_failure_is_given_again_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same error, by the same number, until its time is over."""
    monkeypatch.setattr(module, "_FORGET_AFTER", 0.2)
    inner = resolving({"n.example": socket.gaierror(socket.EAI_AGAIN, "Try again")})
    names = CachedFailures(inner)
    for _ in range(3):
        with pytest.raises(socket.gaierror, match="Try again") as caught:
            await names.resolve("n.example")
        assert caught.value.errno == socket.EAI_AGAIN
    assert inner.asked == ["n.example"]
    inner.known["n.example"] = ["127.0.0.1"]
    loop = asyncio.get_running_loop()
    over = loop.time() + 0.2
    await wait_until(lambda: loop.time() > over)
    assert len(await names.resolve("n.example")) == 1
    assert inner.asked == ["n.example"] * 2
    assert not names._failed


async def test_good_answers_are_not_kept_here() -> None:
    """The connector keeps those."""
    inner = resolving({"n.example": ["127.0.0.1"]})
    names = CachedFailures(inner)
    for _ in range(3):
        assert len(await names.resolve("n.example")) == 1
    assert len(inner.asked) == 3


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of a million dead names does not fill the memory: the oldest go."""
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    inner = resolving({})
    names = CachedFailures(inner)
    for n in range(50):
        with pytest.raises(OSError, match="not known"):
            await names.resolve(f"{n}.example")
    assert list(names._failed) == [f"{n}.example" for n in range(40, 50)]


async def test_rows_that_ask_at_once_share_one_look_up() -> None:
    """Through the connector, also those that come while the first still waits."""
    inner = resolving({})
    connector = TCPConnector(resolver=CachedFailures(inner))

    async def ask(session: ClientSession) -> None:
        with pytest.raises(ClientConnectorDNSError):
            await session.get("http://gone.example/")

    async with ClientSession(connector=connector) as session:
        await asyncio.gather(*(ask(session) for _ in range(50)))
    assert inner.asked == ["gone.example"]


async def test_closing_leaves_no_thread_waiting() -> None:
    """Threads end once they have nothing to do."""
    names = ThreadedNames()
    await names.resolve("127.0.0.1")
    await names.close()
    await wait_until(lambda: not any(t.name.startswith("names") for t in threading.enumerate()))


async def test_a_failure_remembered_holds_nothing_of_its_download() -> None:
    """An error kept would keep every frame it came through, and all that stands in them."""

    class Held:
        pass

    class Failing(ThreadedNames):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            held = Held()
            seen.append(weakref.ref(held))
            raise socket.gaierror(socket.EAI_NONAME, "no such name")

    seen: list[weakref.ref[Held]] = []
    names = CachedFailures(Failing())
    with suppress(socket.gaierror):
        await names.resolve("n.example")
    gc.collect()
    assert seen[0]() is None
    with pytest.raises(socket.gaierror, match="no such name"):
        await names.resolve("n.example")
    assert len(seen) == 1
