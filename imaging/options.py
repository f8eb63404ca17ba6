"""What goes into looking at a picture besides its bytes.

Neither Pillow nor numpy here: every room imports this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DRAFT_SCALE", "REDUCING_GAP", "Filter", "Fit", "Limits", "Resize"]

#: A JPEG is decoded at no less than so many times what is needed of it, on each axis …
DRAFT_SCALE = 2
#: … and a picture shrunk by whole numbers to no less than so many times its size, then filtered.
REDUCING_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on decoding. Header facts are never bound by them."""

    max_pixels: int = 50_000_000  #: width × height of the first frame (and of the canvas)
    max_scans: int = 64  #: JPEG scans; a file of thousands keeps a decoder busy for minutes


class Fit(StrEnum):
    """How a picture of other proportions comes to a size."""

    STRETCH = "stretch"  # each axis scaled on its own, the proportions are lost
    PAD = "pad"  # as large as fits inside, centred, matte on two sides
    CROP = "crop"  # as small as covers, centred, two sides cut off


class Filter(StrEnum):
    """What a pixel is made of when a picture is scaled, as Pillow names it."""

    NEAREST = "nearest"  # the one source pixel at its centre
    BOX = "box"  # the mean of the source pixels it covers
    BILINEAR = "bilinear"  # a triangle of neighbours
    HAMMING = "hamming"  # as sharp as bicubic, as quick as bilinear
    BICUBIC = "bicubic"  # a cubic of neighbours, slightly sharpening
    LANCZOS = "lanczos"  # the sharpest and slowest


@dataclass(frozen=True, slots=True)
class Resize:
    """The one size every picture of a batch is brought to, and how; smaller ones are enlarged."""

    size: tuple[int, int]  #: width, height
    fit: Fit = Fit.STRETCH
    filter: Filter = Filter.BICUBIC
    matte: tuple[int, int, int] = (255, 255, 255)  #: behind transparency, and around when padded

    def scaled(self, dimension: tuple[float, float]) -> tuple[int, int]:
        """What an upright picture of that dimension is scaled to, before padding or cropping.

        Depends on the proportions alone; those of a picture halved in decoding are the same.
        """
        (across, down), (width, height) = self.size, dimension
        if self.fit is Fit.STRETCH:
            return self.size
        is_flatter = width * down >= height * across  # than the size
        if self.fit is Fit.PAD:
            if is_flatter:
                return across, max(round(height * across / width), 1)
            return max(round(width * down / height), 1), down
        if is_flatter:
            return math.ceil(width * down / height), down
        return across, math.ceil(height * across / width)
