"""The strips or tiles of a TIFF, judged before Pillow sees the file.

Pillow leaves black what no strip covers; libtiff guesses lengths that are not told, makes room for
a tile of any size, and goes by tiles where Pillow goes by strips. libjpeg paints grey what a strip
that ends too early lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imaging.facts import ErrorCode, Failure
from imaging.header.tiff import first_page
from imaging.header.tiff_directory import Tag, Values
from imaging.options import Limits

__all__ = ["is_cut", "refusal"]

_RAW, _OLD_JPEG, _JPEG = 1, 6, 7
_SEPARATE = 2
_MAX_PARTS = 1 << 20
_STRIP_TAGS = (Tag.STRIP_OFFSETS, Tag.STRIP_LENGTHS)
_TILE_TAGS = (Tag.TILE_WIDTH, Tag.TILE_HEIGHT, Tag.TILE_OFFSETS, Tag.TILE_LENGTHS)
#: A tile may be larger than a small picture, by as much as no writer's tiles are.
_LARGE_TILE = 1 << 22
_END = b"\xff\xd9"  #: of a JPEG
_PADDING, _BEFORE_PADDING = 1024, 16  #: bytes looked at for it: writers align, some with garbage

_NOWHERE = Failure(ErrorCode.CORRUPT_IMAGE, "TIFF that does not tell where all its picture is")
_UNDECIDED = Failure(ErrorCode.CORRUPT_IMAGE, "TIFF whose strips or tiles contradict themselves")
_CUT = Failure(ErrorCode.TRUNCATED_IMAGE, "the picture data end too early")


def refusal(data: bytes, mode: str | None, limits: Limits) -> Failure | None:
    """Say why the strips or tiles of the first page cannot be its whole picture, None if they can.

    `data` is a whole file, `mode` what the header walk tells of it. What the walk does not know
    the mode of is refused too: Pillow may know it, or see another file in the same bytes.
    """
    values = first_page(data)
    if values is None:
        return Failure(ErrorCode.CORRUPT_IMAGE, "TIFF without a directory")
    if mode is None:
        if not values.page.whole:
            return _lacking(values, _NOWHERE)
        return Failure(ErrorCode.UNSUPPORTED_FORMAT, "TIFF of a kind not decoded")
    width, height = values.whole(Tag.WIDTH) or 1, values.whole(Tag.HEIGHT) or 1
    wide, high = width, values.whole(Tag.ROWS_PER_STRIP) or height
    told_tiles = sorted(tag for tag in values.page.listed() if tag in _TILE_TAGS)
    if told_tiles:
        if told_tiles != sorted(values.page.tags.keys() & _TILE_TAGS):
            return _lacking(values, _UNDECIDED)  # libtiff may read what Pillow skips
        if any(tag in values.page.tags for tag in _STRIP_TAGS):
            return _UNDECIDED
        wide, high = values.whole(Tag.TILE_WIDTH) or 0, values.whole(Tag.TILE_HEIGHT) or 0
        if wide < 1 or high < 1:
            return _lacking(values, _UNDECIDED)
        if wide * high > limits.max_pixels:
            return Failure(ErrorCode.TOO_MANY_PIXELS, f"TIFF with tiles of {wide}×{high} pixels")
        if wide * high > max(4 * width * height, _LARGE_TILE):
            return Failure(
                ErrorCode.CORRUPT_IMAGE, f"TIFF of {width}×{height} with tiles of {wide}×{high}"
            )
    at, size = (Tag.TILE_OFFSETS, Tag.TILE_LENGTHS) if told_tiles else _STRIP_TAGS
    offsets = values.every(at, (), most=_MAX_PARTS) or ()
    lengths = values.every(size, (), most=_MAX_PARTS) or ()
    compression = values.one(Tag.COMPRESSION, _RAW)
    if not offsets and compression == _OLD_JPEG:
        return Failure(ErrorCode.UNSUPPORTED_FORMAT, "TIFF with JPEG of the old style")
    planes = int(values.one(Tag.SAMPLES, 1) or 1) if values.one(Tag.PLANAR) == _SEPARATE else 1
    needed = -(-width // max(wide, 1)) * -(-height // max(high, 1)) * planes
    told = len(offsets) if compression == _RAW else min(len(offsets), len(lengths))
    if told < needed:
        return _lacking(values, _NOWHERE)
    if _cut(offsets, () if compression == _RAW else lengths, len(data)):
        return _CUT
    if compression == _JPEG and not _ended(data, zip(offsets[:needed], lengths, strict=False)):
        return _CUT
    return None


def is_cut(data: bytes) -> bool:
    """Whether a file ends before its first directory or a value of it does."""
    values = first_page(data)
    return values is None or not values.page.whole


def _lacking(values: Values, why: Failure) -> Failure:
    """What the directory does not tell, it may tell behind the end of the file."""
    if not values.page.whole:
        return Failure(ErrorCode.TRUNCATED_IMAGE, "it ends inside its directory")
    return why


def _cut(offsets: Sequence[float], lengths: Sequence[float], size: int) -> bool:
    """Whether a strip or tile ends outside the file; without lengths, whether one begins there."""
    if not lengths:
        return max(offsets) >= size
    return any(offset + length > size for offset, length in zip(offsets, lengths, strict=False))


def _ended(data: bytes, parts: Iterable[tuple[float, float]]) -> bool:
    """Whether each part, a JPEG at (offset, length), has its end, but for padding.

    The two bytes of an end cannot stand in compressed data.
    """
    for offset, length in parts:
        start, end = int(offset), int(offset + length)
        tail = data[max(start, end - _PADDING) : end].rstrip(b"\0")
        if _END not in tail[-_BEFORE_PADDING:]:
            return False
    return True
