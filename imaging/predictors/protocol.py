"""What every loaded predictor is to those who ask it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imaging.predictors.about import About, Layout

__all__ = ["Described", "Pictures", "Predictor"]

#: uint8 RGB: (N, 3, H, W) or, for a predictor of layout NHWC, (N, H, W, 3).
Pictures = NDArray[np.uint8]


class Predictor(Protocol):
    """Answers a batch of pictures with one value per row, in order, that JSON can hold."""

    @property
    def name(self) -> str:
        """What requests call it."""
        ...

    @property
    def size(self) -> tuple[int, int] | None:
        """The (width, height) pictures must have; None: any."""
        ...

    @property
    def layout(self) -> Layout:
        """The order of axes it wants its batches in."""
        ...

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        """Predict a batch. `ids` are the rows' ids, as many as there are pictures."""
        ...


class Described:
    """Name, size and layout of a predictor, as its `about` has them."""

    about: About

    @property
    def name(self) -> str:
        """What requests call it."""
        return self.about.name

    @property
    def size(self) -> tuple[int, int] | None:
        """The (width, height) pictures must have; None: any."""
        return self.about.size

    @property
    def layout(self) -> Layout:
        """The order of axes it wants its batches in."""
        return self.about.layout
