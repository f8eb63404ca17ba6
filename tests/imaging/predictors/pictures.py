"""Batches of pictures made for tests, (N, 3, H, W)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.samples import picture

Batch = NDArray[np.uint8]
Colour = tuple[int, int, int]

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def flat(*colours: Colour, size: tuple[int, int] = (64, 64)) -> Batch:
    """A picture of one colour for each."""
    width, height = size
    batch = np.zeros((len(colours), 3, height, width), np.uint8)
    batch += np.array(colours, np.uint8).reshape(-1, 3, 1, 1)
    return batch


def on(background: Colour, colour: Colour, pixels: int) -> Batch:
    """One picture: some pixels of a colour on a background, row by row within a border of 2."""
    assert pixels <= 60 * 60
    batch = flat(background)
    for place in range(pixels):
        batch[0, :, 2 + place // 60, 2 + place % 60] = colour
    return batch


def photographs(count: int, size: tuple[int, int] = (64, 64)) -> Batch:
    """Gradients with noise, each another."""
    return np.stack(
        [np.asarray(picture(size=size, seed=seed)).transpose(2, 0, 1) for seed in range(count)]
    )
