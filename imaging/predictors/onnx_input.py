"""What a model wants its pictures to be: read from its input's shape and the JSON beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.predictors.about import MAX_SIDE, CannotLoad, Layout
from imaging.predictors.onnx_settings import OnnxSettings
from imaging.predictors.protocol import Pictures

__all__ = ["Input"]

MAX_BATCH = 1024  #: pictures of a fixed batch
Shape = Sequence[int | str | None]


@dataclass(frozen=True, slots=True)
class Input:
    """The one input of a model."""

    layout: Layout
    size: tuple[int, int] | None  #: (width, height); None: any
    batch: int | None  #: pictures in each run; None: any number
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, shape: Shape, settings: OnnxSettings) -> Input:
        """Read a shape. A text, None or a number below 1 stands for any. Raises `CannotLoad`."""
        fixed = [side if isinstance(side, int) and side > 0 else None for side in shape]
        if len(fixed) != 4:
            raise CannotLoad(f"its input has {len(fixed)} axes, not the 4 of a batch of pictures")
        layout = settings.layout
        if layout is None:
            layout = Layout.NHWC if fixed[3] == 3 and fixed[1] != 3 else Layout.NCHW
        axes = "NCHW" if layout is Layout.NCHW else "NHWC"
        batch, channels, height, width = (fixed[axes.index(axis)] for axis in "NCHW")
        if channels not in (3, None):
            raise CannotLoad(f"its input has {channels} channels in the layout {layout}, not 3")
        if batch is not None and batch > MAX_BATCH:
            raise CannotLoad(f"it takes {batch} pictures at a time, more than {MAX_BATCH}")
        size = _size(width, height, settings.size)
        return cls(layout, size, batch, settings.mean, settings.std)

    def normalized(self, batch: Pictures) -> NDArray[np.float32]:
        """Pictures as the model was trained with, by the float32 steps that training takes."""
        axes = (3, 1, 1) if self.layout is Layout.NCHW else (3,)
        pictures: NDArray[np.float32] = batch.astype(np.float32)
        pictures /= np.float32(255)
        pictures -= np.array(self.mean, np.float32).reshape(axes)
        pictures /= np.array(self.std, np.float32).reshape(axes)
        return pictures


def _size(
    width: int | None, height: int | None, said: tuple[int, int] | None
) -> tuple[int, int] | None:
    """The size by the model, where it has one, and by the JSON, which must agree."""
    if said is not None:
        if width not in (said[0], None) or height not in (said[1], None):
            found = f"{width or 'any'} x {height or 'any'}"
            raise CannotLoad(f"its pictures are {found}, but size says {said[0]} x {said[1]}")
        return said
    if width is None and height is None:
        return None
    if width is None or height is None:
        raise CannotLoad("its pictures have one fixed side: give their size in the JSON")
    if max(width, height) > MAX_SIDE:
        raise CannotLoad(f"its pictures are {width} x {height}, more than {MAX_SIDE} a side")
    return width, height
