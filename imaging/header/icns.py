"""ICNS: a chain of blocks whose types tell which sizes there are; the largest one counts.

What a block holds may have another size than its type tells: Pillow goes by the type until it
decodes. The chain is walked to its end, or to the largest size there is. Where its blocks stand far
apart, the table of contents that Apple's tools put first (`TOC `: type and length of each block
behind it) tells which one to look at.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.pieces import Need, Pieces

__all__ = ["walk"]

_MAX_BLOCKS = 1000
_HOPED = 512
_BLOCK = Struct(">4sL")  #: type, and length with these eight bytes

#: Type → (side in points, pixels a point): what Pillow reads. It ranks by points first.
_SIZES = {
    b"ic10": (512, 2),
    b"ic09": (512, 1),
    b"ic14": (256, 2),
    b"ic08": (256, 1),
    b"ic13": (128, 2),
    **dict.fromkeys((b"ic07", b"it32", b"t8mk"), (128, 1)),
    b"icp6": (64, 1),
    b"ic12": (32, 2),
    **dict.fromkeys((b"ih32", b"h8mk"), (48, 1)),
    **dict.fromkeys((b"icp5", b"il32", b"l8mk"), (32, 1)),
    b"ic11": (16, 2),
    **dict.fromkeys((b"icp4", b"is32", b"s8mk"), (16, 1)),
}
_LARGEST = max(_SIZES.values())

#: Type → side in pixels of those Pillow does not read.
_OTHERS = {
    **dict.fromkeys((b"ic05", b"ICON", b"ICN#", b"icl4", b"icl8"), 32),
    **dict.fromkeys((b"ic04", b"ics#", b"ics4", b"ics8"), 16),
    **dict.fromkeys((b"SB24", b"ich#", b"ich4", b"ich8"), 48),
    b"icsB": 36,
    b"icsb": 18,
    b"sb24": 24,
}
#: What is no picture, or one for another occasion.
_BESIDE = frozenset(
    (
        *(b"info", b"name", b"icnV", b"sbtp", b"slct", b"\xfd\xd9\x2f\xa8"),
        *(b"tile", b"over", b"open", b"drop", b"odrp"),
    )
)
_KNOWN = _SIZES.keys() | _OTHERS.keys() | _BESIDE


class _Contents(NamedTuple):
    """What a table of contents promises."""

    blocks: dict[int, tuple[bytes, int]]  #: place → (type, length)
    largest: int  #: where the largest picture stands that Pillow reads
    end: int  #: of the last block it tells of

    def holds(self, pieces: Pieces) -> bool:
        """Whether the largest picture stands where it should, as far as is present."""
        promised = self.blocks[self.largest]
        return (_block(pieces, self.largest) or promised) == promised


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of an ICNS; `pieces.head` begins with `icns`."""
    data = pieces.head
    if len(data) < 8:
        return pieces.need(len(data), 8 - len(data))
    end = int.from_bytes(data[4:8])
    best, other = (0, 0), 0
    place = 8
    contents: _Contents | None = None
    unsized: ImageInfo | None = None  # what is told where going back is not worth it
    for number in range(_MAX_BLOCKS):
        if place >= end or best == _LARGEST:
            break
        block = _block(pieces, place)
        if block is None and contents is not None and place in contents.blocks:
            if _block(pieces, contents.largest) is None:
                return pieces.need(contents.largest, 8, hoped=_HOPED)
            best, place = _SIZES[contents.blocks[contents.largest][0]], contents.end
            continue
        if block is None:
            return pieces.need(place, 8, hoped=_HOPED, otherwise=unsized)
        name, length = block
        if contents is not None and contents.blocks.get(place, block) != block:
            contents = None
        if number == 0 and name == b"TOC ":
            contents = _contents(pieces, length, end)
            if contents is not None and not contents.holds(pieces):
                contents, unsized = None, ImageInfo("ICNS", None, None, 1, False, pieces.total)
        if not length:
            return Failure(ErrorCode.CORRUPT_IMAGE, "ICNS with an empty block")
        best = max(best, _SIZES.get(name, best))
        other = max(other, _OTHERS.get(name, 0))
        place += length
    else:
        return Failure(ErrorCode.CORRUPT_IMAGE, "ICNS of too many blocks")
    if side := best[0] * best[1]:
        return ImageInfo("ICNS", (side, side), "RGBA", 1, False, pieces.total)
    if other:
        return ImageInfo("ICNS", (other, other), None, 1, False, pieces.total)
    return Failure(ErrorCode.CORRUPT_IMAGE, "ICNS without an icon")


def _block(pieces: Pieces, place: int) -> tuple[bytes, int] | None:
    """Type and length of the block at `place`, None where it is not present."""
    found = pieces.holding(place, _BLOCK.size)
    if found is None:
        return None
    name, length = _BLOCK.unpack_from(found[1], place - found[0])
    return name, length


def _contents(pieces: Pieces, length: int, end: int) -> _Contents | None:
    """Read the table of contents, the first block; None for one that cannot be true.

    All in it must be known, and there once: a damaged one is not to hide the largest picture.
    """
    count, odd = divmod(length - _BLOCK.size, _BLOCK.size)
    found = (
        pieces.holding(8 + _BLOCK.size, count * _BLOCK.size) if 0 < count < _MAX_BLOCKS else None
    )
    if found is None or odd:
        return None
    blocks: dict[int, tuple[bytes, int]] = {}
    names: dict[bytes, int] = {}
    place = 8 + length
    for name, size in _BLOCK.iter_unpack(found[1][16 : 8 + length]):
        if name in names or name not in _KNOWN or size < _BLOCK.size:
            return None
        blocks[place], names[name] = (name, size), place
        place += size
    pictures = names.keys() & _SIZES.keys()
    if not pictures or place > end or (pieces.total is not None and place > pieces.total):
        return None
    return _Contents(blocks, names[max(pictures, key=_SIZES.__getitem__)], place)
