"""What Pillow leaves to be done for a TIFF: strips and tiles judged first, odd greys put right.

Pillow leaves black what no strip covers; libtiff guesses lengths that are not told, and makes room
for a tile of any size. Both take 12 bits for 16, and 16 or floats for black is zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from imaging.facts import ErrorCode, Failure
from imaging.header.tiff import first_page
from imaging.header.tiff_directory import Tag, Values
from imaging.options import Limits

__all__ = ["is_cut", "levelled", "refusal"]

_RAW, _OLD_JPEG = 1, 6
_SEPARATE = 2
_MAX_PARTS = 1 << 20


def refusal(data: bytes, limits: Limits) -> Failure | None:
    """Say why the strips or tiles of the first page cannot be its whole picture, None if they can.

    `data` is a whole file that the header walk knows the mode of.
    """
    values = first_page(data)
    if values is None:
        return None
    tiled = Tag.STRIP_OFFSETS not in values.page.tags
    width, height = values.whole(Tag.WIDTH) or 1, values.whole(Tag.HEIGHT) or 1
    wide, high = width, values.whole(Tag.ROWS_PER_STRIP) or height
    if tiled:
        wide, high = values.whole(Tag.TILE_WIDTH) or width, values.whole(Tag.TILE_HEIGHT) or height
        if wide * high > limits.max_pixels:
            return Failure(ErrorCode.TOO_MANY_PIXELS, f"TIFF with tiles of {wide}×{high} pixels")
    offsets = values.every(Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS, (), most=_MAX_PARTS)
    lengths = values.every(Tag.TILE_LENGTHS if tiled else Tag.STRIP_LENGTHS, (), most=_MAX_PARTS)
    compression = values.one(Tag.COMPRESSION, _RAW)
    if not offsets and compression == _OLD_JPEG:
        return Failure(ErrorCode.UNSUPPORTED_FORMAT, "TIFF with JPEG of the old style")
    planes = int(values.one(Tag.SAMPLES, 1) or 1) if values.one(Tag.PLANAR) == _SEPARATE else 1
    needed = -(-width // max(wide, 1)) * -(-height // max(high, 1)) * planes
    told = len(offsets or ())
    if compression != _RAW:
        told = min(told, len(lengths or ()))
    if told < needed:
        return _lacking(values)
    if _cut(offsets or (), () if compression == _RAW else lengths or (), len(data)):
        return Failure(ErrorCode.TRUNCATED_IMAGE, "the picture data end too early")
    return None


def is_cut(data: bytes) -> bool:
    """Whether a file ends before its first directory or a value of it does."""
    values = first_page(data)
    return values is None or not values.page.whole


def levelled(image: Image.Image) -> Image.Image:
    """Return a loaded TIFF with 16-bit or float greys from black to white, the others as they are.

    12 bits are spread over 16; where white is zero, the greys are turned round.
    """
    if not isinstance(image, TiffImageFile) or image.mode not in ("I;16", "I;16B", "F"):
        return image
    narrow = image.tag_v2.get(Tag.BITS) == (12,)
    negative = image.tag_v2.get(Tag.PHOTOMETRIC, 0) == 0
    if not (narrow or negative):
        return image
    values = np.asarray(image)
    if image.mode == "F":
        return Image.fromarray(np.float32(1) - values)
    grey = values.astype(np.uint16) << (4 if narrow else 0)
    return Image.fromarray(~grey if negative else grey)


def _lacking(values: Values) -> Failure:
    """Fewer strips or tiles are told of than the picture has."""
    if not values.page.whole:
        return Failure(ErrorCode.TRUNCATED_IMAGE, "it ends inside its directory")
    return Failure(ErrorCode.CORRUPT_IMAGE, "TIFF that does not tell where all its picture is")


def _cut(offsets: Sequence[float], lengths: Sequence[float], size: int) -> bool:
    """Whether a strip or tile ends outside the file; without lengths, whether one begins there."""
    if not lengths:
        return max(offsets) >= size
    return any(offset + length > size for offset, length in zip(offsets, lengths, strict=False))
