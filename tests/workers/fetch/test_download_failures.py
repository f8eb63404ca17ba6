"""Downloads that fail: by which code, after how many attempts; and redirects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from imaging.facts import ErrorCode
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Fetcher, failure, fetching, info, resolving
from tests.workers.fetch.pictures import (
    FAT_PROFILE,
    LARGE,
    PICTURE,
    PLAIN,
    SMALL,
    same,
)
from tests.workers.fetch.raw_hosts import answering, head
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]


@pytest.mark.parametrize(
    ("path", "code", "attempts"),
    [
        ("html/x", ErrorCode.NOT_AN_IMAGE, 1),
        ("no-range/empty/x", ErrorCode.EMPTY_BODY, 1),
        ("chunked/empty/x", ErrorCode.EMPTY_BODY, 1),
        ("truncated/" + LARGE, ErrorCode.TRUNCATED_BODY, 3),
        ("no-range/truncated/" + FAT_PROFILE, ErrorCode.TRUNCATED_BODY, 3),
        ("chunked/truncated/" + FAT_PROFILE, ErrorCode.TRUNCATED_BODY, 3),
        ("redirect/6/x", ErrorCode.TOO_MANY_REDIRECTS, 1),
        ("redirect-to?url=ftp://h/x", ErrorCode.BAD_REDIRECT, 1),
        ("redirect-to?url=file:///etc/passwd", ErrorCode.BAD_REDIRECT, 1),
        ("redirect-to?url=javascript:alert(1)", ErrorCode.BAD_REDIRECT, 1),
        ("redirect-to?url=http://", ErrorCode.BAD_REDIRECT, 1),
        ("redirect-to?url=http://[::bad/", ErrorCode.BAD_REDIRECT, 1),
        ("redirect-to?url=http://h:99999/", ErrorCode.BAD_REDIRECT, 1),
        ("redirect-to?url=http://10.0.0.1/", ErrorCode.BLOCKED_ADDRESS, 1),
    ],
)
async def test_code_and_attempts(
    fetch: Fetcher, host: PictureHost, path: str, code: ErrorCode, attempts: int
) -> None:
    """Passing failures are tried three times, lasting ones once."""
    [(outcome, how)] = await fetch.answers(f"{host}/{path}")
    assert (failure(outcome).code, how.attempts) == (code, attempts), outcome
    assert failure(outcome).message != "" or code.sentence


@pytest.mark.parametrize(
    ("status", "attempts", "requests"),
    [
        (404, 1, 1),
        (410, 1, 1),
        (403, 1, 2),
        (500, 3, 3),
        (503, 3, 3),
        (429, 3, 3),
        (408, 3, 3),
        (204, 1, 1),
        (206, 1, 2),
        (302, 1, 1),
        (304, 1, 1),
        (451, 1, 1),
        (999, 1, 1),
    ],
)
async def test_statuses(
    fetch: Fetcher, host: PictureHost, status: int, attempts: int, requests: int
) -> None:
    """The status is the record's; only what may pass is tried again."""
    [(outcome, how)] = await fetch.answers(f"{host}/status/{status}/x")
    found = failure(outcome)
    assert (found.code, found.http_status) == (ErrorCode.HTTP_STATUS, status)
    assert found.message.startswith(str(status))
    assert (how.status, how.attempts) == (status, attempts)
    assert how.final_url is None
    assert host.counts()["requests"] == requests


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize(
    ("said", "status"),
    [
        (head("404 Not Found", Content_Length=0), 404),
        (head("304 Not Modified", Content_Length=500), 304),
        (head("204 No Content", Content_Length=5), 204),
    ],
)
async def test_error_status_without_a_body(
    settings: WorkSettings, said: bytes, status: int, body: bool
) -> None:
    """None is as good an answer as a page, also where a length is told of it."""
    async with answering(said, stays=True) as raw, fetching(settings, body=body) as fetch:
        for _ in range(2):
            [outcome] = await fetch(raw.url)
            assert failure(outcome).http_status == status
        assert raw.dialled == 1  # and keeps its connection


async def test_flaky_host_is_asked_again(fetch: Fetcher, host: PictureHost) -> None:
    """503 twice and then the picture: a row with facts, and three attempts."""
    how = await same(fetch, host, "flaky/2/")
    assert (how.status, how.attempts) == (206, 3)
    [(outcome, how)] = await fetch.answers(f"{host}/flaky/3/{SMALL}")
    assert failure(outcome).http_status == 503
    assert how.attempts == 3


async def test_retries_are_a_setting(host: PictureHost, settings_of: SettingsOf) -> None:
    """0: one attempt and no more."""
    async with fetching(settings_of(retries=0)) as fetch:
        [(outcome, how)] = await fetch.answers(f"{host}/flaky/1/{SMALL}")
    assert failure(outcome).http_status == 503
    assert how.attempts == 1


