"""Redirects from host to host: each is asked in its turn, and judged for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from imaging.facts import ErrorCode
from tests.asserts import wait_until
from tests.workers.fetch.downloading import failure, fetching, info
from tests.workers.fetch.pictures import PICTURE
from tests.workers.fetch.raw_hosts import answering, head
from workers.fetch.hosts import SILENT_AFTER
from workers.fetch.targets import Origin
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]

OK = head("200 OK", Content_Length=len(PICTURE)) + PICTURE


def to(place: str) -> bytes:
    return head("302 Found", Location=place, Content_Length=0)


class Counting:
    """A host that is asked by many, and how many of them at once."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"
        self.asked = self.now = self.most = 0


@asynccontextmanager
async def counting(
    answer: Callable[[str], bytes], *, wait: asyncio.Event | None = None
) -> AsyncIterator[Counting]:
    """Answers by the address it is reached at, after *wait*."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                host.asked += 1
                host.now += 1
                host.most = max(host.most, host.now)
                if wait is not None:
                    await wait.wait()
                await asyncio.sleep(0)
                host.now -= 1
                writer.write(answer(writer.get_extra_info("sockname")[0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "0.0.0.0", 0)
    host = Counting(server.sockets[0].getsockname()[1])
    async with server:
        yield host


async def test_many_hosts_redirect_to_one(settings_of: SettingsOf) -> None:
    """It is asked by no more at once than if it stood in the manifest itself."""
    go = asyncio.Event()
    settings = settings_of(max_connections=16, max_connections_per_host=3)
    async with (
        counting(lambda _: OK, wait=go) as victim,
        counting(lambda _: to(victim.url)) as many,
        fetching(settings) as fetch,
    ):
        urls = [f"http://127.0.1.{n}:{many.port}/" for n in range(1, 60)]
        coming = asyncio.create_task(fetch.answers(*urls))
        await wait_until(lambda: many.asked == 59)  # those that wait hold nobody up
        go.set()
        answers = await coming
    assert {info(outcome).image_size for outcome, _ in answers} == {len(PICTURE)}
    assert {(how.attempts, how.final_url) for _, how in answers} == {(1, victim.url)}
    assert victim.asked == 59
    assert victim.most == 3


async def test_hosts_that_redirect_to_each_other(settings_of: SettingsOf) -> None:
    """With one permit each: nobody waits for one while holding another, so all come to an end."""
    settings = settings_of(max_connections=8, max_connections_per_host=1, max_redirects=20)
    others = {"127.0.0.1": "127.0.0.2", "127.0.0.2": "127.0.0.1"}
    async with (
        counting(lambda at: to(f"http://{others[at]}:{host.port}/")) as host,
        fetching(settings) as fetch,
        asyncio.timeout(20),
    ):
        urls = [f"http://127.0.0.{1 + n % 2}:{host.port}/{n}" for n in range(20)]
        outcomes = await fetch(*urls)
    assert {failure(found).code for found in outcomes} == {ErrorCode.TOO_MANY_REDIRECTS}
    assert host.asked == 20 * 21
    assert host.most <= 2


async def test_retry_begins_at_the_first_host(settings: WorkSettings) -> None:
    """Where it was redirected to may be good for once only; the redirects are counted anew."""
    async with (
        answering(head("503 Busy", Content_Length=0), OK) as last,
        answering(to(last.url)) as first,
        fetching(settings) as fetch,
    ):
        [(outcome, how)] = await fetch.answers(first.url)
        assert (len(first.asked), len(last.asked)) == (2, 2)
    assert info(outcome).image_size == len(PICTURE)
    assert (how.attempts, how.final_url) == (2, last.url)


async def test_silent_host_behind_a_redirect(settings_of: SettingsOf) -> None:
    """It is the one that is silent, and then fails rows at once; who redirected is not."""
    settings = settings_of(read_timeout=2, timeout=9, retries=0, max_connections=16)
    async with (
        answering(None) as mute,
        answering(to(mute.url), stays=True) as raw,
        fetching(settings) as fetch,
    ):
        for _ in range(2):
            outcomes = await fetch(*[f"{raw.url}/{n}" for n in range(SILENT_AFTER)])
        hosts = fetch.turns._hosts
        assert hosts.get(Origin("127.0.0.1", mute.port)).timeouts == SILENT_AFTER
        assert hosts.get(Origin("127.0.0.1", raw.port)).timeouts == 0
        assert len(mute.asked) == SILENT_AFTER
    assert {failure(found).code for found in outcomes} == {ErrorCode.TIMEOUT}
    assert all("silent" in failure(found).message for found in outcomes)


async def test_no_turn_in_time(settings_of: SettingsOf) -> None:
    """The deadline runs while a row waits for the host it was redirected to."""
    go = asyncio.Event()
    settings = settings_of(
        timeout=3.5, read_timeout=3, retries=0, max_connections=8, max_connections_per_host=1
    )
    async with (
        counting(lambda _: OK, wait=go) as slow,
        answering(to(slow.url), stays=True) as raw,
        fetching(settings) as fetch,
    ):
        outcomes = await fetch(*[f"{raw.url}/{n}" for n in range(4)])
        go.set()
    messages = {failure(found).message for found in outcomes}
    assert {failure(found).code for found in outcomes} == {ErrorCode.TIMEOUT}
    assert "no turn in time at the host it is redirected to" in messages
