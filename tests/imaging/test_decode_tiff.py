"""Decoding TIFF and ICO: right greys, whole or nothing, bombs refused before a decoder."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from imaging.decode import Decoded, decode
from imaging.examine import Examined, examine
from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import inspect
from imaging.options import Limits
from tests.imaging.test_header_icons import PICTURES, icon
from tests.samples import SAMPLES, XMP, encode, picture, png
from tests.tiff_files import LONG, SHORT, Tags, moved, plain, tiff

LIMITS = Limits(max_pixels=1_000_000)


def pixels(data: bytes) -> np.ndarray:
    result = decode(data, limits=LIMITS)
    assert isinstance(result, Decoded), result
    return np.asarray(result.image)


def code(data: bytes) -> ErrorCode:
    result = decode(data, limits=LIMITS)
    assert isinstance(result, Failure), result
    return result.code


@pytest.mark.parametrize("name", ["L", "RGB", "P", "CMYK", "1", "YCbCr", "planar", "tiled"])
def test_pixels_are_pillows(name: str) -> None:
    """What Pillow converts rightly is left to it."""
    with Image.open(io.BytesIO(SAMPLES[f"tiff-{name}"])) as image:
        assert np.array_equal(pixels(SAMPLES[f"tiff-{name}"]), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
def test_compressed_pixels_are_those_stored(compression: str) -> None:
    """Compression that loses nothing."""
    assert np.array_equal(pixels(SAMPLES[f"tiff-RGB-{compression}"]), np.asarray(picture()))


@pytest.mark.parametrize("turn", range(1, 9))
def test_picture_is_turned_once(turn: int) -> None:
    """Pillow turns it while loading; as the same tag of a JPEG would be."""
    plainly = Image.fromarray(pixels(SAMPLES[f"tiff-orientation-{turn}"]))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    if turn in undo:
        plainly = plainly.transpose(Image.Transpose(undo[turn]))
    assert np.array_equal(np.asarray(plainly), np.asarray(picture()))


def test_turn_told_by_xmp_is_done_once() -> None:
    """Pillow heeds it where there is no tag."""
    data = tiff(plain(5, 4, more={700: (1, XMP % 3)}), [bytes(range(20))])
    assert pixels(data)[:, :, 0].reshape(-1).tolist() == list(range(19, -1, -1))


def grey(bits: int, photometric: int, raw: bytes, *, count: int, order: str = "<") -> list[int]:
    data = tiff(plain(count, 1, (bits,), photometric), [raw], order=order)
    return [int(value) for value in pixels(data)[0, :, 0]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_are_scaled(order: str) -> None:
    """Divided by 257, not clipped."""
    raw = struct.pack(order + "4H", 0, 257, 32_768, 65_535)
    assert grey(16, 1, raw, count=4, order=order) == [0, 1, 128, 255]


def test_twelve_bits_are_spread() -> None:
    """4095 is white, which would be a dark grey of 16 bits."""
    assert grey(12, 1, b"\xff\xff\xff\x00\x08\x00", count=4) == [255, 255, 0, 128]


def test_white_may_be_zero() -> None:
    """Pillow turns greys of 8 bits round; ours are those of 16 bits and floats."""
    assert grey(8, 0, b"\0\xff", count=2) == [255, 0]
    assert grey(16, 0, struct.pack("<2H", 0, 65_535), count=2) == [255, 0]
    floats = plain(2, 1, (32,), 0, {339: (SHORT, [3])})
    assert pixels(tiff(floats, [struct.pack("<2f", 0, 1)]))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        *((mode, "tiff_lzw") for mode in ("L", "RGB")),
        *(("RGB", name) for name in ("tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd")),
        *(("1", name) for name in ("group3", "group4", "tiff_ccitt")),
        *((mode, "raw") for mode in ("1", "P", "RGB")),
    ],
)
@pytest.mark.parametrize("tail", [False, True])
def test_cut_strips_are_truncated(mode: str, compression: str, tail: bool) -> None:
    """Wherever the directory stands, no cut gives a picture, and each says why."""
    data = moved(encode(picture(mode, (200, 150)), "TIFF", compression=compression), tail=tail)
    assert decode(data, limits=LIMITS)
    for cut in (*range(20, len(data), max(len(data) // 15, 1)), len(data) - 1):
        if tail and cut > len(data) - 20:  # the last tag or the end of the chain, nothing else
            continue
        assert code(data[:cut]) is ErrorCode.TRUNCATED_IMAGE, cut


@pytest.mark.parametrize("name", ["ico", "ico-bmp", "ico-bmp-1", "ico-png-P"])
def test_cut_icons_are_truncated(name: str) -> None:
    """Picture or mask, nothing may lack."""
    data = SAMPLES[name]
    for cut in range(20, len(data) - 12, len(data) // 15):  # the end may be padding
        assert code(data[:cut]) is ErrorCode.TRUNCATED_IMAGE, cut


@pytest.mark.parametrize(
    ("tags", "parts", "expected"),
    [
        (plain(5, 4), [], ErrorCode.CORRUPT_IMAGE),
        (plain(5, 4, more={278: (LONG, [2])}), [bytes(10)], ErrorCode.CORRUPT_IMAGE),
        (plain(5, 4, (8,) * 3, 2, {284: (SHORT, [2])}), [bytes(20)] * 2, ErrorCode.CORRUPT_IMAGE),
        (
            plain(20, 20, more={322: (SHORT, [16]), 323: (SHORT, [16])}),
            [bytes(256)] * 3,
            ErrorCode.CORRUPT_IMAGE,
        ),
        (plain(5, 4, more={259: (SHORT, [8])}), [b"no deflate"], ErrorCode.CORRUPT_IMAGE),
        (
            plain(5, 4, more={259: (SHORT, [8]), 279: (LONG, [1 << 31])}),
            [bytes(20)],
            ErrorCode.TRUNCATED_IMAGE,
        ),
        (plain(5, 4, (64,)), [bytes(160)], ErrorCode.UNSUPPORTED_FORMAT),
        (plain(5, 4, more={259: (SHORT, [77])}), [bytes(20)], ErrorCode.UNSUPPORTED_FORMAT),
        (plain(60_000, 60_000), [bytes(20)], ErrorCode.TOO_MANY_PIXELS),
        (
            plain(20, 20, more={322: (LONG, [1 << 15]), 323: (LONG, [1 << 15])}),
            [bytes(20)],
            ErrorCode.TOO_MANY_PIXELS,
        ),
    ],
    ids=[
        *("no strips", "a strip too few", "a plane too few", "a tile too few", "no deflate"),
        *("lies about lengths", "64 bits", "unknown compression", "many pixels", "large tile"),
    ],
)
def test_what_cannot_be_the_picture_is_refused(
    tags: Tags, parts: list[bytes], expected: ErrorCode
) -> None:
    """Nothing is made up for what no strip holds; no room is made for what is not there."""
    tracemalloc.start()
    try:
        assert code(tiff(tags, parts)) is expected
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


DEFLATED = 259, (SHORT, [8])
LARGE_TILE = {322: (LONG, [30_000]), 323: (LONG, [30_000])}
MANY_FORMATS = 339, (SHORT, [1] * 65)
SMALL_TILE = {322: (SHORT, [16]), 323: (SHORT, [16])}


def hidden(data: bytes, tag: int, *, kind: int | None = None, amount: int | None = None) -> bytes:
    """A TIFF with the entry of a tag changed, so that Pillow skips it and libtiff may not."""
    at = data.index(struct.pack("<HH", tag, LONG))
    entry = bytearray(data[at : at + 12])
    if kind is not None:
        entry[2:4] = struct.pack("<H", kind)
    if amount is not None:
        entry[4:8] = struct.pack("<L", amount)
    return data[:at] + bytes(entry) + data[at + 12 :]


STRIP = zlib.compress(bytes(100))
ONE_SAMPLE, UNREAD_COLUMN = struct.pack("<HHL", 277, SHORT, 1), struct.pack("<HHL", 322, 17, 1)
TILED = tiff(plain(10, 10, more=dict([DEFLATED]) | LARGE_TILE), [STRIP])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(plain(10, 10, more=dict([MANY_FORMATS])), [bytes(100)]), None),
        (
            tiff(plain(10, 10, more={**dict([MANY_FORMATS]), 278: (LONG, [1])}), [bytes(10)]),
            ErrorCode.CORRUPT_IMAGE,
        ),
        (
            tiff(plain(20, 20, more=dict([MANY_FORMATS]) | SMALL_TILE), [bytes(256)]),
            ErrorCode.CORRUPT_IMAGE,
        ),
        (
            tiff(plain(10, 10, more=dict([MANY_FORMATS, DEFLATED]) | LARGE_TILE), [STRIP]),
            ErrorCode.TOO_MANY_PIXELS,
        ),
        (
            tiff(plain(10, 10, more={339: (SHORT, [1] * 1025), 278: (LONG, [1])}), [bytes(10)]),
            ErrorCode.UNSUPPORTED_FORMAT,
        ),
        (TILED, ErrorCode.TOO_MANY_PIXELS),
        (
            tiff(
                plain(10, 10, more={**dict([DEFLATED]), **LARGE_TILE, 273: (LONG, [400])}), [STRIP]
            ),
            ErrorCode.CORRUPT_IMAGE,
        ),
        (
            tiff(plain(10, 10, more={322: (LONG, [1000]), 323: (LONG, [900])}), [bytes(900_000)]),
            None,
        ),
        (hidden(TILED, 322, kind=1), ErrorCode.CORRUPT_IMAGE),
        (hidden(TILED, 322, kind=17), ErrorCode.CORRUPT_IMAGE),
        (hidden(TILED, 323, amount=0), ErrorCode.CORRUPT_IMAGE),
        (tiff(plain(10, 10, more=SMALL_TILE), [bytes(256)]), None),
        (
            tiff(plain(10, 10, more=SMALL_TILE), [bytes(256)]).replace(ONE_SAMPLE, UNREAD_COLUMN),
            ErrorCode.CORRUPT_IMAGE,
        ),
    ],
    ids=[
        *("many formats", "many formats, few strips", "many formats, few tiles"),
        *("many formats, large tile", "too many formats", "large tile", "strips and tiles"),
        *("tile larger than the picture", "tile of bytes", "tile of an unread type"),
        *("tile of no value", "small tile", "two tile widths"),
    ],
)
def test_what_pillow_overlooks_is_not_let_by(data: bytes, expected: ErrorCode | None) -> None:
    """Strips and tiles are judged by every tag that libtiff may go by, not by Pillow's alone."""
    result = decode(data, limits=LIMITS)
    assert (result.code if isinstance(result, Failure) else None) is expected


