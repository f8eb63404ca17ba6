"""Decoding within limits: guards before pixels, upright, whole or not at all."""

from __future__ import annotations

import io
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaging.decode import Decoded, Needed, decode
from imaging.facts import ErrorCode, Failure
from imaging.options import Fit, Limits, Resize
from tests.samples import SAMPLES, bmp, bmp_header, chunk, encode, exif, picture, png, segment

LIMITS = Limits(max_pixels=1_000_000)
PLAIN = SAMPLES["jpeg-RGB"]


def decoded(data: bytes, *, needed: Needed | None = None) -> Decoded:
    result = decode(data, limits=LIMITS, needed=needed)
    assert isinstance(result, Decoded), result
    return result


def within(side: int) -> Needed:
    """A long side that is all that is needed."""
    return Resize((side, side), fit=Fit.PAD).scaled


def exactly(*size: int) -> Needed:
    """A size that is needed whatever the proportions."""
    width, height = size
    return Resize((width, height)).scaled


def code(data: bytes, limits: Limits = LIMITS) -> ErrorCode:
    result = decode(data, limits=limits)
    assert isinstance(result, Failure), result
    return result.code


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_decoded_upright(name: str) -> None:
    """RGB, of the size Pillow gives after turning, no warning on the way."""
    result = decoded(SAMPLES[name])
    width, height = result.info.image_dimension or (0, 0)
    turned = (result.info.orientation or 0) >= 5
    turned = turned and not name.startswith("tiff-orientation")  # upright as Pillow tells it
    assert result.image.mode == "RGB"
    assert result.image.size == ((height, width) if turned else (width, height))
    assert result.info.orientation in range(1, 9)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_undone_as_pillow_does(turn: int) -> None:
    """Pixel for pixel what `exif_transpose` gives."""
    data = SAMPLES[f"jpeg-exif-{turn}"]
    with Image.open(io.BytesIO(data)) as image:
        expected = ImageOps.exif_transpose(image)
    assert np.array_equal(np.asarray(decoded(data).image), np.asarray(expected))


def test_orientation_hidden_from_the_walker_is_found_by_the_decoder() -> None:
    """ImageMagick writes EXIF into PNG as compressed hexadecimal text."""
    block = exif(6)
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    data = png((2, 1, 8, 0, 0), b"\0ab", chunk(b"tEXt", b"Raw profile type exif\0" + text))
    assert (decoded(data).info.orientation, decoded(data).image.size) == (6, (1, 2))


def test_random_exif_does_not_lose_the_picture() -> None:
    """Damaged metadata are ignored."""
    for name in ("jpeg-random-exif", "jpeg-exif-9"):
        assert decoded(SAMPLES[name]).info.orientation == 1


@pytest.mark.parametrize("name", ["jpeg-icc", "png-icc", "webp-icc"])
def test_profile_is_noticed(name: str) -> None:
    """An embedded ICC profile is a fact; without one it is not."""
    assert decoded(SAMPLES[name]).has_icc is True
    assert decoded(SAMPLES["jpeg-RGB"]).has_icc is False


def test_scaled_decode_never_goes_below_twice_what_is_needed() -> None:
    """Sizes are those of libjpeg's scales; other formats are not scaled."""
    large = encode(picture(size=(640, 480)), "JPEG")
    needs = {20: 80, 40: 80, 41: 160, 80: 160, 100: 320, 160: 320, 161: 640, 320: 640, 900: 640}
    for side, expected in needs.items():
        assert max(decoded(large, needed=within(side)).image.size) == expected
    assert decoded(SAMPLES["png-large"], needed=within(20)).image.size == (640, 480)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_kind_of_jpeg_is_decoded_at_a_scale(mode: str, progressive: bool) -> None:
    """And comes out in RGB."""
    large = encode(picture(mode, (640, 480)), "JPEG", progressive=progressive)
    image = decoded(large, needed=within(20)).image
    assert (image.mode, image.size) == ("RGB", (80, 60))


