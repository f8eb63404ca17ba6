"""The bytes of a whole file → an upright RGB image of its first frame, or why not.

Runs in a pool child: everything here may meet a hostile file. What can be judged from the header
(kind, pixels, scans) is judged before a C decoder sees the file; whatever a decoder raises comes
back as a `Failure`. A file that ends too early never gives partial pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from imaging import heif_opener, tiff_parts
from imaging.facts import DECODED_FORMATS, ErrorCode, Failure, ImageInfo
from imaging.header import Need, heif, ico, inspect
from imaging.header.jpeg import count_scans
from imaging.options import DRAFT_SCALE, Limits
from imaging.rgb import WHITE, Colour, to_rgb

__all__ = ["Box", "Decoded", "Needed", "decode"]

#: Left, top, right and bottom in an image, in pixels and parts of them.
Box = tuple[float, float, float, float]
#: From the upright dimension of a picture, the dimension that is all its caller will make of it.
Needed = Callable[[tuple[int, int]], tuple[int, int]]

_ORIENTATION = 0x0112
_LIMIT = "security limit"  #: of libheif, which calls that a lack of memory too
_NO_MEMORY = ("out of memory", "memory allocation error")  #: as libavif and libheif put it
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPED = (5, 6, 7, 8)  #: orientations by which width and height change places
_FROM_RIGHT, _FROM_BOTTOM = (2, 3, 6, 7), (3, 4, 7, 8)  #: where the stored corner comes to lie
#: Pillow turns these itself as it loads them.
_TURNED_BY_PILLOW = ("TIFF",)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture: its pixels, and the header facts they were decoded by."""

    image: Image.Image  #: mode RGB, upright; smaller than stored where `needed` allowed it
    box: Box  #: what the picture fills of the image: the sides of a scaled one are rounded up
    info: ImageInfo  #: as `header.inspect` tells them, orientation never None
    has_icc: bool


def decode(
    data: bytes, *, limits: Limits, needed: Needed | None = None, matte: Colour = WHITE
) -> Decoded | Failure:
    """Decode the first frame of a whole file, turn it upright, lay it over `matte`.

    With `needed` a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, on neither axis below twice
    what is needed. Raises nothing but a `TimeoutError` that a signal handler of the caller may
    have thrown in.
    """
    info = inspect(data, total=len(data))
    if isinstance(info, Need):  # cannot be: the whole file is here
        return Failure(ErrorCode.TRUNCATED_IMAGE)
    if isinstance(info, Failure):
        return info
    if refusal := _refused(data, info, limits):
        return refusal
    try:
        # Pillow warns of doubtful metadata and of many pixels; both are judged here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(data, info, limits, needed, matte)
    except TimeoutError:
        raise
    except Exception as error:
        return _judged(error, data, info)


def _refused(data: bytes, info: ImageInfo, limits: Limits) -> Failure | None:
    """What the header alone forbids."""
    if _plugin(info) not in DECODED_FORMATS:
        return Failure(ErrorCode.UNSUPPORTED_FORMAT, f"{info.image_format} is not decoded")
    if info.image_dimension and (too_many := _too_many_pixels(info.image_dimension, limits)):
        return too_many
    if _plugin(info) == "JPEG" and count_scans(data, limits.max_scans) > limits.max_scans:
        return Failure(ErrorCode.TOO_MANY_SCANS, f"more than {limits.max_scans} scans")
    if info.image_format == "TIFF":
        return tiff_parts.refusal(data, info.image_mode, limits)
    if info.image_format in ("AVIF", "HEIF"):
        return _refused_heif(data, info, limits)
    return None


def _refused_heif(data: bytes, info: ImageInfo, limits: Limits) -> Failure | None:
    """What its decoder would not refuse: more pixels than it hands out, missing tiles of HEIF."""
    if info.image_format == "HEIF" and not heif_opener.REGISTERED:
        return Failure(ErrorCode.UNSUPPORTED_FORMAT, 'HEIF is decoded with the extra "heif" only')
    try:
        coded = heif.coded_dimensions(data)
    except heif.DamagedError as damage:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"{info.image_format} with {damage}")
    for size in coded:
        if too_many := _too_many_pixels(size, limits):
            return too_many
    if info.image_format == "HEIF" and heif.is_cut(data):
        return Failure(ErrorCode.TRUNCATED_IMAGE, "the picture data end too early")
    return None


