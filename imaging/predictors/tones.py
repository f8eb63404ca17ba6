"""Light and colour of many pictures at once: brightness, contrast, entropy, colourfulness.

Sums of whole numbers throughout: their order cannot matter, so a picture's values are those it
has alone. `imaging.measure` says the same of one picture at its analysis size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["colourfulness", "deviations", "entropies", "luma_histograms", "means"]

_LEVELS = 256
_ONE_BIT = 2**32  #: of the fixed-point numbers that entropies are summed in
_VALUES = np.arange(_LEVELS, dtype=np.int64)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def luma_histograms(planes: NDArray[np.int32]) -> Ints:
    """Return how many pixels have each luma, (N, 256), of (N, 3, pixels).

    Luma of ITU-R 601 in the fixed point of Pillow's mode L.
    """
    red, green, blue = planes[:, 0], planes[:, 1], planes[:, 2]
    luma = (19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16
    rows = len(luma)
    luma += _LEVELS * np.arange(rows, dtype=np.int32)[:, None]
    return np.bincount(luma.ravel(), minlength=_LEVELS * rows).reshape(rows, _LEVELS)


def means(histograms: Ints) -> Floats:
    """Return the mean of each histogram."""
    mean: Floats = (histograms @ _VALUES) / histograms.sum(axis=1)
    return mean


def deviations(histograms: Ints) -> Floats:
    """Return the standard deviation of each histogram."""
    total, squares = histograms @ _VALUES, histograms @ _VALUES**2
    return np.sqrt(_variances(total, squares, histograms.sum(axis=1)))


def entropies(histograms: Ints) -> Floats:
    """Return the Shannon entropy of each histogram in bits, 0–8: (n·log n - Σ c·log c) / n.

    The histograms must have the same number of pixels.
    """
    pixels = int(histograms[0].sum())
    table = _logarithms(pixels)
    bits: Floats = (table[pixels] - table[histograms].sum(axis=1)) / (pixels * _ONE_BIT)
    return bits


def colourfulness(planes: NDArray[np.int32]) -> Floats:
    """Return the measure M3 of Hasler and Süsstrunk of (N, 3, pixels), 0 for greys."""
    pixels = planes.shape[2]
    red, green, blue = planes[:, 0], planes[:, 1], planes[:, 2]
    red_green, twice_yellow_blue = red - green, red + green - 2 * blue
    variances, offsets = np.zeros(len(planes)), np.zeros(len(planes))
    for axis, scale in ((red_green, 1), (twice_yellow_blue, 2)):
        total = axis.sum(axis=1, dtype=np.int64)
        squares = np.einsum("np,np->n", axis, axis, dtype=np.int64)
        variances += _variances(total, squares, pixels) / scale**2
        offsets += (total / (scale * pixels)) ** 2
    measure: Floats = np.sqrt(variances) + 0.3 * np.sqrt(offsets)
    return measure


def _variances(total: Ints, squares: Ints, pixels: Ints | int) -> Floats:
    """Variances from sums: exact until the division."""
    variances: Floats = (pixels * squares - total**2) / np.square(pixels, dtype=np.int64)
    return variances


@functools.cache
def _logarithms(pixels: int) -> Ints:
    """Return c·log₂ c for each count up to that many pixels, as fixed-point numbers."""
    counts = range(1, pixels + 1)
    return np.array([0, *(round(c * math.log2(c) * _ONE_BIT) for c in counts)], dtype=np.int64)
