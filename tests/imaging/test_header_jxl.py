"""JPEG XL: headers written bit by bit, in and out of a container."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.decode import decode
from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, count_frames, inspect
from imaging.options import Limits
from tests.imaging.serving import served

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
#: What libjxl wrote for a grey picture of 16 x 8 pixels: the first bytes of its codestream.
REAL = bytes.fromhex("ff0ac14152dc080013080100c000671328010050")

Bits = list[tuple[int, int]]  # values, and in how many bits


def codestream(*bits: tuple[int, int]) -> bytes:
    """The magic and bits, low ones first, with bytes of picture data behind."""
    value = at = 0
    for number, count in bits:
        value |= number << at
        at += count
    return b"\xff\x0a" + value.to_bytes(at // 8 + 1, "little") + b"\x55" * 60


def side(pixels: int) -> Bits:
    """A side in the fewest bits that hold it."""
    selector = next(n for n, bits in enumerate((9, 13, 18, 30)) if pixels <= 1 << bits)
    return [(selector, 2), (pixels - 1, (9, 13, 18, 30)[selector])]


def size(width: int, height: int) -> Bits:
    return [(0, 1), *side(height), (0, 3), *side(width)]


PLAIN: Bits = [(1, 1)]  # metadata all by default


def turned(orientation: int, *, animated: int = 0, shown: Bits = [], preview: Bits = []) -> Bits:  # noqa: B006
    """Metadata with extra fields."""
    return [
        (0, 1),
        (1, 1),
        (orientation - 1, 3),
        (bool(shown), 1),
        *shown,
        (bool(preview), 1),
        *preview,
        (animated, 1),
    ]


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


def box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), name) + payload


@given(st.integers(1, 1 << 30), st.integers(1, 1 << 30))
def test_any_size_is_read(width: int, height: int) -> None:
    """Of each width of number."""
    info = told(codestream(*size(width, height), *PLAIN))
    assert info[:5] == ("JXL", (width, height), None, 1, False)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1, 120), (2, 144), (3, 160), (4, 180), (5, 213), (6, 150), (7, 240)],
)
def test_width_may_follow_from_a_ratio(ratio: int, expected: int) -> None:
    """Seven of them, rounded down; in eights or not."""
    plain = codestream((0, 1), *side(120), (ratio, 3), *PLAIN)
    eights = codestream((1, 1), (14, 5), (ratio, 3), *PLAIN)
    assert told(plain).image_dimension == told(eights).image_dimension == (expected, 120)


def test_small_sizes_in_eights() -> None:
    """Both sides."""
    assert told(codestream((1, 1), (3, 5), (0, 3), (31, 5), *PLAIN)).image_dimension == (256, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_animation_are_told_beside_the_size_as_stored(orientation: int) -> None:
    """Also behind the size to show it at and that of a preview."""
    small: Bits = [(0, 1), (1, 2), (100, 8), (0, 3), (3, 2), (7, 12)]
    for animated in (0, 1):
        for more in ({}, {"shown": size(9, 9)}, {"preview": small}):
            metadata = turned(orientation, animated=animated, **more)
            info = told(codestream(*size(61, 43), *metadata))
            assert info[1:5] == ((61, 43), None, orientation, animated == 1)


def test_metadata_without_extra_fields() -> None:
    """Not all by default, and still upright and still."""
    assert told(codestream(*size(5, 7), (0, 1), (0, 1)))[1:5] == ((5, 7), None, 1, False)


def test_what_libjxl_wrote() -> None:
    """A real head."""
    assert told(REAL + bytes(40)).image_dimension == (16, 8)


def test_codestream_in_boxes() -> None:
    """Whole, in parts however small, and behind metadata of any length."""
    stream = codestream(*size(6000, 4000), *turned(6))
    parts = box(b"jxlp", b"\0\0\0\0") + b"".join(
        box(b"jxlp", struct.pack(">I", n + 1) + stream[n : n + 1]) for n in range(len(stream))
    )
    for boxes in (
        box(b"jxlc", stream),
        box(b"Exif", bytes(100_000)) + box(b"jxlc", stream),
        b"\0\0\0\0jxlc" + stream,
        parts,
    ):
        data = CONTAINER + boxes
        assert told(data)[:4] == ("JXL", (6000, 4000), None, 6)
        for first in (1, 12, 33, 60, 500):
            assert served(data, first, least=4096) == told(data)


def test_cut_and_empty_files() -> None:
    """Truncated where more could tell, corrupt where not."""
    stream = codestream(*size(6000, 4000), *turned(6))
    for data, code in (
        (stream[:4], ErrorCode.TRUNCATED_IMAGE),
        (CONTAINER, ErrorCode.TRUNCATED_IMAGE),
        (CONTAINER + box(b"jxlc", stream)[:20], ErrorCode.TRUNCATED_IMAGE),
        (CONTAINER + box(b"jxlp", bytes(4)) + box(b"xml ", bytes(9)), ErrorCode.TRUNCATED_IMAGE),
        (CONTAINER + box(b"jxlc", b"no codestream"), ErrorCode.CORRUPT_IMAGE),
    ):
        answer = inspect(data, total=len(data))
        assert isinstance(answer, Failure)
        assert answer.code is code
    assert isinstance(inspect(stream[:4]), Need)


@pytest.mark.parametrize("name", [b"jxlp", b"free"])
def test_crumbs_of_boxes_are_not_all_looked_at(name: bytes) -> None:
    """The event loop waits for it; writers put a handful of boxes before the picture."""
    few, many = (CONTAINER + box(name, bytes(4)) * count for count in (200, 300))
    stream = box(b"jxlc", codestream(*size(6, 4), *PLAIN))
    assert told(few + stream).image_dimension == (6, 4)
    answer = inspect(many + stream, total=len(many + stream))
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.CORRUPT_IMAGE


def test_pixels_are_not_decoded() -> None:
    """Header facts only."""
    answer = decode(codestream(*size(5, 5), *PLAIN), limits=Limits())
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.UNSUPPORTED_FORMAT
    assert count_frames(codestream(*size(5, 5), *turned(1, animated=1))) == 1
