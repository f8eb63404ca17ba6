"""JPEG XL: the first bits of the codestream tell size, orientation and animation.

The codestream stands alone or in the boxes of a container, whole (`jxlc`) or in parts (`jxlp`).
The bits are SizeHeader and the beginning of ImageMetadata (ISO/IEC 18181-1, annex D; boxes: part
2). The dimension is as stored: a viewer turns the picture by the orientation, as with JPEG.
Pillow has no reader for it, so there is no mode to tell.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.boxes import Boxes, DamagedError, MissingError
from imaging.header.pieces import Need, Pieces

__all__ = ["CODESTREAM", "CONTAINER", "walk"]

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"

_ENOUGH = 48  #: bytes of codestream: more than everything up to the animation flag takes
_MAX_BOXES = 250  #: before there is enough of the codestream; writers put in a handful
_HOPED = 4096  #: what a `Need` asks for: boxes stand close together

#: How far the distributions of a size reach: (offset, bits) by a selector of two bits.
_SIZES = ((1, 9), (1, 13), (1, 18), (1, 30))
_PREVIEW = ((1, 6), (65, 8), (321, 10), (1345, 12))
_PREVIEW_IN_EIGHTS = ((16, 0), (32, 0), (1, 5), (33, 9))
_RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class _EndError(Exception):
    """The bits present end before the answer."""


class _Bits:
    """A cursor over bits, the low ones of each byte first."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise _EndError
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def choose(self, distributions: tuple[tuple[int, int], ...]) -> int:
        offset, bits = distributions[self.take(2)]
        return offset + self.take(bits)


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a JPEG XL file; `pieces.head` begins with one of its magics."""
    alone = pieces.head.startswith(CODESTREAM)
    try:
        codestream = pieces.head[:_ENOUGH] if alone else _gathered(Boxes(pieces))
    except MissingError as missing:
        return pieces.need(missing.offset, missing.length, hoped=_HOPED)
    except DamagedError as damage:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"JPEG XL with {damage}")
    if not CODESTREAM.startswith(codestream[:2]):
        return Failure(ErrorCode.CORRUPT_IMAGE, "JPEG XL without a codestream")
    try:
        width, height, orientation, animated = _header(_Bits(codestream[2:]))
    except _EndError:
        if alone:
            return pieces.need(len(codestream), 1, hoped=_ENOUGH)
        return Failure(ErrorCode.TRUNCATED_IMAGE, "its boxes end too early")
    return ImageInfo("JXL", (width, height), None, orientation, animated, pieces.total)


def _gathered(boxes: Boxes) -> bytes:
    """The first bytes of the codestream in a container."""
    codestream = b""
    for number, box in enumerate(boxes.walk_file(len(CONTAINER))):
        if number >= _MAX_BOXES:
            raise DamagedError(f"more than {_MAX_BOXES} boxes")
        if box.name not in (b"jxlc", b"jxlp"):
            continue
        skipped = 4 if box.name == b"jxlp" else 0  # a part begins with its number
        codestream += boxes.start_of(box, skipped + _ENOUGH - len(codestream))[skipped:]
        if box.name == b"jxlc" or len(codestream) >= _ENOUGH:
            break
    return codestream


def _header(bits: _Bits) -> tuple[int, int, int, bool]:
    """(width, height, orientation, animated) of a codestream behind its magic."""
    width, height = _size(bits)
    if bits.take(1) or not bits.take(1):  # all default, or none of the fields that matter here
        return width, height, 1, False
    orientation = 1 + bits.take(3)
    if bits.take(1):
        _size(bits)  # the size to show it at
    if bits.take(1):
        _size(bits, preview=True)
    return width, height, orientation, bits.take(1) == 1


def _size(bits: _Bits, *, preview: bool = False) -> tuple[int, int]:
    """Read a SizeHeader or PreviewHeader: (width, height)."""
    in_eights = bits.take(1)
    height = _side(bits, in_eights, preview=preview)
    ratio = bits.take(3)
    if ratio:
        times, parts = _RATIOS[ratio]
        return height * times // parts, height
    return _side(bits, in_eights, preview=preview), height


def _side(bits: _Bits, in_eights: int, *, preview: bool) -> int:
    if not in_eights:
        return bits.choose(_PREVIEW if preview else _SIZES)
    return 8 * (bits.choose(_PREVIEW_IN_EIGHTS) if preview else 1 + bits.take(5))
