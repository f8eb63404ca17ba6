"""What stands out in a picture, by plain thresholds: docs/predictors.md has them for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLAGS", "Seen", "flags"]

BLANK_SHARE = 0.995  #: of the pixels are background: nothing is on it,
BLANK_CONTRAST = 4  #: and below this contrast it has no texture of its own either
DARK_BRIGHTNESS = 50  #: mean luma, 0–255; below it is dark
GREY_SHARE = 0.002  #: of the pixels may have a colour in a greyscale picture
LOW_CONTRAST = 15  #: standard deviation of luma, 0–127.5; below it is low
WHITE_LUMA = 250  #: from there on a pixel has lost its drawing
WHITE_SHARE = 0.25  #: of the pixels; as many are overexposed, unless on a plain background
PACKSHOT_SHARE = 0.2  #: of the pixels are background, at least
PACKSHOT_LUMA = 230  #: of the background, at least

FLAGS = ("blank", "dark", "greyscale", "low_contrast", "overexposed", "packshot")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What flags are judged by, a number for each picture."""

    brightness: Floats  #: mean luma, 0–255
    contrast: Floats  #: standard deviation of luma
    white: Floats  #: share of the pixels of a luma of `WHITE_LUMA` and more
    coloured: Floats  #: share of the pixels that are not grey
    background: Floats  #: share of the pixels; 0 without a plain background
    background_luma: Floats  #: 0–255


def flags(seen: Seen) -> list[list[str]]:
    """Return the flags of each picture, sorted."""
    blank = (seen.background >= BLANK_SHARE) & (seen.contrast < BLANK_CONTRAST)
    holds = {
        "blank": blank,
        "dark": seen.brightness < DARK_BRIGHTNESS,
        "greyscale": seen.coloured <= GREY_SHARE,
        "low_contrast": (seen.contrast < LOW_CONTRAST) & ~blank,
        "overexposed": (seen.white >= WHITE_SHARE) & (seen.background == 0),
        "packshot": (seen.background >= PACKSHOT_SHARE)
        & (seen.background_luma >= PACKSHOT_LUMA)
        & ~blank,
    }
    columns = np.stack([holds[name] for name in FLAGS], axis=1).tolist()
    return [[name for name, held in zip(FLAGS, row, strict=True) if held] for row in columns]
