"""Silence and slowness. The one timer looks around ten times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from imaging.facts import ErrorCode
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import failure, fetching, info
from tests.workers.fetch.pictures import (
    FAT_PROFILE,
    LARGE,
    PICTURE,
    SMALL,
    same,
)
from tests.workers.fetch.raw_hosts import answering, head
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]


@pytest.fixture
def hasty(settings_of: SettingsOf) -> WorkSettings:
    """A host may be silent for 0.2 seconds, a picture may take thirty."""
    return settings_of(read_timeout=0.2, connect_timeout=9, timeout=30)


async def test_silent_host(host: PictureHost, hasty: WorkSettings) -> None:
    """No answer in its time, three times."""
    async with fetching(hasty) as fetch:
        [(outcome, how)] = await fetch.answers(f"{host}/silent/x")
    assert failure(outcome).code is ErrorCode.TIMEOUT
    assert "did not answer" in failure(outcome).message
    assert how.attempts == 3
    assert how.status is None


async def test_host_that_falls_silent(host: PictureHost, settings_of: SettingsOf) -> None:
    """In the middle of the body."""
    settings = settings_of(read_timeout=2, retries=0)
    async with fetching(settings) as fetch:
        answers = await fetch.answers(
            f"{host}/stall/{LARGE}", f"{host}/chunked/stall/{FAT_PROFILE}"
        )
    for outcome, how in answers:
        assert failure(outcome).code is ErrorCode.TIMEOUT
        assert "fell silent" in failure(outcome).message
        assert how.status in (200, 206)


async def test_deadline_covers_all_attempts(host: PictureHost, settings_of: SettingsOf) -> None:
    """Not so many seconds for each."""
    settings = settings_of(timeout=1.5, read_timeout=1, retries=10)
    async with fetching(settings) as fetch:
        [(outcome, how)] = await fetch.answers(f"{host}/silent/x")
    assert failure(outcome).code is ErrorCode.TIMEOUT
    assert 1 <= how.attempts <= 2  # and one it is where the machine paused


async def test_slow_drip_ends_at_the_deadline(settings_of: SettingsOf) -> None:
    """A byte now and then is no silence, and still too slow."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head("200 OK", Content_Length=1000) + PICTURE[:2])
        while not writer.transport.is_closing():
            writer.write(b"\xff")
            await asyncio.sleep(0.05)
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = settings_of(timeout=2.5, read_timeout=2)
    async with server, fetching(settings) as fetch:
        [(outcome, how)] = await fetch.answers(f"http://127.0.0.1:{port}/")
        await ended.wait()
    assert failure(outcome).code is ErrorCode.TIMEOUT
    assert "within the time for one picture" in failure(outcome).message
    assert how.attempts == 1


async def test_rows_that_wait_for_a_permit_do_not_time_out(
    host: PictureHost, settings_of: SettingsOf
) -> None:
    """The deadline starts with the permit: eight rows of 0.5 seconds, one by one, in 3.5."""
    settings = settings_of(timeout=3.5, max_connections_per_host=1)
    async with fetching(settings) as fetch:
        outcomes = await fetch(*[f"{host}/slow/500/{SMALL}"] * 8)
    assert {info(outcome).image_format for outcome in outcomes} == {"JPEG"}
    assert host.counts()["in_flight_peak"] == 1


async def test_each_answer_is_heard(host: PictureHost, settings_of: SettingsOf) -> None:
    """Three slow answers for one picture: each was in time, though all together were not."""
    settings = settings_of(read_timeout=2.5)
    async with fetching(settings) as fetch:
        how = await same(fetch, host, "slow/900/", FAT_PROFILE)
    assert how.attempts == 1
    assert host.counts()["requests"] >= 3


async def test_nobody_watches_what_has_ended(host: PictureHost, settings_of: SettingsOf) -> None:
    """The one timer goes on for the next download after an answer without a body."""
    said = head("204 No Content")
    settings = settings_of(read_timeout=2, retries=0)
    async with answering(said, None) as raw, fetching(settings) as fetch:
        outcomes = await fetch(raw.url, f"{host}/silent/x", f"{host}/status/204/x")
    assert [failure(outcome).code for outcome in outcomes] == [
        ErrorCode.HTTP_STATUS,
        ErrorCode.TIMEOUT,
        ErrorCode.HTTP_STATUS,
    ]
