"""Pictures brought to one size: every fit and filter, to the pixel; scaled decoding unnoticed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaging.decode import Decoded, decode
from imaging.facts import ErrorCode, Failure
from imaging.options import Filter, Fit, Limits, Resize
from imaging.pixels import as_batch, fit_image, prepare, to_pixels
from tests.samples import SAMPLES, encode, exif, picture

LIMITS = Limits()
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
SIDES = st.integers(1, 5000)
DIMENSIONS = st.tuples(SIDES, SIDES)


def prepared(data: bytes, resize: Resize) -> np.ndarray:
    """The pixels of one file, as an array (3, H, W)."""
    result = prepare(data, limits=LIMITS, resize=resize)
    assert isinstance(result, bytes), result
    (pixels,) = as_batch(result, resize.size)
    return pixels


def flag(width: int, height: int, *colours: tuple[int, int, int]) -> Image.Image:
    """Upright stripes of equal width, from left to right."""
    rows = np.repeat(np.array([colours], dtype=np.uint8), width // len(colours), axis=1)
    return Image.fromarray(np.repeat(rows, height, axis=0))


def landscape(width: int = 1001, height: int = 667) -> Image.Image:
    """Soft shapes of any colour and a little grain: much like a photograph to a filter."""
    random = np.random.default_rng(7)
    shapes = Image.fromarray(random.integers(0, 256, (18, 27, 3), dtype=np.uint8))
    soft = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC), dtype=float)
    grain = random.normal(0, 6, soft.shape)
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


# What a picture is scaled to


@given(dimension=DIMENSIONS, size=DIMENSIONS)
def test_stretched_is_the_size(dimension: tuple[int, int], size: tuple[int, int]) -> None:
    """Whatever the proportions."""
    assert Resize(size).scaled(dimension) == size


@given(dimension=DIMENSIONS, size=DIMENSIONS)
def test_padded_is_the_largest_that_fits_inside(
    dimension: tuple[int, int], size: tuple[int, int]
) -> None:
    """One side is the size's, the other that of the proportions, to half a pixel, but never 0."""
    scaled = Resize(size, fit=Fit.PAD).scaled(dimension)
    factor = min(side / own for side, own in zip(size, dimension, strict=True))
    for side, own, most in zip(scaled, dimension, size, strict=True):
        assert 1 <= side <= most
        assert side == 1 or abs(side - own * factor) <= 0.5 + 1e-9
    assert any(side == most for side, most in zip(scaled, size, strict=True))


@given(dimension=DIMENSIONS, size=DIMENSIONS)
def test_cropped_is_the_smallest_that_covers(
    dimension: tuple[int, int], size: tuple[int, int]
) -> None:
    """One side is the size's, the other that of the proportions rounded up."""
    scaled = Resize(size, fit=Fit.CROP).scaled(dimension)
    factor = max(side / own for side, own in zip(size, dimension, strict=True))
    for side, own, least in zip(scaled, dimension, size, strict=True):
        assert side >= least
        assert own * factor - 1e-9 <= side < own * factor + 1 + 1e-9
    assert any(side == least for side, least in zip(scaled, size, strict=True))


@given(
    dimension=DIMENSIONS,
    size=DIMENSIONS,
    fit=st.sampled_from(Fit),
    scale=st.sampled_from([2, 4, 8]),
)
def test_scaling_depends_on_proportions_alone(
    dimension: tuple[int, int], size: tuple[int, int], fit: Fit, scale: int
) -> None:
    """A picture decoded at an eighth of its size gets the same padding."""
    width, height = dimension
    resize = Resize(size, fit=fit)
    assert resize.scaled((width / scale, height / scale)) == resize.scaled(dimension)


def test_options_are_light() -> None:
    """The server reads them; it needs no decoder for that."""
    code = "import sys, imaging.options; sys.exit('PIL' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# What becomes of the pixels


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("name", Filter)
@pytest.mark.parametrize("dimension", [(1, 1), (1, 5000), (5000, 1), (64, 64), (300, 200)])
def test_every_filter_and_fit_gives_exactly_the_size(
    dimension: tuple[int, int], name: Filter, fit: Fit
) -> None:
    """A plain picture stays plain: nothing but the matte comes in, at any proportions."""
    resize = Resize((64, 48), fit=fit, filter=name, matte=BLUE)
    fitted = fit_image(Image.new("RGB", dimension, RED), resize)
    assert (fitted.size, fitted.mode) == ((64, 48), "RGB")
    colours = {colour for _, colour in fitted.getcolors() or []}
    same = dimension in ((1, 1), (64, 64)) and fit is not Fit.PAD
    assert RED in colours
    assert colours <= ({RED} if same or fit is not Fit.PAD else {RED, BLUE})


