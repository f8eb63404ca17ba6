"""What is said to hosts, and what is told of their answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Fetcher, fetching, info
from tests.workers.fetch.pictures import (
    PICTURE,
    SMALL,
)
from tests.workers.fetch.raw_hosts import answering, head
from workers.records import Record
from workers.settings import VERSION, WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]


async def test_headers_sent(host: PictureHost, settings_of: SettingsOf) -> None:
    """A name they can block, no compression, no cookies of theirs."""
    async with fetching(settings_of(user_agent="tester/7 (+http://t.example)")) as fetch:
        await fetch(f"{host}/{SMALL}")
    [request] = host.requests()
    headers = request["headers"]
    assert headers["user-agent"] == "tester/7 (+http://t.example)"
    assert headers["accept-encoding"] == "identity"
    assert headers["accept"] == "*/*"
    assert not {"cookie", "referer", "authorization"} & set(headers)


async def test_default_name(fetch: Fetcher, host: PictureHost) -> None:
    """Ours, with the version."""
    await fetch(f"{host}/{SMALL}")
    assert host.counts()["user_agents"] == [f"imagecensus/{VERSION}"]


async def test_cookies_are_not_kept(fetch: Fetcher) -> None:
    """Sixty large ones neither."""
    fields = "".join(f"Set-Cookie: c{n}={'x' * 4000}\r\n" for n in range(60)).encode()
    said = b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(PICTURE)
    async with answering(said + PICTURE, stays=True) as raw:
        outcomes = [(await fetch(raw.url))[0] for _ in range(2)]
        assert all(b"cookie" not in asked.lower() for asked in raw.asked)
    assert {info(outcome).image_size for outcome in outcomes} == {len(PICTURE)}


async def test_url_is_asked_for_as_written(fetch: Fetcher) -> None:
    """Escapes and odd signs may be signed: they arrive as they stand in the manifest."""
    said = head("200 OK", Content_Length=len(PICTURE)) + PICTURE
    async with answering(said) as raw:
        await fetch(f"{raw.url}/a%28b%29(c)/%7e~?x=%2f&s=a+b%20c#fragment")
        [asked] = raw.asked
    assert asked.startswith(b"GET /a%28b%29(c)/%7e~?x=%2f&s=a+b%20c HTTP/1.1\r\n")


async def test_line_breaks_in_a_path_inject_nothing(fetch: Fetcher) -> None:
    """A URL of a JSON body may hold any character."""
    said = head("200 OK", Content_Length=len(PICTURE)) + PICTURE
    async with answering(said) as raw:
        await fetch(f"{raw.url}/a\r\nX-Evil: 1\r\n\r\nGET /b", f"{raw.url}/a b\tc\0d")
        for asked in raw.asked:
            assert b"X-Evil:" not in asked.partition(b"\r\n")[2]
            assert asked.partition(b"\r\n")[0].count(b" ") == 2


async def test_what_the_answer_says_is_told(fetch: Fetcher, host: PictureHost) -> None:
    """Type, tag and date stand in the record."""
    told = host.ask(f"/{SMALL}")[0]
    [(_, how)] = await fetch.answers(f"{host}/slow/30/{SMALL}")
    assert how.content_type == told["content-type"]
    assert how.etag == told["etag"]
    assert how.last_modified == told["last-modified"]
    assert how.ms >= 29


async def test_headers_that_are_no_text_make_a_line(fetch: Fetcher) -> None:
    """Bytes of a header that are not UTF-8 end up in one line of JSON all the same."""
    said = b'HTTP/1.1 200 OK\r\nETag: "\xff\xfe"\r\nContent-Length: %d\r\n\r\n' % len(PICTURE)
    async with answering(said + PICTURE) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    record = Record(0, "0", raw.url, info(outcome), how)
    assert record.line().count(b"\n") == 1
    assert json.loads(record.line())["fetch"]["etag"]


async def test_connections_are_all_closed_at_the_end(
    settings: WorkSettings, host: PictureHost
) -> None:
    """Whatever was under way."""
    before = host.counts()["connections_open"]  # others may keep some
    async with fetching(settings) as fetch:
        await fetch(*[f"{host}/no-range/{n}" for n in range(20)], f"{host}/endless/x?1")
    await wait_until(lambda: host.counts()["connections_open"] <= before)
