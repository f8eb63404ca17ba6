"""JPEG 2000: files Pillow writes, and boxes it does not."""

from __future__ import annotations

import io
import random
import struct
import warnings

import pytest
from PIL import Image

from imaging.decode import decode
from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import inspect
from imaging.options import Limits
from tests.imaging.serving import agreeing, served
from tests.samples import encode, picture

FILES = {
    f"{mode}{'-bare' * bare}": encode(picture(mode), "JPEG2000", no_jp2=bare)
    for mode in ("L", "LA", "RGB", "RGBA", "I;16", "CMYK")
    for bare in (False, True)
}
MAGIC = b"\0\0\0\x0cjP  \r\n\x87\n"


def told_by_pillow(data: bytes) -> ImageInfo:
    with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as image:
        return ImageInfo(str(image.format), image.size, image.mode, 1, False, len(data))


def box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), name) + payload


def jp2(components: int, bits: int, *boxes: bytes, brand: bytes = b"jp2 ") -> bytes:
    ihdr = box(b"ihdr", struct.pack(">IIHBBBB", 43, 61, components, bits, 7, 0, 0))
    ftyp = box(b"ftyp", brand + bytes(4) + brand)
    return MAGIC + ftyp + box(b"jp2h", ihdr + b"".join(boxes)) + box(b"jp2c", bytes(9))


def colour(space: int) -> bytes:
    return box(b"colr", b"\1\0\0" + struct.pack(">I", space))


PALETTE = box(b"pclr", struct.pack(">HB", 4, 3) + b"\7\7\7" + bytes(range(12)))
WIDE = box(b"pclr", struct.pack(">HB", 4, 3) + b"\x0f\7\7" + bytes(range(16)))


def test_codestream_cut_behind_what_is_read() -> None:
    """The depth of a component tells the mode of a single one only."""
    data = FILES["RGB-bare"][:42]
    assert inspect(data, total=len(data)) == told_by_pillow(data)


@pytest.mark.parametrize("name", FILES)
def test_files_are_told_as_pillow_tells_them(name: str) -> None:
    """Whole, and from any head."""
    data = FILES[name]
    pillow = told_by_pillow(data)
    assert inspect(data, total=len(data)) == pillow
    for first in (1, 12, 40, 64, 100):
        info = served(data, first)
        assert isinstance(info, ImageInfo)
        assert info.image_dimension == pillow.image_dimension
        assert agreeing(info, pillow)


@pytest.mark.parametrize(
    "data",
    [
        jp2(1, 7, PALETTE),
        jp2(2, 7, PALETTE),
        jp2(3, 7, PALETTE),
        jp2(1, 7, WIDE),
        jp2(1, 7, colour(17), PALETTE),
        jp2(1, 7, colour(16), PALETTE),
        jp2(1, 7, PALETTE, colour(17)),
        jp2(1, 8),
        jp2(1, 9),
        jp2(4, 7, colour(12)),
        jp2(4, 7, colour(16)),
        jp2(3, 7, brand=b"jpx "),
    ],
    ids=range(12),
)
def test_mode_follows_the_header_boxes(data: bytes) -> None:
    """Palettes, colour spaces and depths count as Pillow counts them."""
    assert inspect(data, total=len(data)) == told_by_pillow(data)


def test_profile_longer_than_the_head_leaves_the_mode_open() -> None:
    """What could change it stands behind; the size is told at once."""
    data = jp2(1, 7, box(b"colr", b"\2\0\0" + bytes(90_000)), PALETTE)
    head = inspect(data[:4096], total=len(data))
    assert isinstance(head, ImageInfo)
    assert (head.image_dimension, head.image_mode) == ((61, 43), None)
    colours = inspect(jp2(3, 7, box(b"colr", b"\2\0\0" + bytes(90_000)))[:4096])
    assert isinstance(colours, ImageInfo)
    assert colours.image_mode == "RGB"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (jp2(5, 7), None),
        (MAGIC + box(b"ftyp", b"mjp2\0\0\0\0mjp2") + box(b"moov", b""), ErrorCode.NOT_AN_IMAGE),
        (MAGIC + box(b"ftyp", b"jp2 \0\0\0\0jp2 "), ErrorCode.TRUNCATED_IMAGE),
        (MAGIC + box(b"jp2c", b"\xff\x4f\xff\x51"), ErrorCode.CORRUPT_IMAGE),
        (MAGIC + box(b"jp2h", box(b"colr", bytes(7))), ErrorCode.CORRUPT_IMAGE),
        (MAGIC + box(b"jp2h", box(b"ihdr", bytes(14))), ErrorCode.CORRUPT_IMAGE),
        (b"\xff\x4f\xff\x51" + bytes(50), ErrorCode.CORRUPT_IMAGE),
        (FILES["RGB-bare"][:20], ErrorCode.TRUNCATED_IMAGE),
    ],
    ids=range(8),
)
def test_odd_files(data: bytes, code: ErrorCode | None) -> None:
    """A film, parts missing, no size, five components."""
    answer = inspect(data, total=len(data))
    if code is None:
        assert isinstance(answer, ImageInfo)
        assert (answer.image_dimension, answer.image_mode) == ((61, 43), None)
    else:
        assert isinstance(answer, Failure)
        assert answer.code is code


def test_pixels_are_not_decoded() -> None:
    """Header facts only."""
    answer = decode(FILES["RGB"], limits=Limits())
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.UNSUPPORTED_FORMAT


def test_mutants_that_pillow_opens_are_never_told_otherwise() -> None:
    """Damaged heads: where Pillow still opens one, every fact is Pillow's or None."""
    chance = random.Random(1)
    pool = list(FILES.values())
    opened = 0
    for _ in range(800):
        damaged = bytearray(chance.choice(pool))
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(110)] = chance.choice((chance.randrange(256), 0, 1, 255))
        data = bytes(damaged)
        answer = inspect(data, total=len(data))
        assert type(served(data, 64, least=4096)) is type(answer)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pillow = told_by_pillow(data)
        except Exception:  # noqa: S112 - whatever Pillow raises
            continue
        opened += 1
        assert isinstance(answer, ImageInfo), (pillow, answer)
        assert agreeing(answer, pillow)
    assert opened > 200
