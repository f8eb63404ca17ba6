"""The predictor `appearance`: what a thumbnail shows of a picture, without any model.

Everything is counted in whole numbers on 64 x 64 pixels, and only the last steps divide: a row's
values are the same alone, in any batch, and on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL
from PIL import Image

from imaging.predictors import colours, tones
from imaging.predictors.about import About
from imaging.predictors.flags import FLAGS, WHITE_LUMA, Seen, flags
from imaging.predictors.protocol import Described, Pictures

__all__ = ["SIDE", "Appearance"]

SIDE = 64  #: pixels; pictures of another size are brought to it
_SLICE = 32  #: pictures looked at together: few enough for the cache


class Appearance(Described):
    """Answers with brightness, contrast, colours, background and flags."""

    about = About(
        name="appearance",
        version="1",
        labels=FLAGS,
        software=(("numpy", np.__version__), ("pillow", PIL.__version__)),
    )

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        """Look at each row of an (N, 3, H, W) batch."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(batch), _SLICE):
            rows.extend(_looked_at(_shrunk(batch[start : start + _SLICE])))
        return rows


def _shrunk(pictures: Pictures) -> Pictures:
    """Pictures of 64 x 64: the mean of what a pixel covers; smaller ones are enlarged."""
    if pictures.shape[2:] == (SIDE, SIDE):
        return pictures
    planes = np.ascontiguousarray(pictures).reshape(-1, *pictures.shape[2:])
    small = [
        np.asarray(Image.fromarray(plane).resize((SIDE, SIDE), Image.Resampling.BOX))
        for plane in planes
    ]
    return np.stack(small).reshape(-1, 3, SIDE, SIDE)


def _looked_at(pictures: Pictures) -> list[dict[str, Any]]:
    """The values of a few pictures of 64 x 64."""
    planes = pictures.reshape(len(pictures), 3, -1).astype(np.int32)
    lumas = tones.luma_histograms(planes)
    plain = colours.background(pictures)
    seen = Seen(
        brightness=tones.means(lumas),
        contrast=tones.deviations(lumas),
        white=lumas[:, WHITE_LUMA:].sum(axis=1) / lumas.sum(axis=1),
        coloured=colours.coloured(pictures),
        background=plain.share,
        background_luma=tones.means(
            tones.luma_histograms(plain.colour.astype(np.int32)[..., None])
        ),
    )
    numbers = {
        "brightness": seen.brightness,
        "contrast": seen.contrast,
        "colourfulness": tones.colourfulness(planes),
        "entropy": tones.entropies(lumas),
        "background": seen.background,
    }
    rows = zip(*(column.tolist() for column in numbers.values()), strict=True)
    return [
        {name: round(value, 4) for name, value in zip(numbers, row, strict=True)}
        | {"dominant_colours": found, "flags": flagged}
        for row, found, flagged in zip(rows, colours.dominant(planes), flags(seen), strict=True)
    ]