async def test_retry_after_is_waited_for(fetch: Fetcher, host: PictureHost) -> None:
    """As long as the host asked, not as short as we would."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    how = await same(fetch, host, "retry-after/1/")
    assert how.attempts == 2
    assert loop.time() - began >= 1
    assert how.ms >= 1000


async def test_retry_after_beyond_the_deadline_gives_up(fetch: Fetcher, host: PictureHost) -> None:
    """At once: the wait could only end in a timeout."""
    async with asyncio.timeout(30):
        [(outcome, how)] = await fetch.answers(f"{host}/retry-after/99999/{SMALL}")
    assert failure(outcome).http_status == 429
    assert how.attempts == 1


async def test_what_one_answer_asked_does_not_delay_the_next(fetch: Fetcher) -> None:
    """Retry-After is for the next attempt, not for all further ones."""
    busy = head("503 Busy", Retry_After=4, Content_Length=0)
    fine = head("200 OK", Content_Length=len(PICTURE)) + PICTURE
    loop = asyncio.get_running_loop()
    began = loop.time()
    nothing = b""  # twice: the library itself asks once more on a connection that was closed
    async with answering(busy, nothing, nothing, fine) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert info(outcome).image_size == len(PICTURE)
    assert how.attempts == 3
    assert 4 <= loop.time() - began < 7.9


async def test_connection_refused(fetch: Fetcher) -> None:
    """Tried three times; the system's words are in the message."""
    async with answering(b"") as raw:
        pass
    [(outcome, how)] = await fetch.answers(raw.url)
    assert failure(outcome).code is ErrorCode.CONNECT
    assert failure(outcome).retryable
    assert how.attempts == 3
    assert how.status is None


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_closed_before_an_answer(fetch: Fetcher, said: bytes) -> None:
    """No head, no picture: as if there had been no connection."""
    async with answering(said) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert failure(outcome).code is ErrorCode.CONNECT
    assert how.attempts == 3


async def test_redirects_are_followed(fetch: Fetcher, host: PictureHost) -> None:
    """Up to the limit; the record says where they led."""
    how = await same(fetch, host, "redirect/5/")
    assert how.final_url == f"{host}/{PLAIN}"
    assert host.counts()["requests"] == 6
    how = await same(fetch, host, "")
    assert how.final_url is None


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_redirects_are_counted_exactly(
    host: PictureHost, settings_of: SettingsOf, most: int
) -> None:
    """The setting is the number followed; 0 follows none."""
    async with fetching(settings_of(max_redirects=most)) as fetch:
        fine, over = await fetch(
            f"{host}/redirect/{most}/{SMALL}", f"{host}/redirect/{most + 1}/{SMALL}"
        )
    assert info(fine).image_format == "JPEG"
    assert failure(over).code is ErrorCode.TOO_MANY_REDIRECTS


async def test_redirect_loop(fetch: Fetcher) -> None:
    """Ends at the limit."""
    said = head("302 Found", Location="/again", Content_Length=0)
    async with answering(said, stays=True) as raw:
        [outcome] = await fetch(raw.url)
        assert len(raw.asked) == 6
    assert failure(outcome).code is ErrorCode.TOO_MANY_REDIRECTS


async def test_redirect_with_an_endless_body(fetch: Fetcher, host: PictureHost) -> None:
    """It is followed; the body is nobody's business."""
    said = head("302 Found", Location=f"{host}/{SMALL}", Transfer_Encoding="chunked")
    async with answering(said + b"4000\r\n" + bytes(0x4000), stays=True) as raw:
        [outcome] = await fetch(raw.url)
    assert info(outcome).image_format == "JPEG"


async def test_redirect_shows_no_password(fetch: Fetcher, host: PictureHost) -> None:
    """`final_url` is as clean as `url`."""
    said = head("302 Found", Location=f"http://u:secret@127.0.0.1:{host.port}/{SMALL}")
    async with answering(said) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert info(outcome).image_format == "JPEG"
    assert how.final_url == f"{host}/{SMALL}"


async def test_name_that_is_not_there(settings: WorkSettings) -> None:
    """Not tried again, and asked for once by fifty rows."""
    names = resolving({})
    async with fetching(settings, resolver=names) as fetch:
        answers = await fetch.answers(*[f"http://gone.example/{n}" for n in range(50)])
        answers += await fetch.answers("http://gone.example:8080/", "http://gone.example/")
    assert {failure(outcome).code for outcome, _ in answers} == {ErrorCode.DNS_NOT_FOUND}
    assert {how.attempts for _, how in answers} == {1}
    assert not failure(answers[0].outcome).retryable
    assert names.asked == ["gone.example"]


async def test_name_that_cannot_be_told_now(settings: WorkSettings) -> None:
    """`dns_temporary` may be asked again later; not by us, not now."""
    error = socket.gaierror(socket.EAI_AGAIN, "Try again")
    names = resolving({"slow.example": error})
    async with fetching(settings, resolver=names) as fetch:
        answers = await fetch.answers(*["http://slow.example/"] * 3)
    assert {failure(outcome).code for outcome, _ in answers} == {ErrorCode.DNS_TEMPORARY}
    assert failure(answers[0].outcome).retryable
    assert names.asked == ["slow.example"]