@given(dimension=st.tuples(st.integers(1, 90), st.integers(1, 90)), fit=st.sampled_from(Fit))
def test_any_size_comes_to_the_size(dimension: tuple[int, int], fit: Fit) -> None:
    """Enlarged or shrunk, the array is one that a batch is made of."""
    pixels = to_pixels(Image.new("RGB", dimension, GREEN), Resize((17, 9), fit=fit))
    assert (pixels.shape, pixels.dtype) == ((3, 9, 17), np.uint8)
    assert pixels.flags.c_contiguous


def test_filters_differ_and_are_pillows() -> None:
    """Each name is the filter Pillow knows by it."""
    image = picture(size=(100, 70))
    made = {name: fit_image(image, Resize((64, 64), filter=name)).tobytes() for name in Filter}
    assert len(set(made.values())) == len(Filter) == 6
    for name, pixels in made.items():
        kernel = Image.Resampling[name.upper()]
        assert pixels == image.resize((64, 64), kernel).tobytes()


def test_colours_and_places_are_kept() -> None:
    """Channels are red, green, blue; rows go down, columns to the right."""
    image = flag(300, 200, RED, GREEN, BLUE)
    image.paste(WHITE, (0, 0, 100, 100))
    pixels = to_pixels(image, Resize((3, 2), filter=Filter.BOX))
    assert pixels.tolist() == [
        [[255, 0, 0], [255, 0, 0]],
        [[255, 255, 0], [0, 255, 0]],
        [[255, 0, 255], [0, 0, 255]],
    ]


def test_padding_is_centred_on_the_matte() -> None:
    """300 × 200 in 64 × 64 is 43 rows: 10 rows of matte above, 11 below."""
    resize = Resize((64, 64), fit=Fit.PAD, matte=BLUE)
    pixels = to_pixels(Image.new("RGB", (300, 200), RED), resize)
    rows = [tuple(row) for row in pixels[:, :, 0].T.tolist()]
    assert rows == [BLUE] * 10 + [RED] * 43 + [BLUE] * 11
    assert (pixels == pixels[:, :, :1]).all()


def test_padding_of_a_tall_picture_is_beside_it() -> None:
    """100 × 200 in 64 × 64 is 32 columns between 16 and 16; white unless told otherwise."""
    pixels = to_pixels(Image.new("RGB", (100, 200), RED), Resize((64, 64), fit=Fit.PAD))
    columns = [tuple(column) for column in pixels[:, 0].T.tolist()]
    assert columns == [WHITE] * 16 + [RED] * 32 + [WHITE] * 16
    assert (pixels == pixels[:, :1]).all()


def test_crop_cuts_the_centre() -> None:
    """Of three equal stripes a square of the middle one is left, or as much as is wanted."""
    image = flag(300, 100, RED, GREEN, BLUE)
    nearest = Resize((10, 10), fit=Fit.CROP, filter=Filter.NEAREST)
    assert (to_pixels(image, nearest) == np.array(GREEN).reshape(3, 1, 1)).all()
    wider = Resize((20, 10), fit=Fit.CROP, filter=Filter.BOX)
    columns = [tuple(column) for column in to_pixels(image, wider)[:, 0].T.tolist()]
    assert columns == [RED] * 5 + [GREEN] * 10 + [BLUE] * 5
    tall = image.transpose(Image.Transpose.ROTATE_270)  # red on top
    pixels = to_pixels(tall, Resize((10, 20), fit=Fit.CROP, filter=Filter.BOX))
    rows = [tuple(row) for row in pixels[:, :, 0].T.tolist()]
    assert rows == [RED] * 5 + [GREEN] * 10 + [BLUE] * 5


def test_crop_of_half_pixels_is_what_scaling_and_cutting_gives() -> None:
    """The part is not rounded to whole pixels of the source."""
    image = landscape(201, 100)
    fitted = fit_image(image, Resize((64, 64), fit=Fit.CROP))
    part = image.resize((64, 64), Image.Resampling.BICUBIC, box=(50.5, 0, 150.5, 100))
    assert fitted.tobytes() == part.tobytes()


def test_small_picture_is_enlarged() -> None:
    """Four pixels become quarters."""
    image = Image.new("RGB", (2, 2), WHITE)
    image.putpixel((1, 0), RED)
    pixels = to_pixels(image, Resize((64, 64), filter=Filter.NEAREST))
    assert (pixels[1, :32, 32:] == 0).all()
    assert (pixels[1] == 0).sum() == 32 * 32


# The entry point


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_prepared(name: str) -> None:
    """Bytes of the one length that a batch is made of."""
    result = prepare(SAMPLES[name], limits=LIMITS, resize=Resize((64, 48), fit=Fit.CROP))
    assert isinstance(result, bytes)
    assert len(result) == 3 * 48 * 64


