"""Whole files: streamed past the walker at header depth, held at full depth, within bounds."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable

import pytest

from imaging.facts import ErrorCode
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Fetcher, failure, fetching, info
from tests.workers.fetch.pictures import (
    FAT_PROFILE,
    PICTURE,
    PLAIN,
    SMALL,
    same,
)
from tests.workers.fetch.raw_hosts import answering, head
from workers.fetch.asking import DRAIN_BYTES
from workers.fetch.bodies import FIRST_BYTES
from workers.fetch.lanes import Body
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]


async def test_reading_stops_at_the_header(fetch: Fetcher) -> None:
    """With Content-Length the size is known: a long rest is not read but hung up on."""
    began = PICTURE + bytes(50_000)
    said = head("200 OK", Content_Length=10_000_000) + began
    async with answering(said, stays=True) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
        await wait_until(lambda: raw.open == 0)
    assert info(outcome).image_size == 10_000_000
    assert how.size_source == "content_length"
    assert how.bytes <= len(began)


async def test_short_rest_is_read_and_the_connection_kept(
    fetch: Fetcher, host: PictureHost
) -> None:
    """Small files one after the other come by one connection."""
    for _ in range(3):
        [(outcome, how)] = await fetch.answers(f"{host}/no-range/{SMALL}")
        assert info(outcome).image_format == "JPEG"
        assert how.size_source == "content_length"
    assert host.counts()["connections"] == 1


@pytest.mark.parametrize("manner", ["no-length/", "chunked/"])
async def test_size_is_counted_where_it_is_not_told(
    fetch: Fetcher, host: PictureHost, manner: str
) -> None:
    """Until the close or the last chunk."""
    how = await same(fetch, host, manner, FAT_PROFILE)
    assert (how.status, how.size_source) == (200, "counted")
    assert how.bytes == len(host.body(f"/{FAT_PROFILE}"))


async def test_compressed_answer_nobody_asked_for(fetch: Fetcher) -> None:
    """Identity was asked for; a bomb is bytes that are no picture, and never inflated."""
    bomb = gzip.compress(bytes(10_000_000))
    said = head("200 OK", Content_Length=len(bomb), Content_Encoding="gzip") + bomb
    async with answering(said) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert failure(outcome).code is ErrorCode.NOT_AN_IMAGE
    assert how.bytes <= len(bomb)


@pytest.mark.parametrize("manner", ["", "no-range/", "no-length/", "chunked/", "redirect/2/"])
async def test_whole_body(fetch_body: Fetcher, host: PictureHost, manner: str) -> None:
    """The bytes of the file, however they are framed; no Range is sent."""
    data = host.body(f"/{FAT_PROFILE}")
    host.reset()
    [(outcome, how)] = await fetch_body.answers(f"{host}/{manner}{FAT_PROFILE}")
    assert isinstance(outcome, Body)
    assert outcome.data == data
    assert outcome.room.size == len(data) <= how.bytes  # those of redirects counted with it
    assert host.counts()["ranges"] == 0
    budget = fetch_body.downloads._budget
    assert budget.free == budget.size - len(data)
    outcome.room.release()
    assert budget.free == budget.size


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("html/x", ErrorCode.NOT_AN_IMAGE),
        ("empty/x", ErrorCode.EMPTY_BODY),
        ("no-length/empty/x", ErrorCode.EMPTY_BODY),
        ("status/404/x", ErrorCode.HTTP_STATUS),
        ("truncated/" + PLAIN, ErrorCode.TRUNCATED_BODY),
        ("endless/" + PLAIN, ErrorCode.TOO_LARGE),
    ],
)
async def test_failures_hold_no_memory(
    host: PictureHost, settings_of: SettingsOf, path: str, code: ErrorCode
) -> None:
    """Whatever goes wrong, all of the room is free again."""
    async with fetching(settings_of(max_image_bytes=200_000), body=True) as fetch:
        [outcome] = await fetch(f"{host}/{path}")
        assert failure(outcome).code is code
        assert fetch.downloads._budget.free == fetch.downloads._budget.size


async def test_bodies_share_the_room(host: PictureHost, settings_of: SettingsOf) -> None:
    """Never more bytes than allowed, and everybody's turn comes."""
    size = len(host.body(f"/{FAT_PROFILE}"))
    settings = settings_of(max_image_bytes=size, max_inflight_bytes=size * 3 // 2)
    async with fetching(settings, body=True) as fetch:
        budget = fetch.downloads._budget
        urls = [f"{host}/no-length/{FAT_PROFILE}", f"{host}/{SMALL}"] * 5
        for coming in asyncio.as_completed([fetch.answers(url) for url in urls]):
            [(outcome, _)] = await coming
            assert isinstance(outcome, Body), outcome
            assert budget.free >= 0
            outcome.room.release()
        assert budget.free == budget.size


async def test_waiting_for_room_costs_no_deadline(settings_of: SettingsOf) -> None:
    """It is us who are slow then, not the host, which may take its time afterwards."""
    go = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head("200 OK", Content_Length=len(PICTURE)))
        await go.wait()
        writer.write(PICTURE)
        writer.close()

    loop = asyncio.get_running_loop()

    async def pass_by(seconds: float) -> None:
        end = loop.time() + seconds
        await wait_until(lambda: loop.time() > end)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    room = 1_000_000  # where one body may take all of it, nothing is kept for small ones
    settings = settings_of(
        timeout=2.5, read_timeout=2, max_image_bytes=room, max_inflight_bytes=room
    )
    async with server, fetching(settings, body=True) as fetch:
        budget = fetch.downloads._budget
        everything = budget.take(budget.size)
        assert everything is not None
        coming = asyncio.create_task(fetch(url))
        await wait_until(lambda: budget.pressed)
        await pass_by(3)
        everything.release()
        await pass_by(1)
        go.set()
        [outcome] = await coming
        assert isinstance(outcome, Body), outcome
        outcome.room.release()


