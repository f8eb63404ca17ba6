"""ICNS: a chain of blocks whose types tell which sizes there are; the largest one counts.

What a block holds may have another size than its type tells: Pillow goes by the type until it
decodes. The chain is walked to its end, or to the largest size there is.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.pieces import Need, Pieces

__all__ = ["walk"]

_MAX_BLOCKS = 1000
_HOPED = 512

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


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of an ICNS; `pieces.head` begins with `icns`."""
    data = pieces.head
    if len(data) < 8:
        return pieces.need(len(data), 8 - len(data))
    end = int.from_bytes(data[4:8])
    best, other = (0, 0), 0
    place = 8
    for _ in range(_MAX_BLOCKS):
        if place >= end or best == _LARGEST:
            break
        found = pieces.holding(place, 8)
        if found is None:
            return pieces.need(place, 8, hoped=_HOPED)
        at = place - found[0]
        name, length = found[1][at : at + 4], int.from_bytes(found[1][at + 4 : at + 8])
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
