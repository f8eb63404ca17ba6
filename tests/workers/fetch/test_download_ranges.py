"""Header depth by ranges: facts for as few bytes as a host will part with."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import pytest

from imaging.facts import ErrorCode
from tests import samples
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Fetcher, failure, info
from tests.workers.fetch.pictures import (
    FAT_EXIF,
    FAT_PROFILE,
    LARGE,
    PICTURE,
    ranging,
    request_range,
    same,
)
from tests.workers.fetch.raw_hosts import answering, head
from workers.fetch.ranges import RANGE_BYTES
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]


async def test_one_range_tells_everything(fetch: Fetcher, host: PictureHost) -> None:
    """One request, at most 16 KiB received."""
    assert len(host.body(f"/{LARGE}")) > 3 * RANGE_BYTES
    how = await same(fetch, host, "", LARGE)
    assert (how.status, how.attempts, how.size_source) == (206, 1, "content_range")
    assert how.bytes == RANGE_BYTES
    counts = host.counts()
    assert (counts["requests"], counts["bytes"]) == (1, RANGE_BYTES)


async def test_every_made_picture(fetch: Fetcher, host: PictureHost) -> None:
    """All families, metadata of all sizes: the facts are Pillow's, by at most four ranges."""
    names = {host.ask(f"/x/{n}")[0]["x-picture"] for n in range(300)}
    assert len(names) == 32
    for name in sorted(names):
        how = await same(fetch, host, "", f"by-name/{name}")
        assert how.status == 206
        counts = host.counts()
        assert counts["ranges"] == counts["requests"] <= 4


@pytest.mark.parametrize("picture", [FAT_EXIF, FAT_PROFILE])
async def test_fat_metadata_takes_further_ranges(
    fetch: Fetcher, host: PictureHost, picture: str
) -> None:
    """They carry If-Range with the entity tag, so that no two files are mixed."""
    how = await same(fetch, host, "", picture)
    first, *further = [request["headers"] for request in host.requests()]
    assert first["range"] == f"bytes=0-{RANGE_BYTES - 1}"
    assert "if-range" not in first
    assert 1 <= len(further) <= 3
    assert {headers["if-range"] for headers in further} == {how.etag}
    assert how.bytes == host.counts()["bytes"] <= 3 * RANGE_BYTES


async def test_at_most_three_further_ranges_and_then_the_body(fetch: Fetcher) -> None:
    """A file with metadata without end is streamed, not asked for piece by piece."""
    segments = [samples.segment(0xE2, bytes(65_000))] * 6
    data = samples.with_segments(PICTURE, *segments)
    async with answering(ranging(data)) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
        asked = [request_range(request) for request in raw.asked]
    assert info(outcome).image_dimension == samples.SIZE
    assert info(outcome).image_size == len(data)
    assert len(asked) == 5
    assert asked[-1] is None
    assert how.size_source == "content_length"


async def test_file_that_changes_meanwhile_is_read_anew(fetch: Fetcher) -> None:
    """The answer to If-Range is then the whole new file: nothing of the old one is left."""
    old = samples.with_segments(PICTURE, samples.segment(0xE2, bytes(60_000)))
    new = samples.encode(samples.picture(size=(9, 7)), "PNG")
    whole = head("200 OK", Content_Length=len(new), ETag='"new"', Connection="close") + new
    async with answering(ranging(old, ETag='"old"'), whole) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
        assert b'If-Range: "old"' in raw.asked[1]
    assert (info(outcome).image_format, info(outcome).image_size) == ("PNG", len(new))
    assert how.size_source == "content_length"


async def test_file_of_another_size_is_read_anew(fetch: Fetcher) -> None:
    """A host without validators gives it away by the total; pieces of two files never mix."""
    old = samples.with_segments(PICTURE, samples.segment(0xE2, bytes(60_000)))
    new = samples.encode(samples.picture(size=(900, 700)), "BMP")
    async with answering(ranging(old), ranging(new)) as raw:
        [outcome] = await fetch(raw.url)
        assert [request_range(request) is None for request in raw.asked] == [False, False, True]
    assert info(outcome).image_dimension == (900, 700)
    assert info(outcome).image_size == len(new)


