"""The colours of many pictures at once: the dominant ones, the plain background, greys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.predictors.protocol import Pictures

__all__ = ["Background", "background", "coloured", "dominant"]

DOMINANT = 3  #: colours told of at most
DOMINANT_SHARE = 0.05  #: of the pixels; what covers less is no dominant colour, but the first
BORDER_WIDTH = 2  #: pixels
BACKGROUND_DISTANCE = 16  #: levels a pixel may differ from the background in any channel
BORDER_SHARE = 0.8  #: of the border; with less of it in one colour there is no background
GREY_DISTANCE = 16  #: levels between the channels of a pixel; with more it has a colour

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Background:
    """The plain background of each picture, if it has one."""

    share: Floats  #: of the pixels; 0 where there is none
    colour: Pictures  #: (N, 3): the border's, also where there is no background


def background(pictures: Pictures) -> Background:
    """Find the background of (N, 3, H, W): the border's colour, wherever in the picture.

    The colour is the border's median in each channel, which is the colour of most of the border
    where most of it has one.
    """
    rows, _, height, width = pictures.shape
    border = _border(height, width)
    flat = pictures.reshape(rows, 3, -1)
    ring = np.sort(flat[:, :, border], axis=2)
    colour = ring[:, :, (len(border) - 1) // 2]
    middle = colour[:, :, None]
    distance = (np.maximum(flat, middle) - np.minimum(flat, middle)).max(axis=1)
    near = distance <= BACKGROUND_DISTANCE
    is_plain = near[:, border].mean(axis=1) >= BORDER_SHARE
    return Background(np.where(is_plain, near.mean(axis=1), 0.0), colour)


def coloured(pictures: Pictures) -> Floats:
    """Return the share of pixels of (N, 3, H, W) that are not grey."""
    distance = pictures.max(axis=1) - pictures.min(axis=1)
    share: Floats = (distance > GREY_DISTANCE).mean(axis=(1, 2))
    return share


def dominant(planes: NDArray[np.int32]) -> list[list[dict[str, Any]]]:
    """Return the most frequent colours of each picture of (N, 3, pixels), with their shares.

    Colours are counted in 4 x 4 x 4 bins of 64 levels; the colour told is the mean of its bin.
    """
    rows, _, pixels = planes.shape
    bins = planes >> 6
    places = (bins[:, 0] << 4) + (bins[:, 1] << 2) + bins[:, 2]
    places += 64 * np.arange(rows, dtype=np.int32)[:, None]
    flat = places.ravel()
    counts = np.bincount(flat, minlength=64 * rows).reshape(rows, 64)
    sums = [  # of whole numbers far below 2**53: exact, though they are floats
        np.bincount(flat, weights=planes[:, channel].ravel(), minlength=64 * rows)
        for channel in range(3)
    ]
    order = np.argsort(-counts, axis=1, kind="stable")[:, :DOMINANT]
    found = np.take_along_axis(counts, order, axis=1)
    chosen = np.stack([np.take_along_axis(s.reshape(rows, 64), order, axis=1) for s in sums], 2)
    means = (chosen / np.maximum(found, 1)[:, :, None] + 0.5).astype(np.int64)
    return [
        [
            {"colour": "#{:02x}{:02x}{:02x}".format(*mean), "share": round(count / pixels, 4)}
            for place, (mean, count) in enumerate(zip(row_means, row_counts, strict=True))
            if place == 0 or count >= DOMINANT_SHARE * pixels
        ]
        for row_means, row_counts in zip(means.tolist(), found.tolist(), strict=True)
    ]


def _border(height: int, width: int) -> NDArray[np.intp]:
    """Where the border's pixels are in a flattened picture."""
    inside = np.zeros((height, width), dtype=bool)
    inside[BORDER_WIDTH : height - BORDER_WIDTH, BORDER_WIDTH : width - BORDER_WIDTH] = True
    return np.flatnonzero(~inside)
