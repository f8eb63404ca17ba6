"""ICO, CUR, ICNS and PSD: which picture of several counts, and their damage."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, inspect
from tests.imaging.serving import agreeing, served
from tests.imaging.test_header_agreement import told_by_pillow
from tests.samples import SAMPLES, bmp_header, encode, picture, png

HEADER = struct.Struct("<BBBBHHLL")


def icon(
    *pictures: tuple[int, int, int, bytes], kind: int = 1, gap: int = 0, colours: int = 0
) -> bytes:
    """An ICO (kind 1) or CUR (2) of (width, height, bits, bytes) each; `gap` is before them."""
    place = 6 + HEADER.size * len(pictures) + gap
    entries = b""
    for width, height, bits, data in pictures:
        entries += HEADER.pack(width, height, colours, 0, 1, bits, len(data), place)
        place += len(data)
    bodies = b"".join(data for *_, data in pictures)
    return struct.pack("<HHH", 0, kind, len(pictures)) + entries + bytes(gap) + bodies


def dib(width: int, height: int, bits: int, *, palette: bytes = b"", compression: int = 0) -> bytes:
    """A bitmap without its file header, with a mask of as many rows."""
    row = (width * bits + 31) // 32 * 4
    mask = (width + 31) // 32 * 4
    header = bmp_header(width, height * 2, bits, compression=compression)
    return header + palette + bytes(row * height + mask * height)


def place_unsaid(data: bytes) -> bytes:
    """A cursor whose directory does not say where its picture is: right behind, then."""
    return data[:18] + bytes(4) + data[22:]


def psd(
    colours: int, bits: int, channels: int, *, version: int = 1, size: tuple[int, int] = (9, 5)
) -> bytes:
    """A PSD without layers."""
    width, height = size
    start = struct.pack(">4sH6xHLLHH", b"8BPS", version, channels, height, width, bits, colours)
    return start + bytes(12) + b"\0\0" + bytes(width * height * channels)


def icns(*blocks: tuple[bytes, int]) -> bytes:
    """An ICNS of blocks (type, bytes of payload)."""
    body = b"".join(name + struct.pack(">I", 8 + size) + bytes(size) for name, size in blocks)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


GREYS = b"".join(bytes((level, level, level, 0)) for level in range(256))
COLOURED = bytes([9, 9, 200, 0]) * 256
SMALL, LARGE = encode(picture(size=(16, 16)), "PNG"), encode(picture("P", (90, 70)), "PNG")
PICTURES = {
    "ico-largest-is-last": icon((16, 16, 32, SMALL), (48, 48, 32, LARGE)),
    "ico-lies-about-sizes": icon((200, 200, 32, SMALL), (48, 48, 32, LARGE)),
    "ico-fewest-bits": icon((32, 32, 32, SMALL), (32, 32, 8, LARGE), (32, 32, 8, SMALL)),
    "ico-256": icon((255, 255, 32, SMALL), (0, 0, 32, LARGE)),
    "ico-colours": icon((32, 32, 0, SMALL), (32, 32, 5, LARGE), colours=16),
    "ico-bitmap": icon((20, 10, 24, dib(20, 10, 24))),
    "ico-bitmap-32": icon((20, 10, 32, dib(20, 10, 32))),
    "ico-far": icon((16, 16, 32, SMALL), gap=40_000),
    "cur-32": icon((20, 10, 0, dib(20, 10, 32)), kind=2),
    "cur-32-second": icon((1, 1, 0, dib(1, 1, 32)), (20, 10, 0, dib(20, 10, 32)), kind=2),
    "cur-24": icon((20, 10, 0, dib(20, 10, 24)), kind=2),
    "cur-grey": icon((20, 10, 0, dib(20, 10, 8, palette=GREYS)), kind=2),
    "cur-palette": icon((20, 10, 0, dib(20, 10, 8, palette=COLOURED)), kind=2),
    "cur-1": icon((20, 10, 0, dib(20, 10, 1, palette=b"\0\0\0\0\xff\xff\xff\0")), kind=2),
    "cur-32-nowhere": place_unsaid(icon((20, 10, 0, dib(20, 10, 32)), kind=2)),
    "cur-far": icon((20, 10, 0, dib(20, 10, 8, palette=COLOURED)), kind=2, gap=40_000),
    "icns": encode(picture("RGBA", (64, 64)), "ICNS"),
    "icns-first-is-largest": icns((b"ic10", 0), (b"il32", 99)),
    "icns-points-before-pixels": icns((b"ic14", 9), (b"ic09", 9)),
    "icns-old": icns((b"ICN#", 256), (b"il32", 50_000), (b"l8mk", 1024)),
    **{
        f"psd-{colours}-{bits}-{channels}": psd(colours, bits, channels)
        for colours, bits, channels in (
            *((0, 1, 1), (0, 8, 1), (1, 8, 2), (2, 8, 1), (3, 8, 3), (3, 8, 4), (3, 8, 5)),
            *((4, 8, 4), (7, 8, 1), (8, 8, 1), (9, 8, 3)),
        )
    },
}


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_icons_are_told_as_pillow_tells_them(name: str) -> None:
    """Whole and by ranges; of a PSD not whether it has layers, Pillow's frames."""
    data = PICTURES[name]
    pillow = told_by_pillow(data)
    if name.startswith("psd"):
        pillow = pillow._replace(animated=None)
    assert told(data) == pillow
    for first in (4, 30, 200, 16_384):
        assert served(data, first) == pillow
        unsized = served(data, first, total=False)
        assert isinstance(unsized, ImageInfo)
        assert unsized._replace(image_size=len(data)) == pillow


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (psd(3, 16, 3), (9, 5)),
        (psd(3, 8, 2), (9, 5)),
        (psd(3, 8, 3, version=2, size=(200_000, 5)[::1]), (200_000, 5)),
        (icon((90, 70, 0, LARGE), kind=2), (90, 70)),
        (icon((20, 10, 32, dib(20, 10, 32, compression=4))), (20, 10)),
        (icns((b"ic04", 20), (b"ic05", 20)), (32, 32)),
    ],
    ids=["psd-16", "psd-few-channels", "psb", "cur-png", "ico-jpeg", "icns-argb"],
)
def test_size_is_told_of_kinds_that_pillow_does_not_open(
    data: bytes, size: tuple[int, int]
) -> None:
    """The mode is Pillow's to name, so there is none."""
    with pytest.raises((OSError, ValueError, SyntaxError)):
        Image.open(io.BytesIO(data))
    info = told(data)
    assert (info.image_dimension, info.image_mode) == (size, None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (icon(), ErrorCode.CORRUPT_IMAGE),
        (icon(kind=2) + bytes(40), ErrorCode.CORRUPT_IMAGE),
        (icon((1, 1, 32, SMALL))[:20], ErrorCode.TRUNCATED_IMAGE),
        (icon((1, 1, 32, SMALL))[:25], ErrorCode.TRUNCATED_IMAGE),
        (icon((1, 1, 32, b"\x77" * 60)), ErrorCode.CORRUPT_IMAGE),
        (icon((1, 1, 32, bmp_header(4, 1, 32))), ErrorCode.CORRUPT_IMAGE),
        (icon((1, 1, 32, bmp_header(0, 8, 32))), ErrorCode.CORRUPT_IMAGE),
        (icon((1, 1, 32, SMALL[:20] + b"\xff" + SMALL[21:])), ErrorCode.CORRUPT_IMAGE),
        (struct.pack("<HHH", 0, 1, 65535) + bytes(16 * 65535), ErrorCode.CORRUPT_IMAGE),
        (icns(), ErrorCode.CORRUPT_IMAGE),
        (icns((b"TOC ", 8), (b"info", 9)), ErrorCode.CORRUPT_IMAGE),
        (icns((b"info", 9))[:-17], ErrorCode.TRUNCATED_IMAGE),
        (b"icns\0\0\1\0info\0\0\0\0" + bytes(20), ErrorCode.CORRUPT_IMAGE),
        (b"icns\xff\xff\xff\xff" + b"info\0\0\0\x08" * 5000, ErrorCode.CORRUPT_IMAGE),
        (psd(3, 8, 3, size=(0, 5)), ErrorCode.CORRUPT_IMAGE),
        (psd(3, 8, 3, version=7), ErrorCode.CORRUPT_IMAGE),
        (psd(3, 8, 3)[:25], ErrorCode.TRUNCATED_IMAGE),
    ],
)
def test_nonsense_is_named(data: bytes, expected: ErrorCode) -> None:
    """Nothing inside, a size of nothing, too much of anything, an end too early."""
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure), answer
    assert answer.code is expected