async def test_date_is_the_validator_where_the_tag_is_weak(fetch: Fetcher) -> None:
    """If-Range takes a strong tag or a date."""
    data = samples.with_segments(PICTURE, samples.segment(0xE2, bytes(60_000)))
    date = formatdate(1_700_000_000, usegmt=True)
    async with answering(ranging(data, ETag='W/"x"', Last_Modified=date)) as raw:
        [outcome] = await fetch(raw.url)
        assert f"If-Range: {date}".encode() in raw.asked[1]
    assert info(outcome).image_size == len(data)


async def test_empty_file_is_told_by_416(fetch: Fetcher, host: PictureHost) -> None:
    """`bytes */0`: no second question."""
    [(outcome, how)] = await fetch.answers(f"{host}/empty/x")
    assert failure(outcome).code is ErrorCode.EMPTY_BODY
    assert (how.status, how.attempts) == (416, 1)
    assert host.counts()["requests"] == 1


@pytest.mark.parametrize("status", [400, 403, 416, 501])
async def test_refused_range_is_asked_once_more_without(
    fetch: Fetcher, host: PictureHost, status: int
) -> None:
    """As one attempt; the size is then Content-Length."""
    how = await same(fetch, host, f"refuse-range/{status}/")
    assert (how.status, how.attempts, how.size_source) == (200, 1, "content_length")
    assert [("range" in request["headers"]) for request in host.requests()] == [True, False]


@pytest.mark.parametrize("status", [404, 410, 401, 405])
async def test_other_statuses_are_answers(fetch: Fetcher, host: PictureHost, status: int) -> None:
    """They are not for the Range, and not asked again."""
    [(outcome, how)] = await fetch.answers(f"{host}/refuse-range/{status}/x")
    assert failure(outcome).http_status == status
    assert how.attempts == host.counts()["requests"] == 1


async def test_refused_range_and_then_an_error(fetch: Fetcher, host: PictureHost) -> None:
    """403 with and without Range is a 403."""
    [(outcome, how)] = await fetch.answers(f"{host}/status/403/x")
    assert failure(outcome).http_status == 403
    assert how.attempts == 1
    assert host.counts()["requests"] == 2


@pytest.mark.parametrize("manner", ["no-total/", "wrong-offset/"])
async def test_useless_part_is_asked_for_as_a_whole(
    fetch: Fetcher, host: PictureHost, manner: str
) -> None:
    """A part from elsewhere, or of an unknown total, is never taken for the head."""
    how = await same(fetch, host, manner)
    assert (how.status, how.attempts, how.size_source) == (200, 1, "content_length")
    assert host.counts()["requests"] == 2


async def test_part_longer_than_asked_is_cut(fetch: Fetcher) -> None:
    """A host that sends everything as one part: only what was asked for is looked at."""
    data = PICTURE + bytes(200_000)
    said = head(
        "206 Partial Content",
        Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}",
        Content_Length=len(data),
    )
    async with answering(said + data) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert info(outcome).image_size == len(data)
    assert how.bytes <= RANGE_BYTES + 256 * 1024


async def test_part_in_chunks(fetch: Fetcher) -> None:
    """A part needs no Content-Length."""
    said = head(
        "206 Partial Content",
        Content_Range=f"bytes 0-{len(PICTURE) - 1}/{len(PICTURE)}",
        Transfer_Encoding="chunked",
    )
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(PICTURE), PICTURE)
    async with answering(said + body) as raw:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert info(outcome).image_size == how.bytes == len(PICTURE)


async def test_empty_parts_end_in_the_whole_file(fetch: Fetcher) -> None:
    """A part without a byte is asked for no more often than any other."""
    part = head("206 Partial Content", Content_Range="bytes 0-99/5000", Content_Length=0)
    whole = head("200 OK", Content_Length=len(PICTURE)) + PICTURE
    async with answering(*[part] * 4, whole) as raw:
        [outcome] = await fetch(raw.url)
        assert len(raw.asked) == 5
    assert info(outcome).image_size == len(PICTURE)


async def test_more_bytes_than_the_file_has_are_not_looked_at(fetch: Fetcher) -> None:
    """What a host sends beyond the size it tells is no part of the file."""
    tiff = samples.SAMPLES["tiff-RGB"]
    said = head("206 Partial Content", Content_Length=len(tiff), Content_Range="bytes 0-8/9") + tiff
    async with answering(said) as raw:
        [(outcome, _)] = await fetch.answers(raw.url)
    assert failure(outcome).code is ErrorCode.TRUNCATED_IMAGE