@pytest.mark.parametrize(
    ("turn", "size", "expected"),
    [
        (1, (160, 20), (320, 240)),
        (1, (20, 160), (640, 480)),
        (1, (20, 20), (80, 60)),
        (3, (160, 20), (320, 240)),
        (6, (20, 160), (240, 320)),
        (6, (160, 20), (480, 640)),
        (8, (20, 160), (240, 320)),
        (5, (60, 80), (120, 160)),
        (7, (61, 80), (240, 320)),
    ],
)
def test_either_axis_asks_for_its_pixels(
    turn: int, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Both count, and as they lie in the upright picture."""
    large = encode(picture(size=(640, 480)), "JPEG", exif=exif(turn))
    asked = []

    def needed(dimension: tuple[int, int]) -> tuple[int, int]:
        asked.append(dimension)
        return size

    assert decoded(large, needed=needed).image.size == expected
    assert asked == [(480, 640) if turn >= 5 else (640, 480)]


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (3, 4000), (4000, 17)])
@pytest.mark.parametrize("needed", [within(10), exactly(10, 10), exactly(1, 1)])
def test_long_thin_pictures_keep_a_pixel(size: tuple[int, int], needed: Needed) -> None:
    """An axis that has no pixels to spare is not scaled, nor is the other."""
    result = decoded(encode(picture(size=size), "JPEG"), needed=needed)
    across, down = needed(size)
    assert result.image.width >= min(2 * across, size[0])
    assert result.image.height >= min(2 * down, size[1])


@pytest.mark.parametrize(
    ("turn", "size", "box"),
    [
        (1, (126, 84), (0, 0, 125.125, 83.375)),
        (2, (126, 84), (0.875, 0, 126, 83.375)),
        (3, (126, 84), (0.875, 0.625, 126, 84)),
        (4, (126, 84), (0, 0.625, 125.125, 84)),
        (5, (84, 126), (0, 0, 83.375, 125.125)),
        (6, (84, 126), (0.625, 0, 84, 125.125)),
        (7, (84, 126), (0.625, 0.875, 84, 126)),
        (8, (84, 126), (0, 0.875, 83.375, 126)),
    ],
)
def test_box_is_what_the_picture_fills(
    turn: int, size: tuple[int, int], box: tuple[float, ...]
) -> None:
    """Scaled sides are rounded up: 1001 × 667 at an eighth, and what is too much after turning."""
    large = encode(picture(size=(1001, 667)), "JPEG", exif=exif(turn))
    result = decoded(large, needed=exactly(20, 20))
    assert (result.image.size, result.box) == (size, box)


def test_box_of_what_is_not_scaled_is_all_of_it() -> None:
    """Whether nothing was asked, nothing was to spare, or the format cannot."""
    for result in (
        decoded(SAMPLES["jpeg-exif-6"]),
        decoded(SAMPLES["jpeg-exif-6"], needed=exactly(300, 300)),
        decoded(SAMPLES["png-exif"], needed=exactly(1, 1)),
        decoded(SAMPLES["tiff-orientation-6"], needed=exactly(1, 1)),
    ):
        assert result.box == (0, 0, 43, 61)


def test_scaled_decode_looks_like_the_full_one() -> None:
    """Scaling while decoding changes no more than a filter would."""
    large = encode(picture(size=(640, 480)), "JPEG", quality=95)
    small, full = (
        np.asarray(decoded(large, needed=needed).image.resize((64, 48)), dtype=float)
        for needed in (within(64), None)
    )
    assert np.abs(small - full).mean() < 2


@pytest.mark.parametrize(
    "data",
    [
        png((60_000, 60_000, 1, 0, 0), b""),
        png((9_000, 9_000, 1, 0, 0), b"\0" * 1126 * 9_000),
        PLAIN.replace(bytes([8, 0, 43, 0, 61]), bytes([8, 0x23, 0x28, 0x23, 0x28])),
        SAMPLES["gif-P"][:6] + b"\xff\xff\xff\xff" + SAMPLES["gif-P"][10:],
        bmp(bmp_header(60_000, 60_000, 24), b""),
        SAMPLES["webp-icc"][:24] + b"\xff\x3f\0\xff\x3f\0" + SAMPLES["webp-icc"][30:],
    ],
    ids=["png", "png-small-file", "jpeg", "gif", "bmp", "webp"],
)
def test_too_many_pixels_are_refused_before_decoding(data: bytes) -> None:
    """The header tells; no memory is taken for the pixels."""
    tracemalloc.start()
    try:
        assert code(data) is ErrorCode.TOO_MANY_PIXELS
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_pixels_at_the_limit_are_decoded() -> None:
    """The bound is inclusive."""
    assert isinstance(decode(PLAIN, limits=Limits(max_pixels=61 * 43)), Decoded)
    assert code(PLAIN, Limits(max_pixels=61 * 43 - 1)) is ErrorCode.TOO_MANY_PIXELS


def test_thousands_of_scans_are_refused() -> None:
    """Each would make libjpeg visit every pixel once more."""
    start = SAMPLES["jpeg-progressive"]
    bomb = start[:-2] + segment(0xDA, b"\1\1\0\0?\0") * 4_000
    assert code(bomb) is ErrorCode.TOO_MANY_SCANS
    assert isinstance(decode(start, limits=LIMITS), Decoded)


@pytest.mark.parametrize(
    "name",  # EXIF behind the picture is lost with the end, and the turn it tells
    [name for name in SAMPLES if len(SAMPLES[name]) < 20_000 and name != "png-late-exif"],
)
def test_cut_files_never_give_partial_pixels(name: str) -> None:
    """At any cut the answer is the whole picture or a failure."""
    data = SAMPLES[name]
    whole = np.asarray(decoded(data).image)
    for cut in sorted({*range(1, len(data), max(len(data) // 23, 1)), len(data) - 3}):
        result = decode(data[:cut], limits=LIMITS)
        if isinstance(result, Decoded):
            assert np.array_equal(np.asarray(result.image), whole), cut
        else:
            assert result.code in (
                ErrorCode.TRUNCATED_IMAGE,
                ErrorCode.CORRUPT_IMAGE,
                ErrorCode.NOT_AN_IMAGE,
            )


@pytest.mark.parametrize(
    "name", ["jpeg-large", "png-large", "gif-large", "webp-large", "bmp-RGB", "tiff-large", "ico"]
)
def test_half_a_file_is_truncated(name: str) -> None:
    """Cut in its picture data, each family says so by that name."""
    data = SAMPLES[name]
    assert code(data[: len(data) // 2]) is ErrorCode.TRUNCATED_IMAGE


def test_jpeg_may_lack_its_end_marker_and_trail_other_bytes() -> None:
    """All pixels are there."""
    assert isinstance(decode(SAMPLES["jpeg-trailing-bytes"], limits=LIMITS), Decoded)


def test_damaged_picture_data_are_corrupt() -> None:
    """A PNG whose compressed data are not."""
    data = SAMPLES["png-large"]
    at = data.find(b"IDAT") + 4
    assert code(data[:at] + bytes(200) + data[at + 200 :]) is ErrorCode.CORRUPT_IMAGE


def test_failures_say_the_same_each_time() -> None:
    """No memory address in a message: two runs give the same lines."""
    data = PLAIN[:3] + segment(0xDB, b"\0short")[1:] + PLAIN[2:]
    first, second = decode(data, limits=LIMITS), decode(bytes(bytearray(data)), limits=LIMITS)
    assert isinstance(first, Failure)
    assert first == second
    assert "0x" not in first.message


def test_what_is_no_picture_never_reaches_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walker's refusal is final."""
    monkeypatch.setattr(Image, "open", None)
    assert code(b"<html>") is ErrorCode.NOT_AN_IMAGE
    assert code(b"%PDF-1.4") is ErrorCode.UNSUPPORTED_FORMAT
    assert code(b"") is ErrorCode.EMPTY_BODY


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), ErrorCode.WORKER_DIED),
        (RuntimeError("Failed to decode: Out of memory"), ErrorCode.WORKER_DIED),
        (OSError("image file is truncated (3 bytes not processed)"), ErrorCode.TRUNCATED_IMAGE),
        (Image.DecompressionBombError("too large"), ErrorCode.TOO_MANY_PIXELS),
        (OSError("Unsupported BMP compression (9)"), ErrorCode.UNSUPPORTED_FORMAT),
        (SyntaxError("broken"), ErrorCode.CORRUPT_IMAGE),
        (ValueError("odd"), ErrorCode.CORRUPT_IMAGE),
        (RecursionError(), ErrorCode.CORRUPT_IMAGE),
        (struct.error("short"), ErrorCode.CORRUPT_IMAGE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_whatever_pillow_raises_becomes_a_code(
    error: Exception, expected: ErrorCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing escapes but the caller's own timeout."""

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    assert code(PLAIN) is expected


def test_timeout_of_the_caller_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler may stop a decode; that is no property of the picture."""

    def late(*args: object, **options: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Image, "open", late)
    with pytest.raises(TimeoutError):
        decode(PLAIN, limits=LIMITS)
