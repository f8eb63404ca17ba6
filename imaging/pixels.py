"""An upright RGB image → its pixels at one size; the pixels of several → a batch.

`prepare` is the entry point of the pool: the bytes of a file in, the bytes of an array (3, H, W)
out. `as_batch` reads such bytes, put one behind the other, as what a predictor is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.decode import Box, decode
from imaging.facts import Failure
from imaging.options import REDUCING_GAP, Fit, Limits, Resize

__all__ = ["Pixels", "as_batch", "fit_image", "prepare", "to_pixels"]

Pixels = NDArray[np.uint8]


def prepare(data: bytes, *, limits: Limits, resize: Resize) -> bytes | Failure:
    """Decode a whole file, bring it to the size: width × height × 3 bytes, channel by channel."""
    decoded = decode(data, limits=limits, needed=resize.scaled, matte=resize.matte)
    if isinstance(decoded, Failure):
        return decoded
    return to_pixels(decoded.image, resize, box=decoded.box).tobytes()


def to_pixels(image: Image.Image, resize: Resize, *, box: Box | None = None) -> Pixels:
    """Return an RGB image at the size as an array (3, H, W), contiguous in memory."""
    rows = np.asarray(fit_image(image, resize, box=box))
    return np.ascontiguousarray(rows.transpose(2, 0, 1))


def fit_image(image: Image.Image, resize: Resize, *, box: Box | None = None) -> Image.Image:
    """Return an RGB image of exactly the size; `box` is the part of `image` that counts.

    What is cut off for proportions is never scaled: the filter reads from the part that stays.
    """
    whole = box or (0, 0, *image.size)
    part = _middle(whole, resize.size) if resize.fit is Fit.CROP else whole
    scaled = resize.size
    if resize.fit is Fit.PAD:
        scaled = resize.scaled((whole[2] - whole[0], whole[3] - whole[1]))
    kernel = Image.Resampling[resize.filter.name]
    fitted = image.resize(scaled, kernel, box=part, reducing_gap=REDUCING_GAP)
    if scaled == resize.size:
        return fitted
    (width, height), (across, down) = resize.size, scaled
    ground = Image.new("RGB", resize.size, resize.matte)
    ground.paste(fitted, ((width - across) // 2, (height - down) // 2))
    return ground


def as_batch(pixels: bytes, size: tuple[int, int]) -> Pixels:
    """Read the pixels of N pictures of a size as an array (N, 3, H, W) that cannot be written.

    Raises `ValueError` where they are not those of whole pictures.
    """
    width, height = size
    each = 3 * height * width
    if len(pixels) % each:
        raise ValueError(f"{len(pixels)} bytes are not of whole pictures of {each} bytes")
    batch: Pixels = np.ndarray((len(pixels) // each, 3, height, width), np.uint8, pixels)
    batch.flags.writeable = False
    return batch


def _middle(whole: Box, size: tuple[int, int]) -> Box:
    """The largest part in the middle of a box that has the proportions of a size."""
    left, top, right, bottom = whole
    across, down = size
    beside = max(right - left - (bottom - top) * across / down, 0) / 2
    above = max(bottom - top - (right - left) * down / across, 0) / 2
    return left + beside, top + above, right - beside, bottom - above
