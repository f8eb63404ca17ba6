"""Pictures that stand for others: from the tenth URL of a host on that has the same one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from imaging.facts import ImageInfo
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from workers import placeholders as module
from workers.engine import Engine, open_engine
from workers.manifest.rows import Row
from workers.options import Depth, InfoOptions
from workers.pipeline import inspect_rows
from workers.placeholders import SUSPICIOUS_URLS, Placeholders
from workers.records import Record
from workers.settings import WorkSettings

SMALL = "by-name/made-0012-grey.jpg"
JPEG = ImageInfo("JPEG", (640, 480), image_size=12_345)


def judged(
    seen: Placeholders,
    count: int,
    info: ImageInfo = JPEG,
    *,
    host: str = "a.example",
    first: int = 0,
    final_url: str | None = None,
) -> list[bool]:
    """What is said of so many URLs, one behind the other."""
    return [
        seen.suspects(b"%d" % number, host, final_url, info)
        for number in range(first, first + count)
    ]


def test_the_tenth_url_is_suspicious() -> None:
    """And all behind it; one that is seen again does not count."""
    seen = Placeholders()
    assert SUSPICIOUS_URLS == 10
    assert judged(seen, 9) == [False] * 9
    assert judged(seen, 9) == [False] * 9
    assert judged(seen, 3, first=9) == [True] * 3
    assert judged(seen, 1) == [True]  # the first of them, in another run


def test_other_pictures_are_others() -> None:
    """Of another host, size, dimension or format."""
    seen = Placeholders()
    judged(seen, 20)
    others = [
        JPEG._replace(image_size=12_346),
        JPEG._replace(image_dimension=(640, 481)),
        JPEG._replace(image_format="PNG"),
    ]
    for info in others:
        assert not any(judged(seen, 9, info))
    assert not any(judged(seen, 9, host="b.example"))
    assert all(judged(seen, 9, JPEG._replace(image_mode="L"), first=50))


@pytest.mark.parametrize(
    "info",
    [
        JPEG._replace(image_size=None),
        JPEG._replace(image_dimension=None),
        *(JPEG._replace(image_format=name) for name in ("BMP", "DIB", "TIFF", "ICO", "CUR", "PSD")),
    ],
    ids=str,
)
def test_what_says_nothing_is_not_judged(info: ImageInfo) -> None:
    """Of a bitmap the size follows from the dimension; its bytes would tell."""
    seen = Placeholders()
    assert not any(judged(seen, 30, info))
    assert len(seen) == 0
    assert judged(seen, 11, info._replace(sha256="ab")) == [False] * 9 + [True] * 2


def test_bytes_tell_where_they_are_known() -> None:
    """At full depth, whatever else agrees."""
    seen = Placeholders()
    assert not any(
        seen.suspects(b"%d" % number, "a.example", None, JPEG._replace(sha256=f"{number}"))
        for number in range(30)
    )


def test_redirects_count_for_where_they_lead() -> None:
    """Many URLs to one place; and many hosts to one host, with the same picture."""
    seen = Placeholders()
    bitmap = JPEG._replace(image_format="BMP")
    one = "http://cdn.example/none.bmp"
    assert judged(seen, 10, bitmap, final_url=one) == [False] * 9 + [True]
    found = [
        seen.suspects(
            b"%d" % number, f"h{number}.example", f"http://CDN.example:8080/{number}", JPEG
        )
        for number in range(10)
    ]
    assert found == [False] * 9 + [True]
    assert judged(seen, 1, first=99, host="cdn.example") == [True]


def test_so_many_are_remembered() -> None:
    """Those that were seen lately."""
    seen = Placeholders(most=3)
    judged(seen, 20)
    for size in range(2):
        judged(seen, 1, JPEG._replace(image_size=size))
    assert judged(seen, 1) == [True]
    for size in range(2, 5):
        judged(seen, 1, JPEG._replace(image_size=size))
        assert len(seen) == 3
    assert judged(seen, 1) == [False]
    assert module.MOST_PICTURES == 20_000


@pytest.fixture
async def engine(settings_of: Callable[..., WorkSettings]) -> AsyncIterator[Engine]:
    """Two names lead to the picture host."""
    names = resolving({name: ["127.0.0.1"] for name in ("a.example", "b.example")})
    async with open_engine(settings_of(), resolver=names) as engine:
        yield engine


async def inspect(engine: Engine, urls: list[str], depth: Depth) -> list[Record]:
    """All records of a run, in order."""

    async def rows() -> AsyncIterator[Row]:
        for index, url in enumerate(urls):
            yield Row(index, str(index), url)

    options = InfoOptions(depth=depth, ordered=True)
    async with inspect_rows(engine, rows(), options) as flow:
        return [record async for some in flow.batches(idle=5) for record in some]


@pytest.mark.parametrize("depth", list(Depth))
async def test_records_say_so(engine: Engine, picture_host: PictureHost, depth: Depth) -> None:
    """Whichever comes first, and no other host's; the same in another run."""
    urls = [f"http://a.example:{picture_host.port}/{SMALL}?n={n}" for n in range(14)]
    others = [f"http://b.example:{picture_host.port}/{SMALL}?n={n}" for n in range(9)]
    records = await inspect(engine, [*urls, *others], depth)
    flagged = [record.index for record in records if b'"suspect_placeholder":true' in record.line()]
    assert len(flagged) == 5
    assert set(flagged) < set(range(14))
    assert all(isinstance(record.outcome, ImageInfo) for record in records)
    again = await inspect(engine, urls, depth)
    assert sum(b'"suspect_placeholder":true' in record.line() for record in again) == 5


async def test_a_url_that_is_listed_often_is_one(engine: Engine, picture_host: PictureHost) -> None:
    """However often it stands in one run."""
    for _ in range(12):
        records = await inspect(engine, [f"{picture_host}/{SMALL}"] * 12, Depth.HEADER)
        assert not any(record.fetch.suspect_placeholder for record in records if record.fetch)
