"""Where the data of an ISO media file's items stand: the `iloc` table of its `meta` box.

After ISO/IEC 14496-12, section 8.11.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from imaging.header.boxes import DamagedError
from imaging.header.heif_items import Items

__all__ = ["extents", "places"]

_MAX_EXTENTS = 5_000  #: of all items, and items without any counted too; most items have one


def places(items: Items) -> dict[int, tuple[int, int]]:
    """Where the data of each item end up: item → (offset, length) of its last extent.

    Raises as `extents` does.
    """
    return {item: (at, length) for item, at, length in extents(items)}


def extents(items: Items) -> Iterator[tuple[int, int, int]]:
    """Where the data of items stand: (item, offset, length), 0 being a length to the file's end.

    Data kept in the `meta` box itself are placed in the file too, those in other files left out.
    Raises `DamagedError` for a table that ends early, or is longer than any.
    """
    if items.locations is None:
        return
    version, body = items.locations.version, items.locations.body
    sizes = int.from_bytes(body[:2])
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    one = index_size + offset_size + length_size  # bytes of an extent: none, and it is not repeated
    wide = 4 if version >= 2 else 2
    pos = 2 + wide
    left = _MAX_EXTENTS
    for _ in range(int.from_bytes(body[2:pos])):
        item = int.from_bytes(body[pos : pos + wide])
        pos += wide
        method = 0
        if version:
            method = body[pos + 1] & 15 if pos + 1 < len(body) else 0
            pos += 2
        base = int.from_bytes(body[pos + 2 : pos + 2 + base_size])
        pos += 2 + base_size
        count = int.from_bytes(body[pos : pos + 2])
        pos += 2
        if pos > len(body):
            raise DamagedError("a short table of places")
        left -= 1 + count
        if left < 0 or (count > 1 and not one):
            raise DamagedError("more places than items")
        for _ in range(count):
            pos += index_size
            offset = base + int.from_bytes(body[pos : pos + offset_size])
            pos += offset_size
            length = int.from_bytes(body[pos : pos + length_size])
            pos += length_size
            if pos > len(body):
                raise DamagedError("a short table of places")
            if method == 1 and items.data is not None:
                offset += items.data.start
            if method == 0 or (method == 1 and items.data is not None):
                yield item, offset, length
