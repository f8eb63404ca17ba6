"""An image of any Pillow mode → the same picture in RGB, transparency laid over a matte.

Sixteen-bit values are scaled to eight by dividing by 257, where Pillow would clip them. CMYK is
Pillow's plain conversion (Adobe's inverted values are righted when a JPEG is read); CIELAB goes
through LittleCMS to sRGB. Of a TIFF, Pillow takes 12 bits for 16, and 16 or floats for black is
zero: that is put right here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from imaging.header.tiff_directory import Tag

__all__ = ["WHITE", "Colour", "to_rgb"]

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


def to_rgb(image: Image.Image, *, matte: Colour = WHITE) -> Image.Image:
    """Return a loaded image in mode RGB, the same size; the image itself when it is RGB already.

    Raises `ValueError` for a mode that cannot be converted.
    """
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _from_wide(image, matte)
    if mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply(image)
    if not image.has_transparency_data:
        return image if mode == "RGB" else image.convert("RGB")
    if mode == "La":  # Pillow knows no straight way
        image = image.convert("LA")
    layer = image if mode == "RGBA" else image.convert("RGBA")
    ground = Image.new("RGB", image.size, matte)
    ground.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
    return ground


def _from_wide(image: Image.Image, matte: Colour) -> Image.Image:
    """Grey values of 16 or 32 bits, or floats: 0–65535 is black to white, in floats 0–1."""
    image = _levelled(image)
    values = np.asarray(image)
    grey: NDArray[np.uint8]
    if image.mode == "F":
        grey = np.rint(np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0) * 255).astype(np.uint8)
    else:
        grey = ((np.clip(values, 0, 65_535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    rgb = Image.fromarray(grey).convert("RGB")
    key = image.info.get("transparency")
    if isinstance(key, int):
        rgb.paste(matte, mask=Image.fromarray(np.where(values == key, 255, 0).astype(np.uint8)))
    return rgb


def _levelled(image: Image.Image) -> Image.Image:
    """A TIFF with its 16-bit or float greys from black to white, any other image as it is.

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
