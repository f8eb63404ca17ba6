"""ICO and CUR: a directory of pictures, each a PNG or a headless BMP; the largest one counts.

Which is the largest the directory tells, how large it really is the picture itself.
"""

from __future__ import annotations

from struct import Struct

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import bmp, png
from imaging.header.pieces import Need, Pieces

__all__ = ["MAGIC_CUR", "MAGIC_ICO", "is_cut", "walk_cur", "walk_ico"]

MAGIC_ICO, MAGIC_CUR = b"\0\0\1\0", b"\0\0\2\0"

_ENTRY = Struct("<BBBBHHLL")  #: width, height, colours, reserved, planes, bits, length, offset
_MAX_ENTRIES = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = 140  #: bytes of a bitmap that hold every kind of header and its masks
_HEADER_AND_PALETTE = 1200
_PNG_START = 2048  #: bytes of a PNG that hold its first chunks
_TGA_HEADER = 18

_Entry = tuple[int, ...]


def walk_ico(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of an ICO; `pieces.head` begins with `MAGIC_ICO`."""
    entries = _entries(pieces)
    if not isinstance(entries, list):
        return entries
    offset = min(entries, key=_rank)[7]
    inside = _inside(pieces, offset, _HEADER, whole=True)
    if not isinstance(inside, ImageInfo) or inside.image_dimension is None:
        return inside
    width, height = inside.image_dimension
    mode = inside.image_mode
    if inside.image_format == "BMP":  # with its mask below it, in rows of their own
        height, mode = height // 2, mode and "RGBA"
    if not height:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"ICO of {width}×{height} pixels")
    return ImageInfo("ICO", (width, height), mode, 1, False, pieces.total)


def walk_cur(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a CUR; `pieces.head` begins with `MAGIC_CUR`."""
    entries = _entries(pieces)
    if not isinstance(entries, list):
        return entries
    largest = entries[0]
    for entry in entries:
        if entry[0] > largest[0] and entry[1] > largest[1]:
            largest = entry
    offset = largest[7] or 6 + len(entries) * _ENTRY.size
    inside = _inside(pieces, offset, _HEADER_AND_PALETTE, whole=False)
    if not isinstance(inside, ImageInfo) or inside.image_dimension is None:
        return inside
    width, height = inside.image_dimension
    mode: str | None = None
    if inside.image_format == "BMP":
        height, mode = height // 2, inside.image_mode
        if mode in ("1", "L"):
            mode = "LA"
        elif mode == "RGB" and largest[7] == 22 and _has_alpha(pieces, offset):
            mode = "RGBA"
    if not height:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"CUR of {width}×{height} pixels")
    return ImageInfo("CUR", (width, height), mode, 1, False, pieces.total)


def is_cut(data: bytes) -> bool:
    """Whether the whole file of an ICO ends before its largest picture does."""
    entries = _entries(Pieces(data, len(data)))
    if not isinstance(entries, list):
        return False
    largest = min(entries, key=_rank)
    return largest[6] + largest[7] > len(data)


def _entries(pieces: Pieces) -> list[_Entry] | Need | Failure:
    """Read the directory."""
    data = pieces.head
    if len(data) < 6:
        return pieces.need(len(data), 6 - len(data))
    count = int.from_bytes(data[4:6], "little")
    if not count:
        return _without_entries(pieces)
    length = 6 + count * _ENTRY.size
    if count > _MAX_ENTRIES:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"an icon of {count} pictures")
    if len(data) < length:
        return pieces.need(len(data), length - len(data))
    return list(_ENTRY.iter_unpack(data[6:length]))


def _without_entries(pieces: Pieces) -> Need | Failure:
    """A cursor of no pictures begins as a TGA does, which has no magic of its own."""
    data = pieces.head
    if data.startswith(MAGIC_CUR):
        if len(data) < _TGA_HEADER and not pieces.complete:
            return pieces.need(len(data), _TGA_HEADER - len(data))
        if data[12:14] != b"\0\0" != data[14:16] and data[16:17] in (b"\x10", b"\x18", b"\x20"):
            return Failure(ErrorCode.UNSUPPORTED_FORMAT, "TGA is not supported")
    return Failure(ErrorCode.CORRUPT_IMAGE, "an icon without a picture")


def _rank(entry: _Entry) -> tuple[int, int]:
    """Pillow's order: the most pixels, then the fewest bits a pixel, then the first."""
    width, height, colours, _, _, bits, _, _ = entry
    depth = bits or max(colours - 1, 0).bit_length() or 256
    return -(width or 256) * (height or 256), depth


def _inside(pieces: Pieces, offset: int, length: int, *, whole: bool) -> ImageInfo | Need | Failure:
    """Tell the facts of the picture at `offset`, which takes `length` bytes of it.

    `whole` tells to take a bitmap for one with all its palette.
    """
    size = length if pieces.total is None else min(length, pieces.total - offset)
    found = pieces.holding(offset, size) if size > 8 else None
    if found is None:
        return pieces.need(offset, max(size, 9))
    at = offset - found[0]
    if found[1].startswith(_PNG, at):
        start = found[1][at : at + _PNG_START]
        rest = None if pieces.total is None else pieces.total - offset
        inside = png.walk(Pieces(start, rest))
        if isinstance(inside, Need):
            return pieces.need(offset + inside.offset, inside.length)
        return inside
    bitmap = b"BM" + bytes(12) + found[1][at : at + size]
    ends = whole or size < length
    inside = bmp.walk(Pieces(bitmap, len(bitmap) if ends else None))
    if isinstance(inside, Failure) and inside.code is ErrorCode.NOT_AN_IMAGE:
        return Failure(ErrorCode.CORRUPT_IMAGE, "an icon with a damaged picture")
    return inside


def _has_alpha(pieces: Pieces, offset: int) -> bool:
    """Whether the bitmap at `offset` is of plain pixels of 32 bits: Pillow trusts their alpha."""
    head = pieces.head
    return head[offset + 14 : offset + 20] == b"\x20\0\0\0\0\0" and head[offset] != 12
