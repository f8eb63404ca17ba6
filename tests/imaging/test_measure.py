"""Measures with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imaging.measure import (
    ANALYSIS_SIDE,
    analysed_dimension,
    colourfulness,
    measure,
    phash,
    sharpness,
)
from tests.samples import picture


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def dct_by_definition(values: np.ndarray) -> np.ndarray:
    """The DCT-II as its definition sums it, slowly: an independent check."""
    count = len(values)
    return np.array(
        [
            2 * sum(values[n] * np.cos(np.pi * k * (2 * n + 1) / (2 * count)) for n in range(count))
            for k in range(count)
        ]
    )


def test_hash_is_that_of_the_method_followed_by_hand() -> None:
    """Rows, then columns, the 8 x 8 corner, above the median, most significant bit first."""
    grey = picture("L", (200, 130))
    pixels = np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS), dtype=float)
    columns = np.apply_along_axis(dct_by_definition, 0, pixels)
    corner = np.apply_along_axis(dct_by_definition, 1, columns)[:8, :8]
    bits = "".join("01"[int(value > np.median(corner))] for value in corner.ravel())
    assert phash(grey) == f"{int(bits, 2):016x}"


def test_hash_survives_what_publishing_does_to_a_picture() -> None:
    """Scaling, blur and brightness move few bits; another picture or a turn moves many."""
    image = picture(size=(400, 300))
    reference = measure(image).phash
    for changed in (
        image.resize((200, 150)),
        image.filter(ImageFilter.GaussianBlur(2)),
        image.point(lambda value: value * 0.8),
    ):
        assert distance(measure(changed).phash, reference) <= 8
    assert distance(measure(image.rotate(180)).phash, reference) > 12


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_flat_picture_measures_nothing(level: int) -> None:
    """No sharpness, contrast or colour, and a hash without noise in it."""
    flat = measure(Image.new("RGB", (300, 200), (level,) * 3))
    assert (flat.sharpness, flat.contrast, flat.colourfulness) == (0, 0, 0)
    assert flat.brightness == level
    assert flat.phash == ("8000000000000000" if level else "0000000000000000")


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    """One bright point on black, counted by hand; small arrays have none."""
    luma = np.zeros((5, 5))
    luma[2, 2] = 10
    laplacian = [0, 10, 0, 10, -40, 10, 0, 10, 0]
    assert sharpness(luma) == pytest.approx(np.var(laplacian))
    assert sharpness(np.ones((2, 9))) == 0
    blurred = picture().filter(ImageFilter.GaussianBlur(2))
    assert measure(blurred).sharpness < measure(picture()).sharpness / 4


def test_colourfulness_follows_its_paper() -> None:
    """Pure red has no spread, only an offset; greys have neither."""
    red = np.zeros((4, 4, 3))
    red[..., 0] = 255
    assert colourfulness(red) == pytest.approx(0.3 * np.hypot(255, 127.5))
    assert colourfulness(np.full((4, 4, 3), 90.0)) == 0


def test_brightness_and_contrast_are_mean_and_deviation() -> None:
    """Half black, half white."""
    half = Image.new("RGB", (10, 10))
    half.paste((255, 255, 255), (0, 0, 5, 10))
    assert (measure(half).brightness, measure(half).contrast) == (127.5, 127.5)


def test_large_picture_is_measured_at_the_analysis_size() -> None:
    """Twice the resolution gives nearly the same numbers."""
    image = picture(size=(ANALYSIS_SIDE, 384)).filter(ImageFilter.GaussianBlur(3))
    larger = measure(image.resize((2 * ANALYSIS_SIDE, 768), Image.Resampling.BICUBIC))
    smaller = measure(image)
    assert larger.brightness == pytest.approx(smaller.brightness, abs=0.5)
    assert larger.contrast == pytest.approx(smaller.contrast, rel=0.02)
    assert larger.sharpness == pytest.approx(smaller.sharpness, rel=0.3)


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ((512, 512), (512, 512)),
        ((300, 7), (300, 7)),
        ((1024, 768), (512, 384)),
        ((768, 1024), (384, 512)),
        ((1, 9000), (1, 512)),
    ],
)
def test_analysis_size_has_a_long_side_of_at_most_512(
    dimension: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Smaller pictures are not enlarged, a side never comes to nothing."""
    assert analysed_dimension(dimension) == expected


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2, 2), (3, 3)])
def test_odd_shapes_are_measured(size: tuple[int, int]) -> None:
    """Nothing is too small or too narrow."""
    result = measure(picture(size=size))
    assert len(result.phash) == 16
    assert all(np.isfinite([result.sharpness, result.contrast, result.colourfulness]))


def test_measures_are_rounded() -> None:
    """Four decimals and plain floats: stable lines that any encoder takes."""
    for value in (measure(picture()).sharpness, measure(picture()).brightness):
        assert type(value) is float
        assert value == round(value, 4)