def test_tile_of_much_more_than_the_picture_is_refused() -> None:
    """Within the limit of pixels too."""
    sides = {322: (LONG, [4096]), 323: (LONG, [4096])}
    data = tiff(plain(10, 10, more=dict([DEFLATED]) | sides), [STRIP])
    result = decode(data, limits=Limits())
    assert isinstance(result, Failure)
    assert (result.code, "tiles of" in result.message) == (ErrorCode.CORRUPT_IMAGE, True)


def test_another_file_in_the_same_bytes_is_not_decoded() -> None:
    """Pillow reads a big-endian BigTIFF as a small one: its directory is another."""
    other = tiff(plain(100, 100), [bytes(10_000)], order=">")
    data = tiff(plain(7, 7), [bytes(49)], order=">", big=True)
    data = data.ljust(0x80000, b"\0") + other[8:]
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (100, 100)
    result = inspect(data, total=len(data))
    assert isinstance(result, ImageInfo)
    assert (result.image_dimension, result.image_mode) == ((7, 7), None)
    assert code(data) is ErrorCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("tiled", [False, True])
def test_jpegs_inside_have_their_end(tiled: bool) -> None:
    """Where a strip ends in its scan, libjpeg makes up grey; padding is no such end."""
    whole = encode(picture("L", (32, 16)), "JPEG")
    tags = plain(32, 32, more={259: (SHORT, [7]), 278: (LONG, [16])})
    if tiled:
        tags |= {322: (SHORT, [32]), 323: (SHORT, [16])}
    for padding in (b"", b"\0", bytes(500), b"\x17"):
        assert pixels(tiff(tags, [whole + padding, whole])).shape == (32, 32, 3)
    for cut in (len(whole) // 2, len(whole) - 20, len(whole) - 1):
        assert code(tiff(tags, [whole, whole[:cut], whole])) is ErrorCode.TRUNCATED_IMAGE
        assert code(tiff(tags, [whole[:cut], whole])) is ErrorCode.TRUNCATED_IMAGE
    assert pixels(tiff(tags, [whole, whole, b"no strip of the picture"])).shape == (32, 32, 3)


def test_first_page_is_decoded_and_all_are_counted() -> None:
    """A scan of several pages is its first one."""
    result = examine(SAMPLES["tiff-pages-lzw"], limits=LIMITS)
    assert isinstance(result, Examined)
    assert (result.info.frames, result.info.animated) == (3, True)
    assert np.array_equal(pixels(SAMPLES["tiff-pages-lzw"]), np.asarray(picture()))


def test_pages_that_go_round_are_decoded() -> None:
    """The first directory is its own successor."""
    data = tiff(plain(5, 4), [bytes(20)], following=8)
    result = examine(data, limits=LIMITS)
    assert isinstance(result, Examined)
    assert (result.info.frames, result.info.animated) == (1, False)


def test_icon_of_many_pixels_is_refused_before_pillow_loads_it() -> None:
    """Pillow loads icons while it opens them, so their header must tell."""
    row = b"\0" * 1251
    bomb = icon((0, 0, 32, png((10_000, 10_000, 1, 0, 0), row * 10_000)))
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        assert code(bomb) is ErrorCode.TOO_MANY_PIXELS
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_largest_icon_is_decoded() -> None:
    """As large as it is, not as its entry says."""
    assert pixels(PICTURES["ico-lies-about-sizes"]).shape[:2] == (16, 16)
    assert pixels(PICTURES["ico-largest-is-last"]).shape[:2] == (70, 90)


@pytest.mark.parametrize("name", ["cur-24", "icns", "psd-3-8-3"])
def test_cursors_and_the_like_are_not_decoded(name: str) -> None:
    """Pillow could; their code is not let near untrusted bytes."""
    assert code(PICTURES[name]) is ErrorCode.UNSUPPORTED_FORMAT
