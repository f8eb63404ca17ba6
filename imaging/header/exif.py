"""The orientation out of an EXIF block, and single tags out of any TIFF directory.

An EXIF block is a small TIFF file inside a picture. It is read in place, without copying, and as
Pillow reads it: the first usable entry of a tag counts, and a value that lies outside the block
ends the directory. The block may be present in part only.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import Literal

__all__ = [
    "ORIENTATION",
    "NotPresentError",
    "find_tag",
    "number",
    "orientation",
    "orientation_in_xmp",
    "settled",
]

_MAX_ENTRIES = 4096

#: The byte orders Pillow accepts, misspelt ones too → how to read the directory.
_ENTRY = {
    b"II*\0": Struct("<HHLL"),
    b"II\0*": Struct("<HHLL"),
    b"MM\0*": Struct(">HHLL"),
    b"MM*\0": Struct(">HHLL"),
    b"MM\0+": Struct(">HHLL"),  # BigTIFF, which Pillow knows by its third byte only
}
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_SHORTS, _LONGS = (3, 8), (4, 9, 13)
ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


class NotPresentError(Exception):
    """The answer lies in bytes of the block that have not been fetched."""


def orientation(data: bytes, start: int, length: int) -> int | None:
    """Return the orientation, 1–8, of the EXIF block of `length` bytes at `start`, None without.

    A number out of these tells 1, and so does a block that is no TIFF: as with Pillow, no XMP is
    asked then.
    Raises `NotPresentError` when `data` ends before the answer.
    """
    prefixes = 0
    while prefixes < 2 and data.startswith(b"Exif\0\0", start):
        start, length, prefixes = start + 6, length - 6, prefixes + 1
    if min(length, len(data) - start) >= 8 and data[start : start + 4] not in _ENTRY:
        return 1
    entry = find_tag(data, start, length, ORIENTATION)
    if entry is None:
        return None
    value = number(data, start, entry)
    return value if value is not None and 1 <= value <= 8 else 1


def orientation_in_xmp(packet: bytes) -> int | None:
    """Return the orientation an XMP packet tells: it counts where EXIF tells none."""
    match = _XMP_ORIENTATION.search(packet)
    if match is None or not 1 <= (value := int(match[1])) <= 8:
        return None
    return value


def settled(
    data: bytes,
    block: tuple[int, int] | None,
    packet: tuple[int, int] | None,
    *,
    certain: bool,
) -> int | None:
    """Return the orientation told by an EXIF block, else by an XMP packet: both (start, length).

    Where neither tells, it is 1 if it is `certain` that there are no others, else None.
    """
    if block:
        try:
            if told := orientation(data, *block):
                return told
        except NotPresentError:
            return None
    if not certain:
        return None
    if packet:
        start, length = packet
        if told := orientation_in_xmp(data[start : start + length]):
            return told
        if start + length > len(data):
            return None
    return 1


def find_tag(data: bytes, start: int, length: int, wanted: int) -> tuple[int, bytes] | None:
    """Return (type, value bytes) of one tag in the first directory of the TIFF block at `start`.

    Raises `NotPresentError` when `data` ends before the answer.
    """
    present = min(length, len(data) - start)
    if present < 8:
        if length < 8:
            return None
        raise NotPresentError
    entry = _ENTRY.get(data[start : start + 4])
    if entry is None:
        return None
    order = _order(data, start)
    directory = int.from_bytes(data[start + 4 : start + 8], order)
    if directory + 2 > present:
        if directory + 2 > length:
            return None
        raise NotPresentError
    place = start + directory
    count = int.from_bytes(data[place : place + 2], order)
    place += 2
    elsewhere = 0
    for _ in range(min(count, _MAX_ENTRIES)):
        if place + 12 > start + present:
            if place + 12 > start + length:
                return None
            raise NotPresentError
        tag, kind, items, value = entry.unpack_from(data, place)
        place += 12
        size = items * _UNIT.get(kind, 0)
        if size <= 4:
            if tag == wanted and size:
                return kind, data[place - 4 : place - 4 + size]
            continue
        elsewhere += size
        if elsewhere > length:
            continue
        if value + size > length:
            return None
        if tag == wanted:
            if value + size > present:
                raise NotPresentError
            return kind, data[start + value : start + value + size]
    return None


def number(data: bytes, start: int, entry: tuple[int, bytes]) -> int | None:
    """Return the first whole number of a tag that `find_tag` found in the block at `start`."""
    kind, raw = entry
    if kind in _SHORTS:
        return int.from_bytes(raw[:2], _order(data, start), signed=kind == 8)
    if kind in _LONGS:
        return int.from_bytes(raw[:4], _order(data, start), signed=kind == 9)
    return None


def _order(data: bytes, start: int) -> Literal["little", "big"]:
    return "little" if data[start] == 0x49 else "big"
