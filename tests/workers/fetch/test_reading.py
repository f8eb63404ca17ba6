"""A body that streams past the walker: the same facts as from the whole file, little kept."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest

from imaging import header
from imaging.facts import ErrorCode, Failure, ImageInfo
from tests.samples import SAMPLES, encode, picture, segment, with_segments
from workers.fetch.ranges import RANGE_BYTES, further
from workers.fetch.reading import Reading

BMP = encode(picture(size=(2000, 1500)), "BMP")


def read(data: bytes, *, total: int | None, sizes: list[int]) -> Reading:
    """Feed *data* in chunks of these sizes, again and again, until the end."""
    reading = Reading(total)
    start = 0
    turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        reading.feed(data[start : start + size])
        start += size
        turn += 1
    return reading


def by_ranges(data: bytes) -> ImageInfo | Failure:
    """What header depth tells of a file, range by range."""
    head, pieces = data[:RANGE_BYTES], list[tuple[int, bytes]]()
    while isinstance(found := header.inspect(head, total=len(data), more=pieces), header.Need):
        pieces.append((found.offset, data[found.offset : found.offset + further(found.length)]))
    return found


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("name", SAMPLES)
def test_same_facts_as_from_the_whole_file(name: str, told: bool) -> None:
    """Whatever the chunks: what ranges would have told; counted files are as good as whole ones."""
    data = SAMPLES[name]
    dice = random.Random(name)
    found = []
    for sizes in ([len(data)], [1000, 7, 20_000], [dice.randrange(1, 5000) for _ in range(9)]):
        reading = read(data, total=len(data) if told else None, sizes=sizes)
        assert reading.count == len(data)
        found.append(reading.finish())
    assert found[0] == found[1] == found[2]
    if told:
        assert found[0] == by_ranges(data)
    else:
        expected = header.inspect(data, total=len(data))
        assert getattr(found[0], "image_dimension", 0) == getattr(expected, "image_dimension", 0)
        assert getattr(found[0], "code", "") == getattr(expected, "code", "")


def test_byte_by_byte() -> None:
    """The smallest chunks there are."""
    data = SAMPLES["jpeg-RGB"]
    reading = read(data, total=len(data), sizes=[1])
    assert reading.finish() == header.inspect(data, total=len(data))


def test_facts_appear_as_soon_as_they_are_known() -> None:
    """After as many bytes as a range would have brought, not at the end of the body."""
    reading = Reading(len(BMP))
    reading.feed(BMP[:1000])
    assert reading.outcome is None
    reading.feed(BMP[1000:RANGE_BYTES])
    assert isinstance(reading.outcome, ImageInfo)
    assert reading.outcome.image_dimension == (2000, 1500)


def test_what_is_no_picture_is_told_at_once() -> None:
    """The rest need not be downloaded."""
    reading = Reading(None)
    reading.feed(b"<!doctype html>" + bytes(RANGE_BYTES))
    assert isinstance(reading.outcome, Failure)
    assert reading.outcome.code is ErrorCode.NOT_AN_IMAGE


@pytest.mark.parametrize("size", range(1, 60, 3))
def test_every_cut_of_a_header_is_told(size: int) -> None:
    """A file that ends in its header has no facts, and is not called internal."""
    data = SAMPLES["jpeg-RGB"][:size]
    found = read(data, total=None, sizes=[10]).finish()
    assert isinstance(found, Failure)
    assert found.code in (ErrorCode.TRUNCATED_IMAGE, ErrorCode.NOT_AN_IMAGE)


def test_nothing_at_all() -> None:
    """No byte is an empty body."""
    found = Reading(None).finish()
    assert found == Failure(ErrorCode.EMPTY_BODY)


def test_metadata_is_passed_over_not_kept() -> None:
    """Thirteen megabytes of it cost little memory, and hinder no fact."""
    reading = Reading(None)
    block = segment(0xE2, bytes(65_000))
    reading.feed(SAMPLES["jpeg-RGB"][:2])
    tracemalloc.start()
    try:
        for _ in range(200):
            reading.feed(block)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    reading.feed(SAMPLES["jpeg-RGB"][2:])
    assert isinstance(reading.finish(), ImageInfo)


@pytest.mark.parametrize("size", [16, 1100, 17_000], ids=lambda size: f"segments-of-{size}")
@pytest.mark.parametrize("packet", [13, 65_536], ids=lambda size: f"packets-of-{size}")
def test_more_metadata_than_is_bearable_is_told_as_such(size: int, packet: int) -> None:
    """The walker begins anew with each piece: how often, and over how much, is bounded."""
    block = segment(0xFE, bytes(size))
    data = with_segments(SAMPLES["jpeg-RGB"], *[block] * (4_000_000 // len(block)))
    reading = read(data[:3_000_000], total=None, sizes=[packet])
    assert isinstance(reading.outcome, Failure)
    assert reading.outcome.code is ErrorCode.CORRUPT_IMAGE


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> Callable[[ImageInfo | None], None]:
    """A walker that wants bytes far on and, once it has them, such as went by long ago."""

    def install(otherwise: ImageInfo | None) -> None:
        def inspect(
            head: bytes, *, total: int | None, more: list[tuple[int, bytes]]
        ) -> header.Need:
            return header.Need(*((50_000, 8) if not more else (30_000, 8)), otherwise)

        monkeypatch.setattr(header, "inspect", inspect)

    return install


@pytest.mark.parametrize("otherwise", [ImageInfo("TIFF", (3, 2)), None])
def test_what_went_by_is_done_without(
    backwards: Callable[[ImageInfo | None], None], otherwise: ImageInfo | None
) -> None:
    """A stream cannot be read backwards: what can be told without is told."""
    backwards(otherwise)
    reading = read(bytes(100_000), total=None, sizes=[10_000])
    found = reading.finish()
    if otherwise is None:
        assert isinstance(found, Failure)
        assert (found.code, reading.lost) == (ErrorCode.CORRUPT_IMAGE, True)
    else:
        assert (found, reading.lost) == (otherwise, False)


def test_some_metadata_does_not_hinder() -> None:
    """Two megabytes of it, more than any camera writes."""
    data = with_segments(SAMPLES["jpeg-RGB"], *[segment(0xE2, bytes(65_000))] * 32)
    found = read(data, total=len(data), sizes=[16_384]).finish()
    assert isinstance(found, ImageInfo), found
    assert found.image_size == len(data)