async def test_endless_body_is_cut_at_the_cap(host: PictureHost, settings_of: SettingsOf) -> None:
    """Counted as it comes; the message says the cap."""
    async with fetching(settings_of(max_image_bytes=300_000)) as fetch:
        [(outcome, how)] = await fetch.answers(f"{host}/endless/{PLAIN}")
    assert failure(outcome).code is ErrorCode.TOO_LARGE
    assert "300000" in failure(outcome).message
    assert 300_000 < how.bytes < 1_000_000
    assert how.attempts == 1


@pytest.mark.parametrize("body", [False, True])
async def test_announced_length_over_the_cap_is_not_read(
    settings_of: SettingsOf, body: bool
) -> None:
    """99 GB are refused by their announcement, though the header would be known."""
    said = head("200 OK", Content_Length=99_000_000_000) + PICTURE
    async with answering(said, stays=True) as raw, fetching(settings_of(), body=body) as fetch:
        [(outcome, how)] = await fetch.answers(raw.url)
        await wait_until(lambda: raw.open == 0)
    assert failure(outcome).code is ErrorCode.TOO_LARGE
    assert "99000000000" in failure(outcome).message
    assert how.bytes == 0


async def test_error_page_without_end_is_left(host: PictureHost, fetch: Fetcher) -> None:
    """A status is an answer: of its body only a little is read, to keep the connection."""
    said = head("404 Not Found", Transfer_Encoding="chunked") + b"4000\r\n" + bytes(0x4000)
    async with answering(said + (b"\r\n4000\r\n" + bytes(0x4000)) * 100, stays=True) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
        await wait_until(lambda: raw.open == 0)
    assert failure(outcome).http_status == 404
    assert how.bytes <= 3 * DRAIN_BYTES


async def test_bodies_of_unknown_length_hold_what_has_come(settings_of: SettingsOf) -> None:
    """Many that drip are no reason for others to wait."""
    said = head("200 OK") + PICTURE[:2000]
    settings = settings_of(timeout=60, max_image_bytes=1 << 26, max_inflight_bytes=1 << 27)
    async with answering(said, stays=True) as raw, fetching(settings, body=True) as fetch:
        dripping = [asyncio.create_task(fetch(f"{raw.url}/{n}")) for n in range(12)]
        await wait_until(lambda: raw.open == 12)
        budget = fetch.downloads._budget
        await wait_until(lambda: budget.size - budget.free == 12 * FIRST_BYTES)
        assert not budget.pressed
        for task in dripping:
            task.cancel()


async def test_body_that_cannot_grow_begins_again(settings_of: SettingsOf) -> None:
    """With room for the largest there may be, once that is free."""
    body = PICTURE + bytes(3_000_000)
    said = head("200 OK") + body
    settings = settings_of(max_image_bytes=4_000_000, max_inflight_bytes=4_000_000)
    async with answering(said) as raw, fetching(settings, body=True) as fetch:
        budget = fetch.downloads._budget
        other = budget.take(2_000_000)
        assert other is not None
        coming = asyncio.create_task(fetch.answers(raw.url))
        await wait_until(lambda: budget.pressed)
        assert budget.free == 2_000_000  # it waits with empty hands
        other.release()
        [(outcome, how)] = await coming
        assert isinstance(outcome, Body), outcome
        assert outcome.data == body
        assert how.bytes > len(body)
        outcome.room.release()
        assert budget.free == budget.size


async def test_slow_body_gives_way_to_those_that_wait(settings_of: SettingsOf) -> None:
    """One that claims much and drips ends early, once somebody waits for its memory; not before."""
    room = 1_000_000
    said = head("200 OK", Content_Length=room) + PICTURE[:2000]
    settings = settings_of(
        timeout=60, read_timeout=60, max_image_bytes=room, max_inflight_bytes=room
    )
    async with (
        answering(said, stays=True) as raw,
        answering(head("200 OK", Content_Length=len(PICTURE)) + PICTURE) as honest,
        fetching(settings, body=True) as fetch,
    ):
        dripping = asyncio.create_task(fetch(raw.url))
        await wait_until(lambda: fetch.downloads._budget.free == 0)
        async with asyncio.timeout(40):  # were it to have all of its time, it would be 60 seconds
            [outcome] = await fetch(honest.url)
        assert isinstance(outcome, Body), outcome
        outcome.room.release()
        [slow] = await dripping
        assert failure(slow).code is ErrorCode.TIMEOUT
        assert "too slow" in failure(slow).message