def test_matte_is_behind_transparency_and_around() -> None:
    """One colour for both."""
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    image.paste((255, 0, 0, 255), (20, 0, 40, 20))
    resize = Resize((4, 4), fit=Fit.PAD, filter=Filter.BOX, matte=(1, 2, 3))
    pixels = prepared(encode(image, "PNG"), resize)
    matte, red = [1, 2, 3], [255, 0, 0]
    row, around = [matte, matte, red, red], [matte] * 4
    assert pixels.transpose(1, 2, 0).tolist() == [around, row, row, around]


def test_failure_of_decoding_is_the_answer() -> None:
    """As it is, for the record."""
    result = prepare(b"<html></html>", limits=LIMITS, resize=Resize((64, 64)))
    assert isinstance(result, Failure)
    assert result.code is ErrorCode.NOT_AN_IMAGE
    small = prepare(SAMPLES["png-RGB"], limits=Limits(max_pixels=9), resize=Resize((64, 64)))
    assert isinstance(small, Failure)
    assert small.code is ErrorCode.TOO_MANY_PIXELS


def difference(data: bytes, side: int) -> float:
    """What the scaled decode of a file changes, on the mean, of the full one."""
    full = decode(data, limits=LIMITS)
    assert isinstance(full, Decoded)
    expected = full.image.resize((side, side), Image.Resampling.BICUBIC)
    pixels = prepared(data, Resize((side, side))).transpose(1, 2, 0)
    return float(np.abs(pixels.astype(float) - np.asarray(expected, dtype=float)).mean())


@pytest.mark.parametrize("turn", range(1, 9))
def test_scaled_decode_is_hardly_noticed(turn: int) -> None:
    """Of a picture that is no multiple of eight, turned in any way.

    To take its outermost pixels for whole ones, or those of the wrong side, makes 3 and more.
    """
    assert difference(encode(landscape(), "JPEG", quality=90, exif=exif(turn)), 64) <= 0.5


def test_scaled_decode_is_hardly_noticed_at_larger_sizes() -> None:
    """Half the picture's size is enough for 224 pixels."""
    assert difference(encode(landscape(1503, 1001), "JPEG", quality=90), 224) <= 0.5


@pytest.mark.parametrize(
    ("fit", "dimension"),
    [
        (Fit.PAD, (1001, 211)),  # a quarter of it by itself would be padded to a row more
        (Fit.CROP, (701, 333)),
    ],
)
def test_scaled_decode_moves_nothing(fit: Fit, dimension: tuple[int, int]) -> None:
    """Padding and cropping are those of the full decode, to the pixel."""
    data = encode(landscape(*dimension), "JPEG", quality=90)
    full = decode(data, limits=LIMITS)
    assert isinstance(full, Decoded)
    resize = Resize((64, 64), fit=fit, matte=BLUE)
    pixels, expected = prepared(data, resize), to_pixels(full.image, resize)
    assert not np.array_equal(pixels, expected)  # or nothing was scaled while decoding
    assert np.abs(pixels.astype(float) - expected.astype(float)).mean() <= 0.5
    blue = np.array(BLUE).reshape(3, 1, 1)
    assert np.array_equal((pixels == blue).all(axis=(0, 2)), (expected == blue).all(axis=(0, 2)))


@pytest.mark.parametrize(("size", "sharp"), [((8, 400), True), ((400, 8), True), ((8, 8), False)])
def test_stretching_has_enough_pixels_on_both_axes(size: tuple[int, int], sharp: bool) -> None:
    """Of a turned picture too: fine stripes survive where a side asks for them."""
    across, down = size
    image = Image.new("L", (800, 800), 255)
    for at in range(0, 800, 8):
        box = (0, at, 800, at + 4) if across > down else (at, 0, at + 4, 800)
        image.paste(0, box)  # turned by a quarter, they run along the short side
    data = encode(image, "JPEG", quality=95, exif=exif(6))
    contrast = prepared(data, Resize(size)).std()
    assert contrast > 100 if sharp else contrast < 10


# Batches


def test_batch_is_read_from_pixels_put_together() -> None:
    """One array for all, in their order, without a copy."""
    colours = [RED, GREEN, BLUE]
    made = [to_pixels(Image.new("RGB", (9, 9), colour), Resize((3, 2))) for colour in colours]
    pixels = b"".join(each.tobytes() for each in made)
    batch = as_batch(pixels, (3, 2))
    assert (batch.shape, batch.dtype) == ((3, 3, 2, 3), np.uint8)
    assert batch[:, :, 0, 0].tolist() == [list(colour) for colour in colours]
    assert np.shares_memory(batch, np.frombuffer(pixels, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        batch[0] = 0


def test_batch_may_be_empty() -> None:
    """A batch of which nothing could be decoded still has a shape."""
    assert as_batch(b"", (5, 4)).shape == (0, 3, 4, 5)


def test_batch_of_parts_of_pictures_is_a_bug() -> None:
    """Said at once, not shown as shifted pixels."""
    with pytest.raises(ValueError, match="19 bytes are not of whole pictures of 18"):
        as_batch(bytes(19), (3, 2))
