"""An upright RGB image → what can be measured of it: a perceptual hash and four numbers.

All are taken at one stated analysis size, a long side of at most 512 pixels, so that they do not
depend on the resolution a picture was published in. Numbers are rounded to four decimals: what
comes out is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["ANALYSIS_SIDE", "Measures", "analysed_dimension", "measure", "phash"]

ANALYSIS_SIDE = 512  #: the long side measured at; smaller pictures are not enlarged
_HASH_SIDE, _HASH_PIXELS = 8, 32

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one picture, as `ImageInfo` names them."""

    phash: str
    sharpness: float
    brightness: float
    contrast: float
    colourfulness: float


def measure(image: Image.Image) -> Measures:
    """Measure an RGB image of any size."""
    small = _analysed(image)
    grey = small.convert("L")  # luma of ITU-R 601: 0.299 R + 0.587 G + 0.114 B
    luma = np.asarray(grey, dtype=np.float64)
    return Measures(
        phash=phash(grey),
        sharpness=_rounded(sharpness(luma)),
        brightness=_rounded(luma.mean()),
        contrast=_rounded(luma.std()),
        colourfulness=_rounded(colourfulness(np.asarray(small, dtype=np.float64))),
    )


def analysed_dimension(dimension: tuple[int, int]) -> tuple[int, int]:
    """Return the analysis size of a picture of that dimension; its own if it is no larger."""
    width, height = dimension
    long = max(width, height)
    if long <= ANALYSIS_SIDE:
        return dimension
    return max(width * ANALYSIS_SIDE // long, 1), max(height * ANALYSIS_SIDE // long, 1)


def phash(grey: Image.Image) -> str:
    """Return the 64-bit DCT hash of a grey image as 16 hexadecimal digits.

    The method and bit order of `phash` in the package ImageHash: shrink to 32 x 32, two-dimensional
    DCT-II, keep the 8 x 8 lowest frequencies, one bit for each above their median. Coefficients are
    rounded first, so that a plain picture does not hash the noise of floating point.
    """
    shrunk = grey.resize((_HASH_PIXELS, _HASH_PIXELS), Image.Resampling.LANCZOS)
    pixels = np.asarray(shrunk, dtype=np.float64)
    low = np.round(_DCT @ pixels @ _DCT.T, 6)
    bits = (low > np.median(low)).ravel()
    return np.packbits(bits).tobytes().hex()


def sharpness(luma: Floats) -> float:
    """Return the variance of the Laplacian of an (H, W) luma array, 0 for less than 3 x 3 pixels.

    The focus measure LAPV of Pech-Pacheco and others (2000): four neighbours, inner pixels only.
    """
    if min(luma.shape) < 3:
        return 0.0
    inner = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * inner).var())


def colourfulness(rgb: Floats) -> float:
    """Return the measure M3 of Hasler and Süsstrunk (2003) of an (H, W, 3) array, 0 for greys.

    Around 15 is slightly, 45 fairly, 80 and more very colourful.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    return float(spread + 0.3 * offset)


def _analysed(image: Image.Image) -> Image.Image:
    """The image at the analysis size."""
    size = analysed_dimension(image.size)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _dct_matrix(rows: int, columns: int) -> Floats:
    """The first rows of the DCT-II as a matrix: `matrix @ column` is its lowest frequencies."""
    frequency, place = np.arange(rows)[:, None], np.arange(columns)[None, :]
    cosines: Floats = 2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * columns))
    return cosines


_DCT = _dct_matrix(_HASH_SIDE, _HASH_PIXELS)