def test_size_of_a_picture_inside_is_that_of_its_header() -> None:
    """The directory's bytes hold no more than 256; a PNG may be of any size."""
    bomb = icon((0, 0, 32, png((10_000, 10_000, 1, 0, 0), b"")))
    assert told(bomb).image_dimension == (10_000, 10_000)


def test_icon_of_the_samples_needs_few_bytes() -> None:
    """The directory, then the start of the largest picture."""
    data = SAMPLES["ico"]
    assert len(data) > 16_384
    info = served(data, 256)
    assert isinstance(info, ImageInfo)
    assert agreeing(info, told(data))


def apple_like(
    contents: tuple[bytes, ...], blocks: tuple[bytes, ...], *, more: bytes = b""
) -> bytes:
    """An ICNS of large blocks behind a table of contents that may lie."""
    table = b"".join(struct.pack(">4sI", name, 60_008) for name in contents)
    body = struct.pack(">4sI", b"TOC ", 8 + len(table)) + table
    body += b"".join(struct.pack(">4sI60000x", name, 60_008) for name in blocks) + more
    return struct.pack(">4sI", b"icns", 8 + len(body)) + body


APPLE = (b"ic12", b"ic07", b"ic13", b"ic08", b"ic04", b"ic14", b"ic09", b"ic05", b"ic11")


