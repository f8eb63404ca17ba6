"""Asking whether a picture has changed: what is sent, what is believed, what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from imaging.facts import ErrorCode, Failure, ImageInfo
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Answered, Fetcher, failure, fetching, info
from tests.workers.fetch.pictures import FAT_EXIF, PICTURE, PLAIN, ranging
from tests.workers.fetch.raw_hosts import answering, head
from workers.changes import Earlier
from workers.fetch.conditions import conditions
from workers.fetch.lanes import Body
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

#: Facts that no picture here has: whoever tells them had them from before.
SEEN = ImageInfo("PNG", (7, 5), "RGB", 1, False, 4711)
HASHED = SEEN._replace(sha256="00" * 32, frames=1, sharpness=2.5)
TAG, DATE = '"seen"', "Tue, 14 Nov 2023 22:13:20 GMT"
WHOLE = head("200 OK", Content_Length=len(PICTURE)) + PICTURE
#: Both depths, and facts that each may ask about.
DEPTHS = [(False, SEEN), (True, HASHED)]


@pytest.fixture
async def fetch_either(settings: WorkSettings) -> AsyncIterator[Callable[[bool], Fetcher]]:
    """Downloads at the depth asked for: whole bodies or not."""
    async with fetching(settings) as headers, fetching(settings, body=True) as bodies:
        yield lambda body: bodies if body else headers


def of_host(host: PictureHost, path: str, facts: ImageInfo = SEEN) -> Earlier:
    """What an earlier census would have noted of a path, but for the facts."""
    said = host.ask(path)[0]
    host.reset()
    return Earlier(facts, said.get("etag"), said.get("last-modified"))


def sent(request: bytes) -> dict[str, str]:
    """The fields of a request that make it a conditional one, or a range."""
    lines = request.decode("latin-1").split("\r\n")[1:-2]
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    wanted = ("if-none-match", "if-modified-since", "range")
    return {name: fields[name] for name in wanted if name in fields}


async def again(fetch: Fetcher, url: str, before: Earlier) -> Answered:
    """Fetch a row that an earlier census saw."""
    return await fetch.one(url, before)


def data_of(answered: Answered) -> bytes:
    """The bytes of a body, whose room is given back."""
    assert isinstance(answered.outcome, Body), answered.outcome
    answered.outcome.room.release()
    return answered.outcome.data


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
@pytest.mark.parametrize(
    "manner",
    ["", "only-tag/", "weak-tag/", "only-date/", "no-range/", "chunked/", "refuse-range/403/"],
)
async def test_unchanged_costs_one_request_and_no_byte(
    fetch_either: Callable[[bool], Fetcher],
    host: PictureHost,
    manner: str,
    body: bool,
    facts: ImageInfo,
) -> None:
    """The earlier facts again, with the validators; nothing says of what size it is."""
    path = f"/{manner}{PLAIN}"
    before = of_host(host, path, facts)
    outcome, how = await again(fetch_either(body), f"{host}{path}", before)
    assert outcome == facts
    assert (how.status, how.bytes, how.requests, how.attempts) == (304, 0, 1, 1)
    assert (how.etag, how.last_modified) == before[1:3]
    assert how.size_source is None
    counts = host.counts()
    assert (counts["requests"], counts["bytes"]) == (1, 0)
    assert counts["statuses"] == {"304": 1}
    assert counts["ranges"] == (0 if body else 1)


async def test_what_is_sent(fetch_either: Callable[[bool], Fetcher]) -> None:
    """The validators as they came, with the first range, or with none for a whole body."""
    unmodified = head("304 Not Modified", Connection="close")
    both = {"if-none-match": TAG, "if-modified-since": DATE}
    async with answering(unmodified) as raw:
        for body, facts in DEPTHS:
            await again(fetch_either(body), raw.url, Earlier(facts, TAG, DATE))
        await again(fetch_either(False), raw.url, Earlier(SEEN, None, DATE))
        await again(fetch_either(False), raw.url, Earlier(SEEN, f"W/{TAG}", None))
        assert [sent(request) for request in raw.asked] == [
            both | {"range": "bytes=0-16383"},
            both,
            {"if-modified-since": DATE, "range": "bytes=0-16383"},
            {"if-none-match": f"W/{TAG}", "range": "bytes=0-16383"},
        ]


@pytest.mark.parametrize(
    ("tag", "date"),
    [
        ("*", None),
        ("seen", None),
        ('"a", "b"', None),
        ('"a"\r\nX: y', None),
        ('"ü"', None),
        ('"' + "x" * 600 + '"', None),
        (None, "\r\nX: y"),
        (None, "x" * 65),
        (None, ""),
        (None, None),
    ],
)
async def test_what_is_no_validator_is_not_sent(
    fetch: Fetcher, tag: str | None, date: str | None
) -> None:
    """A result file may say anything: the picture is looked at then."""
    async with answering(ranging(PICTURE)) as raw:
        outcome, how = await again(fetch, raw.url, Earlier(SEEN, tag, date))
        assert [sent(request) for request in raw.asked] == [{"range": "bytes=0-16383"}]
    assert info(outcome).image_size == len(PICTURE)
    assert how.status == 206


async def test_empty_and_spaced_tags_are_validators() -> None:
    """As hosts send them."""
    for tag in ('""', '"a b"', 'W/"1-2=="'):
        assert conditions(Earlier(SEEN, tag, None)) == {"If-None-Match": tag}


async def test_row_that_failed_is_asked_for_as_ever(fetch: Fetcher, host: PictureHost) -> None:
    """So is one that opted out, and at full depth one that was never hashed."""
    gone = Failure(ErrorCode.HTTP_STATUS, "404", 404)
    for before in (
        of_host(host, f"/{PLAIN}")._replace(outcome=gone),
        of_host(host, f"/{PLAIN}")._replace(opt_out="X-Robots-Tag: noai"),
    ):
        outcome, how = await again(fetch, f"{host}/{PLAIN}", before)
        assert info(outcome).image_dimension != SEEN.image_dimension
        assert how.status == 206
    assert conditions(Earlier(SEEN, TAG, DATE), whole=True) == {}
    assert conditions(Earlier(SEEN, TAG, DATE)) != {}


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_changed_picture_is_looked_at(
    fetch_either: Callable[[bool], Fetcher], host: PictureHost, body: bool, facts: ImageInfo
) -> None:
    """With the same request: nothing more is asked than in a census of its own."""
    before = of_host(host, "/x/1", facts)
    host.change("/x/1")
    answered = await again(fetch_either(body), f"{host}/x/1", before)
    assert host.counts()["requests"] == answered.fetch.requests == 1
    data = host.body("/x/1")
    if body:
        assert data_of(answered) == data
    else:
        assert info(answered.outcome).image_size == len(data)
    assert answered.fetch.status == (200 if body else 206)
    assert answered.fetch.etag not in (None, before.etag)


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_host_that_ignores_conditions(
    fetch_either: Callable[[bool], Fetcher], host: PictureHost, body: bool, facts: ImageInfo
) -> None:
    """It answers as to anybody."""
    path = f"/no-conditions/{PLAIN}"
    before = of_host(host, path, facts)
    answered = await again(fetch_either(body), f"{host}{path}", before)
    if body:
        assert data_of(answered) == host.body(path)
    else:
        assert info(answered.outcome) != SEEN
    assert answered.fetch.requests == 1


async def test_further_ranges_have_no_conditions(fetch: Fetcher, host: PictureHost) -> None:
    """They are of the file that the first one found."""
    before = of_host(host, f"/no-conditions/{FAT_EXIF}")
    outcome, _ = await again(fetch, f"{host}/no-conditions/{FAT_EXIF}", before)
    assert info(outcome).image_format == "JPEG"
    first, *further = [request["headers"] for request in host.requests()]
    assert "if-none-match" in first
    assert further
    for fields in further:
        assert "if-range" in fields
        assert not {"if-none-match", "if-modified-since"} & fields.keys()


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_304_that_nobody_asked_for_stays_a_failure(
    fetch_either: Callable[[bool], Fetcher], body: bool, facts: ImageInfo
) -> None:
    """Without validators there was no condition."""
    async with answering(head("304 Not Modified", Connection="close")) as raw:
        outcome, how = await again(fetch_either(body), raw.url, Earlier(facts, None, None))
        assert failure(outcome).http_status == 304
        assert how.requests == len(raw.asked) == 1


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_304_repeats_what_it_likes(
    fetch_either: Callable[[bool], Fetcher], body: bool, facts: ImageInfo
) -> None:
    """What it does not repeat is kept from before."""
    async with answering(
        head("304 Not Modified", ETag='"now"', Connection="close"),
        head("304 Not Modified", Last_Modified="today", Connection="close"),
    ) as raw:
        fetch = fetch_either(body)
        first = await again(fetch, raw.url, Earlier(facts, TAG, DATE))
        second = await again(fetch, raw.url, Earlier(facts, TAG, DATE))
    assert (first.fetch.etag, first.fetch.last_modified) == ('"now"', DATE)
    assert (second.fetch.etag, second.fetch.last_modified) == (TAG, "today")
    assert first.outcome == second.outcome == facts


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_failed_condition_is_asked_without(
    fetch_either: Callable[[bool], Fetcher], body: bool, facts: ImageInfo
) -> None:
    """412 is for the condition, not for the picture."""
    refused = head("412 Precondition Failed", Content_Length=3, Connection="close") + b"no\n"
    async with answering(refused, WHOLE) as raw:
        answered = await again(fetch_either(body), raw.url, Earlier(facts, TAG, DATE))
        assert sent(raw.asked[1]) == {}
    if body:
        assert data_of(answered) == PICTURE
    else:
        assert info(answered.outcome).image_size == len(PICTURE)
    assert (answered.fetch.requests, answered.fetch.attempts) == (2, 1)


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "401 Unauthorized"])
async def test_picture_that_went_costs_one_request(fetch: Fetcher, status: str) -> None:
    """An answer is an answer."""
    async with answering(head(status, Content_Length=0, Connection="close")) as raw:
        outcome, how = await again(fetch, raw.url, Earlier(SEEN, TAG, DATE))
    assert failure(outcome).http_status == int(status.split()[0])
    assert how.requests == 1


@pytest.mark.parametrize("away", [False, True])
async def test_conditions_go_along_with_redirects(
    fetch: Fetcher, host: PictureHost, away: bool
) -> None:
    """Also to another host: they are of what stands at the end."""
    path = f"/{PLAIN}"
    found = of_host(host, path)
    url = f"{host}/redirect/1{path}"
    if away:
        url = f"{host}/redirect-to?url=http://localhost:{host.port}{path}"
    first = await again(fetch, url, Earlier(SEEN, None, None))
    before = found._replace(final_url=first.fetch.final_url)
    host.reset()
    outcome, how = await again(fetch, url, before)
    assert outcome == SEEN
    assert (how.status, how.final_url) == (304, before.final_url)
    assert how.bytes == len(b"302 Found\n")
    assert ["if-none-match" in request["headers"] for request in host.requests()] == [True, True]


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_date_says_nothing_of_another_place(
    fetch_either: Callable[[bool], Fetcher], host: PictureHost, body: bool, facts: ImageInfo
) -> None:
    """A placeholder that is older than the picture was is not it. The same place may say so."""
    there = f"/only-date/{PLAIN}"
    url = f"{host}/redirect/1{there}"
    before = of_host(host, there, facts)
    answered = await again(fetch_either(body), url, before)
    if body:
        assert data_of(answered) == host.body(there)
    else:
        assert info(answered.outcome) != SEEN
    assert answered.fetch.status == 200
    known = before._replace(final_url=f"{host}{there}")
    assert (await again(fetch_either(body), url, known)).fetch.status == 304


async def test_tag_says_it_of_any_place(fetch: Fetcher, host: PictureHost) -> None:
    """The same tag, repeated by the host that a URL is led to by now."""
    before = of_host(host, f"/{PLAIN}")
    outcome, how = await again(fetch, f"{host}/redirect/1/{PLAIN}", before)
    assert outcome == SEEN
    assert how.status == 304
    silent = head("304 Not Modified", Connection="close")
    async with answering(silent, WHOLE) as raw:
        url = f"{host}/redirect-to?url={raw.url}/"
        outcome, how = await again(fetch, url, before)
        assert info(outcome).image_size == len(PICTURE)


@pytest.mark.parametrize(("body", "facts"), DEPTHS)
async def test_retries_keep_the_conditions(
    fetch_either: Callable[[bool], Fetcher], host: PictureHost, body: bool, facts: ImageInfo
) -> None:
    """A host that is busy, and then has nothing new."""
    before = of_host(host, f"/{PLAIN}", facts)
    outcome, how = await again(fetch_either(body), f"{host}/flaky/2/{PLAIN}", before)
    assert outcome == facts
    assert (how.attempts, how.requests, how.status) == (3, 3, 304)
    assert all("if-none-match" in request["headers"] for request in host.requests())


async def test_body_of_unknown_length_that_grows_is_asked_for_without(
    settings_of: Callable[..., WorkSettings],
) -> None:
    """A second reading, once there is room, has no condition: the first was answered."""
    data = PICTURE + bytes(600_000)
    long = head("200 OK", Connection="close") + data
    settings = settings_of(max_image_bytes="1MiB", max_inflight_bytes="1MiB")
    async with answering(long) as raw, fetching(settings, body=True) as fetch:
        held = fetch.downloads._budget.take(700_000)
        assert held is not None
        task = asyncio.create_task(again(fetch, raw.url, Earlier(HASHED, TAG, None)))
        await wait_until(lambda: len(raw.asked) == 2)
        held.release()
        assert data_of(await task) == data
        assert [sent(request) for request in raw.asked] == [{"if-none-match": TAG}, {}]


def test_requests_of_rows_never_seen_have_none() -> None:
    """No earlier census, no condition."""
    assert conditions(None) == {}
    assert conditions(None, whole=True) == {}
