"""Every mode a file can carry, and the RGB that comes of it, written out by hand.

The pictures are of a few pixels and prepared at their own size, so nothing is filtered. JPEG, which
is not exact, is made by hand too: one block of one colour, stored as the numbers say.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from imaging.facts import ImageInfo
from imaging.header import inspect
from imaging.options import Filter, Limits, Resize
from imaging.pixels import as_batch, prepare
from imaging.rgb import to_rgb
from tests.samples import chunk, encode, exif, png, segment
from tests.tiff_files import SHORT, plain, tiff

Rgb = tuple[int, int, int]

BLACK, GREY, WHITE = (0, 0, 0), (128, 128, 128), (255, 255, 255)
RED, GREEN, BLUE, CYAN = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255)
#: What lies behind transparency in these tests.
MATTE = (10, 200, 30)


def rgb(data: bytes, size: tuple[int, int], *, matte: Rgb = MATTE) -> list[list[Rgb]]:
    """The rows of a file's picture, scaled to its own size."""
    resize = Resize(size, filter=Filter.NEAREST, matte=matte)
    pixels = prepare(data, limits=Limits(), resize=resize)
    assert isinstance(pixels, bytes), pixels
    rows = as_batch(pixels, size)[0].transpose(1, 2, 0).tolist()
    return [[(red, green, blue) for red, green, blue in row] for row in rows]


def line(mode: str, *values: object, **options: object) -> Image.Image:
    """An image of one row, pixel by pixel."""
    image = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)  # type: ignore[arg-type]
    image.info.update(options)
    return image


def palette(*indices: int, colours: Sequence[Rgb]) -> Image.Image:
    """A row of palette indices."""
    image = line("P", *indices)
    image.putpalette([level for colour in colours for level in colour])
    return image


def array(kind: type, *values: float) -> Image.Image:
    """A row of wide greys."""
    return Image.fromarray(np.array([values], dtype=kind))


def block(*levels: int, adobe: int | None = None) -> bytes:
    """A JPEG of 8 x 8 pixels whose components have these levels, and the Adobe marker if told.

    Each component is one DC coefficient, of eight times the level above 128: four bits say how
    many bits of it follow, then a 0 ends the block.
    """
    count = len(levels)
    numbers = range(1, count + 1)
    bits = ""
    for level in levels:
        value = 8 * (level - 128)
        size = abs(value).bit_length()
        bits += f"{size:04b}"
        bits += f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""
        bits += "0"
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    dc = bytes([0, 0, 0, 0, 12, *bytes(12), *range(12)])
    ac = bytes([0x10, 1, *bytes(15), 0])
    frame = struct.pack(">BHHB", 8, 8, 8, count) + b"".join(bytes([n, 0x11, 0]) for n in numbers)
    scan = bytes([count]) + b"".join(bytes([n, 0]) for n in numbers) + bytes([0, 63, 0])
    marker = b"" if adobe is None else segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    tables = segment(0xDB, bytes([0]) + bytes([1]) * 64) + segment(0xC4, dc) + segment(0xC4, ac)
    start = b"\xff\xd8" + marker + tables + segment(0xC0, frame) + segment(0xDA, scan)
    return start + data + b"\xff\xd9"


def extra(width: int, bits: Sequence[int], photometric: int, kind: int, raw: bytes) -> bytes:
    """A TIFF with alpha: kind 1 is multiplied in already, 2 is not."""
    return tiff(plain(width, 1, bits, photometric, {338: (SHORT, [kind])}), [raw])


# Files: what is in them, the mode Pillow knows it by, the pixels that come out.