def rounds(data: bytes) -> tuple[int, ImageInfo | Failure]:
    """How many ranges behind the first one tell the facts, and the facts."""
    more: list[tuple[int, bytes]] = []
    while isinstance(answer := inspect(data[:16_384], total=len(data), more=more), Need):
        more.append((answer.offset, data[answer.offset : answer.offset + 16_384]))
    return len(more), answer


@pytest.mark.parametrize("more", [b"", struct.pack(">4sI292x", b"info", 300)])
def test_table_of_contents_saves_ranges(more: bytes) -> None:
    """One range sees that the largest picture is there, another what follows behind."""
    data = apple_like(APPLE, APPLE, more=more)
    asked, answer = rounds(data)
    assert asked == 1 + bool(more)
    assert answer == told(data) == told_by_pillow(data)
    assert told(data).image_dimension == (512, 512)


LARGEST = (*APPLE[:6], b"ic10", *APPLE[7:])


@pytest.mark.parametrize(
    ("contents", "blocks"),
    [
        ((b"ic10", *APPLE[1:]), APPLE),
        ((b"icp4", *APPLE[1:5]), (b"ic09", *APPLE[1:5])),
        ((*LARGEST[:6], b"ic08", *LARGEST[7:]), LARGEST),
        ((*LARGEST[:6], b"ic??", *LARGEST[7:]), LARGEST),
        ((*LARGEST[:6], b"ic14", b"ic09"), LARGEST),
        ((*LARGEST, b"icp4"), LARGEST),
        ((b"ic11", *LARGEST[1:8], b"ic12"), LARGEST),
        ((*APPLE[:8], b"ic10"), APPLE),
        ((*APPLE[:6], b"ic11", b"ic05", b"ic09"), APPLE),
    ],
    ids=[
        *("larger at once", "smaller at once", "one twice", "unknown", "fewer", "more"),
        *("swapped", "larger", "largest elsewhere"),
    ],
)
def test_table_of_contents_that_lies_is_no_fact(
    contents: tuple[bytes, ...], blocks: tuple[bytes, ...]
) -> None:
    """The blocks count, where one read is another than told, or the table cannot be true."""
    data = apple_like(contents, blocks)
    assert told(data) == told_by_pillow(data)
    assert rounds(data)[1] == told(data)
    assert served(data, 16_384) == told(data)
