"""An upright RGB image → a small WebP inside a `data:` URI, ready for a page or a record."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from PIL import Image

__all__ = ["MAX_SIDE", "thumbnail"]

MAX_SIDE = 256  #: the longest long side on offer
_QUALITY = 75


def thumbnail(image: Image.Image, *, side: int) -> str:
    """Return `data:image/webp;base64,…` of the image with a long side of at most `side` pixels.

    An image is never enlarged. Raises `ValueError` for a side outside 1 to 256.
    """
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f"a thumbnail's long side is 1 to {MAX_SIDE} pixels, not {side}")
    width, height = image.size
    long = max(width, height)
    if long > side:
        size = max(round(width * side / long), 1), max(round(height * side / long), 1)
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    file = BytesIO()
    image.save(file, "WEBP", quality=_QUALITY)
    return "data:image/webp;base64," + b64encode(file.getvalue()).decode("ascii")