def _decoded(
    data: bytes, info: ImageInfo, limits: Limits, needed: Needed | None, matte: Colour
) -> Decoded | Failure:
    with Image.open(BytesIO(data), formats=(_plugin(info),)) as image:
        if too_many := _too_many_pixels(image.size, limits):
            return too_many
        filled: tuple[float, float] | None = None
        if needed is not None and isinstance(image, JpegImageFile):
            filled = _draft(image, info.orientation or _orientation(image), needed)
        image.load()
        has_icc = bool(image.info.get("icc_profile"))
        orientation = info.orientation or _orientation(image)
        upright = to_rgb(image, matte=matte)
        if orientation in _UPRIGHT and info.image_format not in _TURNED_BY_PILLOW:
            upright = upright.transpose(_UPRIGHT[orientation])
        box = _box(upright.size, filled, orientation)
        return Decoded(upright, box, info._replace(orientation=orientation), has_icc)


def _plugin(info: ImageInfo) -> str:
    """The Pillow plugin that reads a format: only this one is let near the bytes."""
    return "JPEG" if info.image_format == "MPO" else info.image_format


def _too_many_pixels(size: tuple[int, int], limits: Limits) -> Failure | None:
    width, height = size
    if width * height <= limits.max_pixels:
        return None
    return Failure(
        ErrorCode.TOO_MANY_PIXELS, f"{width}×{height} is more than {limits.max_pixels} pixels"
    )


def _draft(image: JpegImageFile, orientation: int, needed: Needed) -> tuple[float, float] | None:
    """Let libjpeg scale down while decoding, to no less than twice what is needed on either axis.

    Returns what the picture then fills of the image as stored, None where it is not known.
    """
    width, height = image.size
    if orientation in _SWAPPED:
        down, across = needed((height, width))
    else:
        across, down = needed((width, height))
    drafted = image.draft("RGB", (DRAFT_SCALE * across, DRAFT_SCALE * down))
    return drafted and drafted[1][2:]


def _box(size: tuple[int, int], filled: tuple[float, float] | None, orientation: int) -> Box:
    """What the picture fills of an upright image: all, or all but parts of the outermost pixels.

    Taken for a whole pixel, an eighth of one moves everything: at 64 pixels that makes most of
    the difference between a scaled decoding and a full one.
    """
    width, height = size
    if filled is None:
        return 0, 0, width, height
    across, down = reversed(filled) if orientation in _SWAPPED else filled
    left = width - across if orientation in _FROM_RIGHT else 0
    top = height - down if orientation in _FROM_BOTTOM else 0
    return left, top, left + across, top + down


def _orientation(image: Image.Image) -> int:
    """The orientation where the header walk could not tell, 1 if Pillow cannot either."""
    try:
        told = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # random bytes where EXIF should be: not worth losing the picture
        return 1
    return told if isinstance(told, int) and 1 <= told <= 8 else 1


def _judged(error: Exception, data: bytes, info: ImageInfo) -> Failure:
    """Map whatever Pillow raised to one of our codes."""
    text = str(error).split("\n", 1)[0][:200]
    lower = text.lower()
    if _LIMIT in lower:
        large = "image size" in lower
        return Failure(ErrorCode.TOO_MANY_PIXELS if large else ErrorCode.CORRUPT_IMAGE, text)
    if isinstance(error, MemoryError) or any(words in lower for words in _NO_MEMORY):
        # What a child that hit its memory limit is reported as, when it survives to say so.
        return Failure(ErrorCode.WORKER_DIED, "not enough memory to decode it")
    if isinstance(error, Image.DecompressionBombError):
        return Failure(ErrorCode.TOO_MANY_PIXELS, text)
    if "truncated" in lower or _cut(data, info):
        return Failure(ErrorCode.TRUNCATED_IMAGE, "the picture data end too early")
    if info.image_mode is None or "unsupported" in lower or "not supported" in lower:
        return Failure(ErrorCode.UNSUPPORTED_FORMAT, f"{info.image_format} of a kind not decoded")
    if isinstance(error, UnidentifiedImageError):  # its text holds a memory address
        text = "the header is damaged"
    return Failure(ErrorCode.CORRUPT_IMAGE, text or type(error).__name__)


def _cut(data: bytes, info: ImageInfo) -> bool:
    """Whether a file, of a decoder that does not always say so, is shorter than it tells."""
    if info.image_format == "TIFF":
        return tiff_parts.is_cut(data)
    if info.image_format == "ICO":
        return ico.is_cut(data)
    if info.image_format == "AVIF":
        return heif.is_cut(data)
    return info.image_format == "WEBP" and int.from_bytes(data[4:8], "little") + 8 > len(data)
