"""Every flag: a picture that has it, and the nearest that has not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from imaging.predictors import colours, flags
from imaging.predictors.appearance import Appearance
from imaging.predictors.flags import FLAGS
from tests.imaging.predictors.pictures import (
    BLACK,
    RED,
    WHITE,
    Batch,
    Colour,
    flat,
    on,
    photographs,
)

DOCS = Path(__file__).parents[3] / "docs" / "predictors.md"


def flagged(batch: Batch) -> list[str]:
    """The flags of the one picture."""
    (said,) = Appearance()(batch, ["0"])
    found: list[str] = said["flags"]
    return found


def scattered(pixels: int, colour: Colour, others: Colour = (120, 60, 60)) -> Batch:
    """So many pixels of a colour from the top down: no border of one colour, no background."""
    batch = flat(others).reshape(1, 3, -1)
    batch[0, :, :pixels] = np.array(colour, np.uint8)[:, None]
    return batch.reshape(1, 3, 64, 64)


def test_nothing_stands_out_in_an_ordinary_picture() -> None:
    """A colourful gradient."""
    assert flagged(photographs(1)) == []


def test_flags_are_sorted_and_known() -> None:
    """Black is several things at once."""
    assert flagged(flat(BLACK)) == ["blank", "dark", "greyscale"]
    assert list(FLAGS) == sorted(FLAGS)


@pytest.mark.parametrize(("pixels", "holds"), [(20, True), (21, False)])
def test_blank(pixels: int, holds: bool) -> None:
    """99.5 % of 4,096 pixels: a speck of 20 does not make a picture, one of 21 does."""
    found = flagged(on((100, 200, 100), (100, 170, 100), pixels))

    assert ("blank" in found) == holds
    assert ("low_contrast" in found) != holds  # blank says it already


@pytest.mark.parametrize(("rise", "holds"), [(7, True), (8, False)])
def test_texture_is_not_blank(rise: int, holds: bool) -> None:
    """All of it near one colour, but of a contrast: half the pixels off by so many greys."""
    batch = flat((100, 100, 100))
    batch[:, :, :, ::2] += rise

    assert ("blank" in flagged(batch)) == holds


@pytest.mark.parametrize(("luma", "holds"), [(49, True), (50, False)])
def test_dark(luma: int, holds: bool) -> None:
    """A mean luma below 50."""
    assert ("dark" in flagged(flat((luma,) * 3))) == holds


@pytest.mark.parametrize(("pixels", "holds"), [(8, True), (9, False)])
def test_greyscale(pixels: int, holds: bool) -> None:
    """8 of 4,096 pixels may have a colour: 0.2 %."""
    assert ("greyscale" in flagged(on((90, 90, 90), RED, pixels))) == holds


@pytest.mark.parametrize(("colour", "holds"), [((80, 96, 90), True), ((79, 96, 90), False)])
def test_tinted_greys_are_greyscale(colour: Colour, holds: bool) -> None:
    """16 levels between channels are what compression leaves of a grey."""
    assert ("greyscale" in flagged(flat(colour))) == holds


@pytest.mark.parametrize(("rise", "holds"), [(29, True), (30, False)])
def test_low_contrast(rise: int, holds: bool) -> None:
    """Half the pixels brighter by twice the deviation."""
    batch = flat((100, 100, 100))
    batch[:, :, :32] += rise

    assert ("low_contrast" in flagged(batch)) == holds


@pytest.mark.parametrize(("pixels", "holds"), [(1024, True), (1023, False)])
def test_overexposed(pixels: int, holds: bool) -> None:
    """A quarter of the pixels white."""
    assert ("overexposed" in flagged(scattered(pixels, (250, 250, 250)))) == holds


def test_nearly_white_is_not_overexposed() -> None:
    """Luma 249 still has some drawing."""
    assert "overexposed" not in flagged(scattered(2048, (249, 249, 249)))


def test_white_background_is_not_overexposed() -> None:
    """It is meant to be white."""
    assert flagged(on(WHITE, RED, 2000)) == ["packshot"]


@pytest.mark.parametrize(("luma", "holds"), [(230, True), (229, False)])
def test_packshot_is_on_a_light_background(luma: int, holds: bool) -> None:
    """A thing on light grey, or on grey."""
    assert ("packshot" in flagged(on((luma,) * 3, RED, 1000))) == holds


@pytest.mark.parametrize(("pixels", "holds"), [(820, True), (819, False)])
def test_packshot_has_background(pixels: int, holds: bool) -> None:
    """At least a fifth of the picture, of 4,096 pixels."""
    assert ("packshot" in flagged(on(WHITE, RED, 4096 - pixels))) == holds


def test_blank_page_is_no_packshot() -> None:
    """There must be something on it."""
    assert flagged(flat(WHITE)) == ["blank", "greyscale"]


def test_thresholds_are_documented() -> None:
    """docs/predictors.md has one row per flag, with the numbers of the code."""
    rows = dict(
        re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    )

    assert [name for name in rows if name in FLAGS] == list(FLAGS)
    for name, numbers in {
        "background": (colours.BORDER_WIDTH, colours.BORDER_SHARE, colours.BACKGROUND_DISTANCE),
        "dominant_colours": (colours.DOMINANT, colours.DOMINANT_SHARE),
        "blank": (flags.BLANK_SHARE, flags.BLANK_CONTRAST),
        "dark": (flags.DARK_BRIGHTNESS,),
        "greyscale": (flags.GREY_SHARE, colours.GREY_DISTANCE),
        "low_contrast": (flags.LOW_CONTRAST,),
        "overexposed": (flags.WHITE_LUMA, flags.WHITE_SHARE),
        "packshot": (flags.PACKSHOT_SHARE, flags.PACKSHOT_LUMA),
    }.items():
        said = re.findall(r"\d+(?:\.\d+)?(?: %)?", rows[name])
        for number in numbers:
            written = f"{number * 100:g} %" if number < 1 else f"{number:g}"
            assert written in said, (name, written)