FILES: dict[str, tuple[bytes, str | None, list[Rgb]]] = {
    "1 bit": (encode(line("1", 0, 255, 0), "PNG"), "1", [BLACK, WHITE, BLACK]),
    "1 bit, white is zero": (
        tiff(plain(3, 1, (1,), 0), [b"\x40"]),
        "1",
        [WHITE, BLACK, WHITE],
    ),
    "grey": (
        encode(line("L", 0, 1, 128, 255), "PNG"),
        "L",
        [BLACK, (1, 1, 1), GREY, WHITE],
    ),
    "grey of 2 bits": (
        png((4, 1, 2, 0, 0), b"\0\x1b"),
        "L",
        [BLACK, (85, 85, 85), (170, 170, 170), WHITE],
    ),
    "grey with a key": (
        encode(line("L", 7, 8), "PNG", transparency=7),
        "L",
        [MATTE, (8, 8, 8)],
    ),
    "grey of 16 bits": (
        encode(array(np.uint16, 0, 128, 129, 255, 257, 32_896, 65_535), "PNG"),
        "I;16",
        [BLACK, BLACK, (1, 1, 1), (1, 1, 1), (1, 1, 1), GREY, WHITE],
    ),
    "grey of 16 bits with a key": (
        png((3, 1, 16, 0, 0), b"\0\x12\x34\x12\x35\xff\xff", chunk(b"tRNS", b"\x12\x34")),
        "I;16",
        [MATTE, (18, 18, 18), WHITE],
    ),
    "grey of 16 bits, little-endian": (
        tiff(plain(3, 1, (16,)), [struct.pack("<3H", 0, 32_896, 65_535)]),
        "I;16",
        [BLACK, GREY, WHITE],
    ),
    "grey of 16 bits, big-endian": (
        tiff(plain(3, 1, (16,)), [struct.pack(">3H", 0, 32_896, 65_535)], order=">"),
        "I;16B",
        [BLACK, GREY, WHITE],
    ),
    "grey of 16 bits, white is zero": (
        tiff(plain(3, 1, (16,), 0), [struct.pack("<3H", 0, 32_639, 65_535)]),
        "I;16",
        [WHITE, GREY, BLACK],
    ),
    "grey of 32 bits": (
        encode(array(np.int32, -5, 0, 32_896, 65_535, 70_000), "TIFF"),
        "I",
        [BLACK, BLACK, GREY, WHITE, WHITE],
    ),
    "grey of floats": (
        encode(array(np.float32, -1, 0, 0.25, 0.5, 1, 9, np.nan), "TIFF"),
        "F",
        [BLACK, BLACK, (64, 64, 64), GREY, WHITE, WHITE, BLACK],
    ),
    "grey and alpha": (
        encode(line("LA", (100, 0), (100, 255), (200, 51)), "PNG"),
        "LA",
        [MATTE, (100, 100, 100), (48, 200, 64)],
    ),
    "grey and alpha of 16 bits": (
        png((2, 1, 16, 4, 0), b"\0" + bytes([100, 255, 255, 255, 200, 0, 51, 255])),
        "RGBA",
        [(100, 100, 100), (48, 200, 64)],
    ),
    "grey multiplied by alpha": (
        extra(3, (8, 8), 1, 1, bytes([0, 0, 100, 255, 40, 51])),
        "La",
        [MATTE, (100, 100, 100), (48, 200, 64)],
    ),
    "palette": (
        encode(palette(2, 0, 1, colours=[RED, GREEN, BLUE]), "PNG"),
        "P",
        [BLUE, RED, GREEN],
    ),
    "palette with a key": (
        encode(palette(2, 0, 1, colours=[RED, GREEN, BLUE]), "GIF", transparency=2),
        "P",
        [MATTE, RED, GREEN],
    ),
    "palette with alphas": (
        encode(palette(0, 1, 2, colours=[RED] * 3), "PNG", transparency=bytes([0, 255, 51])),
        "P",
        [MATTE, RED, (59, 160, 24)],
    ),
    "palette and alpha": (
        tiff(
            plain(2, 1, (8, 8), 3, {338: (SHORT, [2]), 320: (SHORT, [65_535, *[0] * 767])}),
            [bytes([0, 255, 0, 51])],
        ),
        "PA",
        [RED, (59, 160, 24)],
    ),
    "RGB": (encode(line("RGB", RED, (1, 2, 3)), "PNG"), "RGB", [RED, (1, 2, 3)]),
    "RGB with a key": (
        encode(line("RGB", (1, 2, 3), (1, 2, 4)), "PNG", transparency=(1, 2, 3)),
        "RGB",
        [MATTE, (1, 2, 4)],
    ),
    "RGB of 16 bits": (
        png((2, 1, 16, 2, 0), b"\0\x01\xff\x80\0\xff\xff" + b"\0\xff\0\0\x7f\xff"),
        "RGB",
        [(1, 128, 255), (0, 0, 127)],
    ),
    "RGB of 16 bits in TIFF": (
        tiff(plain(1, 1, (16,) * 3, 2), [struct.pack("<3H", 0x01FF, 0x8000, 0xFFFF)]),
        "RGB",
        [(1, 128, 255)],
    ),
    "RGB and alpha": (
        encode(line("RGBA", (9, 9, 9, 0), (1, 2, 3, 255), (255, 0, 0, 51)), "PNG"),
        "RGBA",
        [MATTE, (1, 2, 3), (59, 160, 24)],
    ),
    "RGB and alpha in WebP": (
        encode(line("RGBA", (0, 0, 0, 0), (1, 2, 3, 255), (255, 0, 0, 51)), "WEBP", lossless=True),
        "RGBA",
        [MATTE, (1, 2, 3), (59, 160, 24)],
    ),
    "RGB multiplied by alpha": (
        extra(3, (8,) * 4, 2, 1, bytes([0, 0, 0, 0, 1, 2, 3, 255, 51, 0, 0, 51])),
        "RGBA",
        [MATTE, (1, 2, 3), (59, 160, 24)],
    ),
    "RGB and a byte of nothing": (
        extra(2, (8,) * 4, 2, 0, bytes([1, 2, 3, 0, 4, 5, 6, 255])),
        "RGB",
        [(1, 2, 3), (4, 5, 6)],
    ),
    "CMYK": (
        encode(line("CMYK", (0,) * 4, (255, 0, 0, 0), (0, 0, 0, 255), (100, 50, 0, 55)), "TIFF"),
        "CMYK",
        [WHITE, CYAN, BLACK, (122, 161, 200)],
    ),
    "YCbCr": (
        encode(line("YCbCr", (0, 128, 128), (255, 128, 128), (76, 85, 255)), "TIFF"),
        "YCbCr",
        [BLACK, WHITE, (254, 0, 0)],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_mode_in_a_file(name: str) -> None:
    """Facts name the mode, and every pixel is as written."""
    data, mode, expected = FILES[name]
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo)
    assert info.image_mode == mode
    assert rgb(data, (len(expected), 1)) == [expected]


# JPEG

BLOCKS: dict[str, tuple[bytes, Rgb]] = {
    "grey": (block(100), (100, 100, 100)),
    "YCbCr": (block(76, 85, 255), (254, 0, 0)),
    "RGB, by Adobe's marker": (block(250, 20, 90, adobe=0), (250, 20, 90)),
    # Adobe stores what is left of the light: 255 is no ink.
    "CMYK, no ink": (block(255, 255, 255, 255, adobe=0), WHITE),
    "CMYK, cyan": (block(0, 255, 255, 255, adobe=0), CYAN),
    "CMYK, all inks": (block(155, 205, 255, 200, adobe=0), (122, 161, 200)),
    "CMYK, only black": (block(255, 255, 255, 0, adobe=0), BLACK),
    # So do all that write no marker, as far as browsers are concerned.
    "CMYK, no marker": (block(155, 205, 255, 200), (122, 161, 200)),
    # The inks themselves, taken for RGB, as YCbCr: red is cyan.
    "YCCK, no ink": (block(0, 128, 128, 255, adobe=2), WHITE),
    "YCCK, cyan": (block(76, 85, 255, 255, adobe=2), (1, 255, 255)),
    "YCCK, grey ink": (block(55, 128, 128, 200, adobe=2), (157, 157, 157)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_mode_in_a_jpeg(name: str) -> None:
    """One block of one colour."""
    data, expected = BLOCKS[name]
    assert rgb(data, (8, 8)) == [[expected] * 8] * 8


def test_cmyk_that_pillow_writes_is_adobes() -> None:
    """With the marker and inverted: inks come out as they went in."""
    data = encode(Image.new("CMYK", (16, 16), (100, 50, 0, 55)), "JPEG", quality=100)
    assert b"Adobe" in data
    assert rgb(data, (16, 16)) == [[(122, 161, 200)] * 16] * 16


# Modes that no file of ours carries, and what goes through tables of its own


def test_hue_saturation_and_value() -> None:
    """A third of the circle is green, two thirds blue."""
    image = line("HSV", (0, 255, 255), (85, 255, 255), (170, 255, 255), (9, 0, 128), (9, 9, 0))
    assert list_of(to_rgb(image)) == [RED, GREEN, BLUE, GREY, BLACK]


def test_multiplied_alpha() -> None:
    """Of greys and of colours."""
    grey = line("La", (0, 0), (100, 255), (40, 51))
    assert list_of(to_rgb(grey, matte=MATTE)) == [MATTE, (100, 100, 100), (48, 200, 64)]
    colour = line("RGBa", (0, 0, 0, 0), (1, 2, 3, 255), (51, 0, 0, 51))
    assert list_of(to_rgb(colour, matte=MATTE)) == [MATTE, (1, 2, 3), (59, 160, 24)]


def test_cielab() -> None:
    """Lightness, signed a* and b* under D50, as the definitions of CIELAB and sRGB have it.

    LittleCMS calculates in tables: a level more or less.
    """
    lab = ((255, 0, 0), (0, 0, 0), (136, 0, 0), (138, 60, 40), (120, -40, 30), (200, 5, 60))
    expected = [WHITE, BLACK, (127, 127, 127), (227, 73, 65), (35, 128, 57), (226, 189, 76)]
    raw = struct.pack("Bbb" * len(lab), *(level for colour in lab for level in colour))
    (row,) = rgb(tiff(plain(len(lab), 1, (8,) * 3, 8), [raw]), (len(lab), 1))
    assert np.abs(np.array(row) - expected).max() <= 1


def list_of(image: Image.Image) -> list[object]:
    """The pixels of the first row."""
    return [image.getpixel((x, 0)) for x in range(image.width)]


# Transparency, turns, frames


@pytest.mark.parametrize("matte", [BLACK, WHITE, (1, 2, 3)])
def test_matte_is_the_one_asked_for(matte: Rgb) -> None:
    """What is transparent altogether is exactly the matte."""
    for image in (line("RGBA", (200, 100, 50, 0)), line("LA", (200, 0))):
        assert rgb(encode(image, "PNG"), (1, 1), matte=matte) == [[matte]]


#: Six pixels, and how they stand once each orientation is undone.
A, B, C, D, E, F = ((level, 0, 255 - level) for level in (0, 50, 100, 150, 200, 250))
TURNS: dict[int, list[list[Rgb]]] = {
    1: [[A, B, C], [D, E, F]],
    2: [[C, B, A], [F, E, D]],
    3: [[F, E, D], [C, B, A]],
    4: [[D, E, F], [A, B, C]],
    5: [[A, D], [B, E], [C, F]],
    6: [[D, A], [E, B], [F, C]],
    7: [[F, C], [E, B], [D, A]],
    8: [[C, F], [B, E], [A, D]],
}


def six() -> Image.Image:
    """The six pixels as they are stored."""
    return Image.fromarray(np.array([[A, B, C], [D, E, F]], dtype=np.uint8))


@pytest.mark.parametrize("turn", TURNS)
def test_orientation_is_undone(turn: int) -> None:
    """In every format that can tell one without loss."""
    expected = TURNS[turn]
    size = len(expected[0]), len(expected)
    for data in (
        encode(six(), "PNG", exif=exif(turn)),
        encode(six(), "WEBP", lossless=True, exif=exif(turn)),
        encode(six(), "TIFF", tiffinfo={0x0112: turn}),
    ):
        assert rgb(data, size) == expected


@pytest.mark.parametrize("turn", TURNS)
def test_orientation_of_a_scaled_jpeg_is_undone(turn: int) -> None:
    """Decoded at a quarter: blocks of a grey become pixels of it."""
    image = six().getchannel("R").resize((48, 32), Image.Resampling.NEAREST)
    expected = TURNS[turn]
    data = encode(image, "JPEG", quality=100, exif=exif(turn))
    rows = rgb(data, (len(expected[0]), len(expected)))
    assert rows == [[(red, red, red) for red, _, _ in row] for row in expected]


@pytest.mark.parametrize(
    ("fmt", "options"),
    [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})],
    ids=["gif", "apng", "webp", "tiff"],
)
def test_first_frame_is_the_picture(fmt: str, options: dict[str, bool]) -> None:
    """Of an animation, or of several pages."""
    first, *others = (Image.new("RGB", (4, 3), colour) for colour in (RED, GREEN, BLUE))
    data = encode(first, fmt, save_all=True, append_images=others, duration=40, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    assert rgb(data, (4, 3)) == [[RED] * 4] * 3


def test_first_picture_of_several_in_a_jpeg_is_the_picture() -> None:
    """As MPO has them."""
    first, second = (Image.new("L", (8, 8), level) for level in (100, 200))
    data = encode(first, "MPO", save_all=True, append_images=[second], quality=100)
    assert rgb(data, (8, 8)) == [[(100, 100, 100)] * 8] * 8
