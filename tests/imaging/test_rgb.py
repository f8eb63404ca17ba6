"""Every mode becomes RGB, and the colours are the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imaging.rgb import to_rgb
from tests.samples import picture

MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F", "RGBX")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb_of_the_same_size(mode: str) -> None:
    """The result is RGB; opaque colours stay near what they were."""
    source = picture(mode)
    converted = to_rgb(source)
    assert (converted.mode, converted.size) == ("RGB", source.size)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
def test_transparency_shows_the_matte(mode: str) -> None:
    """Left is transparent and becomes the matte, right is opaque and stays."""
    source = picture("RGBA")
    right = source.getpixel((60, 20))
    layer = source.convert("LA").convert(mode) if mode == "La" else source.convert(mode)
    converted = to_rgb(layer, matte=(255, 0, 0))
    assert converted.getpixel((0, 20)) == (255, 0, 0)
    if mode == "RGBA":
        assert isinstance(right, tuple)
        assert converted.getpixel((60, 20)) == right[:3]
    assert to_rgb(layer).getpixel((0, 20)) == (255, 255, 255)


def test_transparent_colour_shows_the_matte() -> None:
    """A key colour counts as transparent in palettes, greys and RGB."""
    for mode, key in (("L", 0), ("RGB", (0, 0, 0)), ("P", 0)):
        source = Image.new(mode, (2, 1), 0)
        source.info["transparency"] = key
        assert to_rgb(source, matte=(9, 8, 7)).getpixel((0, 0)) == (9, 8, 7)


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    """65535 is white, half of it is mid-grey, 255 is nearly black."""
    wide = Image.fromarray(np.array([[0, 255, 257, 32896, 65535]], dtype=np.uint16))
    assert [to_rgb(wide).getpixel((x, 0)) for x in range(5)] == [
        (level,) * 3 for level in (0, 1, 1, 128, 255)
    ]
    whole = Image.fromarray(np.array([[-5, 32896, 70000]], dtype=np.int32))
    assert [to_rgb(whole).getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (128,) * 3, (255,) * 3]


def test_sixteen_bit_key_is_compared_before_scaling() -> None:
    """Only the very value named is transparent, not its neighbours."""
    wide = Image.fromarray(np.array([[1000, 1001]], dtype=np.uint16))
    wide.info["transparency"] = 1000
    assert to_rgb(wide, matte=(255, 0, 0)).getpixel((0, 0)) == (255, 0, 0)
    assert to_rgb(wide, matte=(255, 0, 0)).getpixel((1, 0)) == (4, 4, 4)


def test_floats_are_zero_to_one_and_nan_is_black() -> None:
    """Out of range is clipped."""
    values = Image.fromarray(np.array([[0.5, -1.0, 7.0, np.nan]], dtype=np.float32))
    assert [to_rgb(values).getpixel((x, 0)) for x in range(4)] == [
        (level,) * 3 for level in (128, 0, 255, 0)
    ]


def test_cielab_goes_to_srgb() -> None:
    """Lightness 100 without colour is white; a strong a* is reddish."""
    lab = Image.merge("LAB", [Image.new("L", (2, 1), value) for value in (255, 128, 128)])
    white = to_rgb(lab).getpixel((0, 0))
    assert isinstance(white, tuple)
    assert min(white) >= 254
    red = Image.merge("LAB", [Image.new("L", (1, 1), value) for value in (136, 208, 195)])
    pixel = to_rgb(red).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200 > 60 > pixel[2]
