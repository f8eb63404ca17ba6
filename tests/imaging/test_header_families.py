"""PNG, GIF, WebP and BMP: what only they have, and their damage."""

from __future__ import annotations

import struct
import time

import pytest

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, count_frames, inspect
from tests.samples import SAMPLES, animation, bmp, bmp_header, chunk, encode, picture, png


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


def code(data: bytes) -> ErrorCode:
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure), answer
    return answer.code


def patched(data: bytes, offset: int, replacement: bytes) -> bytes:
    return data[:offset] + replacement + data[offset + len(replacement) :]


def test_png_needs_33_bytes() -> None:
    """Magic and IHDR are all that size and mode take."""
    data = SAMPLES["png-large"]
    assert inspect(data[:32]) == Need(32, 1)
    info = inspect(data[:33])
    assert isinstance(info, ImageInfo)
    assert (info.image_dimension, info.image_mode) == ((640, 480), "RGB")


def test_png_without_exif_in_its_head_may_have_it_behind() -> None:
    """EXIF may follow the picture, so a head cannot deny it."""
    data = SAMPLES["png-late-exif"]
    head = inspect(data[:60])
    assert isinstance(head, ImageInfo)
    assert head.orientation is None
    assert told(data).orientation == 6


def test_png_animation_is_told_by_its_head() -> None:
    """The control chunk stands before the picture."""
    head, still = inspect(SAMPLES["apng"][:400]), inspect(SAMPLES["png-large"][:400])
    assert isinstance(head, ImageInfo)
    assert isinstance(still, ImageInfo)
    assert (head.animated, still.animated) == (True, False)


def test_png_compressed_metadata_are_left_to_the_decoder() -> None:
    """XMP that would have to be inflated is not denied."""
    hidden = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bytes(20))
    data = png((3, 2, 8, 0, 0), b"\0abc\0abc", hidden)
    assert told(data).orientation is None


@pytest.mark.parametrize(
    "data",
    [
        patched(SAMPLES["png-RGB"], 20, b"\1"),  # the checksum no longer fits
        png((0, 5, 8, 2, 0), b""),
        png((1 << 31, 1, 8, 2, 0), b""),
        png((5, 5, 3, 2, 0), b""),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", bytes(2000)),
    ],
)
def test_png_damage_is_corrupt(data: bytes) -> None:
    """Checksum, size and kind are checked."""
    assert code(data) is ErrorCode.CORRUPT_IMAGE


def test_gif_screen_grows_to_the_first_frame() -> None:
    """Pillow's size is the screen, or the first frame where that reaches further."""
    assert told(SAMPLES["gif-beyond-screen"]).image_dimension == (61, 43)


def test_gif_animation_is_unknown_until_the_second_frame() -> None:
    """Bytes that end within the first frame deny nothing."""
    data = SAMPLES["gif-animated"]
    info = inspect(data[:1200], total=len(data))
    assert isinstance(info, ImageInfo)
    assert info.animated is None
    assert told(data).animated is True


def test_gif_without_a_picture_is_corrupt() -> None:
    """Neither an empty GIF nor one of comments only is a picture."""
    empty = b"GIF89a" + struct.pack("<HHBBB", 5, 5, 0, 0, 0)
    assert code(empty + b";") is ErrorCode.CORRUPT_IMAGE
    assert code(empty + b"!\xfe\1x\0;") is ErrorCode.CORRUPT_IMAGE
    assert code(empty + b"!\xfe\1x\0") is ErrorCode.TRUNCATED_IMAGE


def test_gif_of_tiny_blocks_is_quick() -> None:
    """Four megabytes of one-byte blocks do not hold up an event loop."""
    head = b"GIF89a" + struct.pack("<HHBBB", 5, 5, 0, 0, 0)
    for data in (head + b"!\xfe" + b"\1x" * 2_000_000, head + b"x" * 4_000_000):
        started = time.process_time()
        assert code(data) is ErrorCode.CORRUPT_IMAGE
        assert time.process_time() - started < 1.0


def test_frames_are_counted_up_to_the_limit_only() -> None:
    """A GIF of 50,000 frames counts as unknown, quickly."""
    head = b"GIF89a" + struct.pack("<HHBBB", 5, 5, 0, 0, 0)
    frame = b",\0\0\0\0\1\0\1\0\0\2\1\0\0"
    assert count_frames(head + frame * 10_000 + b";") == 10_000
    assert count_frames(head + frame * 50_000 + b";") is None


def test_webp_needs_30_bytes() -> None:
    """A head Pillow could not open tells size and mode of a lossy file."""
    data = SAMPLES["webp-large"]
    assert isinstance(inspect(data[:29]), Need)
    info = inspect(data[:30], total=len(data))
    assert info == ImageInfo("WEBP", (640, 480), "RGB", 1, False, len(data))


def test_webp_exif_behind_the_picture_is_unknown_to_a_head() -> None:
    """The flags announce EXIF that the bytes do not hold."""
    data = SAMPLES["webp-exif"]
    info = inspect(data[:300])
    assert isinstance(info, ImageInfo)
    assert info.orientation is None
    assert told(data).orientation == 6


def test_webp_of_one_frame_is_not_animated() -> None:
    """The animation flag alone does not make an animation."""
    data = SAMPLES["webp-animated"]
    second = data.find(b"ANMF", data.find(b"ANMF") + 4)
    single = patched(data[:second], 4, struct.pack("<I", second - 8))
    assert (told(single).animated, count_frames(single)) == (False, 1)
    assert (told(data).animated, count_frames(data)) == (True, 3)


@pytest.mark.parametrize(
    ("name", "offset"), [("webp-lossy", 23), ("webp-lossless", 20), ("webp-icc", 12)]
)
def test_webp_damage_is_corrupt(name: str, offset: int) -> None:
    """Each of the three first chunks has a signature to check."""
    assert code(patched(SAMPLES[name], offset, b"??")) is ErrorCode.CORRUPT_IMAGE


def test_riff_that_is_no_webp_is_no_image() -> None:
    """Sound and film come in RIFF too."""
    assert code(b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)) is ErrorCode.NOT_AN_IMAGE


def test_bmp_height_may_be_negative_and_width_not() -> None:
    """Rows from top to bottom are legal; a negative width is damage."""
    assert told(bmp(bmp_header(3, -2, 24), bytes(24))).image_dimension == (3, 2)
    assert code(bmp(bmp_header(-5, 2, 24), bytes(24))) is ErrorCode.CORRUPT_IMAGE


def test_bmp_palette_beyond_the_bytes_leaves_the_mode_unknown() -> None:
    """Grey or coloured is told by the palette."""
    data = encode(picture("L"), "BMP")
    head = inspect(data[:100], total=len(data))
    assert isinstance(head, ImageInfo)
    assert (head.image_mode, told(data).image_mode) == (None, "L")


def test_words_that_begin_like_a_bitmap_are_no_image() -> None:
    """Two letters are a weak magic."""
    assert code(b"BMW builds cars and motorcycles in Bavaria, and has for years.") is (
        ErrorCode.NOT_AN_IMAGE
    )


@pytest.mark.parametrize("fmt", ["GIF", "PNG", "WEBP"])
def test_animations_of_two_are_animated(fmt: str) -> None:
    """The shortest animation there is."""
    data = animation(fmt, count=2)
    assert (told(data).animated, count_frames(data)) == (True, 2)
