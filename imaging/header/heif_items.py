"""The items of an ISO media file: which pictures its `meta` box lists, and their properties.

After ISO/IEC 14496-12, section 8.11 (`pitm iinf iref iloc`), and 23008-12, section 9.3 (`iprp`).
The box is read once from front to end, so every byte wanted lies further on than those before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from imaging.header.boxes import Box, Boxes, DamagedError

__all__ = ["Item", "Items", "extents", "read_items"]

_MAX_BYTES = 1 << 20  #: of one table; one of 1000 items has some ten thousand
_MAX_ENTRIES = 10_000  #: of one table
_XMP = b"application/rdf+xml\0"
_ENOUGH_OF_PROPERTY = 64  #: every property that tells something here does so within these bytes


class Item(NamedTuple):
    """What `iinf` tells of an item."""

    kind: bytes  #: `av01`, `hvc1`, `grid`, `Exif`, `mime`, …; empty in files older than these
    hidden: bool
    xmp: bool


@dataclass(slots=True)
class Items:
    """What a `meta` box lists; as much of it as was read when a `MissingError` comes."""

    primary: int | None = None
    infos: dict[int, Item] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)  #: name, first bytes
    owned: dict[int, list[int]] = field(default_factory=dict)  #: item → numbers in `properties`
    pointers: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)
    damaged: bool = False  #: a table ends before its entries do: the rest of it is not known
    locations: Box | None = None
    data: Box | None = None

    def of(self, item: int) -> list[tuple[bytes, bytes]]:
        """The properties of an item in the order in which they apply."""
        numbers = self.owned.get(item, ())
        return [self.properties[n - 1] for n in numbers if 0 < n <= len(self.properties)]

    def first(self, item: int, name: bytes) -> bytes | None:
        """The first bytes of an item's first property of a name."""
        return next((value for found, value in self.of(item) if found == name), None)

    def sound(self, item: int) -> bool:
        """Whether an item has all the properties it says, among them what a decoder needs."""
        info, properties = self.infos.get(item), self.of(item)
        if info is None or len(properties) < sum(map(bool, self.owned.get(item, ()))):
            return False
        needed = {b"av01": {b"av1C", b"ispe"}, b"hvc1": {b"hvcC", b"ispe"}}.get(info.kind, set())
        return needed <= {name for name, _ in properties}

    def pointing_at(self, item: int, kind: bytes) -> list[int]:
        """The items that refer to an item in a way (`auxl`, `thmb`, `cdsc`, …)."""
        return self.pointers.get((kind, item), [])

    def inputs(self, item: int) -> list[int]:
        """The items that a derived one is made of."""
        return next(
            (to for name, source, to in self.references if (name, source) == (b"dimg", item)), []
        )


def read_items(boxes: Boxes, meta: Box, items: Items) -> None:
    """Read a `meta` box into `items`. Raises `MissingError` and `DamagedError`."""
    for box in boxes.walk(meta.start + 4, meta.end):
        if box.name == b"pitm":
            version, body = _table(boxes, box)
            items.primary = int.from_bytes(body[:4] if version else body[:2])
        elif box.name == b"iinf":
            version, body = _table(boxes, box)
            wide = 4 if version else 2
            infos = list(_infos(body[wide:], items))
            items.infos = dict(infos)
            if not len(infos) == len(items.infos) == int.from_bytes(body[:wide]):
                items.damaged = True
        elif box.name == b"iref":
            version, body = _table(boxes, box)
            items.references = list(_references(body, 4 if version else 2, items))
            for kind, source, to in items.references:
                for target in to:
                    items.pointers.setdefault((kind, target), []).append(source)
        elif box.name == b"iprp":
            _read_properties(boxes, box, items)
        elif box.name == b"iloc":
            items.locations = box
        elif box.name == b"idat":
            items.data = box


def extents(boxes: Boxes, items: Items) -> Iterator[tuple[int, int, int]]:
    """Where the data of items stand: (item, offset, length), 0 being a length to the file's end.

    Data kept in the `meta` box itself are placed in the file too, those in other files left out.
    """
    if items.locations is None:
        return
    version, body = _table(boxes, items.locations)
    sizes = int.from_bytes(body[:2])
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    wide = 4 if version >= 2 else 2
    pos = 2 + wide
    for _ in range(min(int.from_bytes(body[2:pos]), _MAX_ENTRIES)):
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
        for _ in range(min(count, _MAX_ENTRIES)):
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


def _table(boxes: Boxes, box: Box) -> tuple[int, bytes]:
    """The version of a box that has one, and the whole body behind it."""
    if box.end is None or not 4 <= box.end - box.start <= _MAX_BYTES:
        raise DamagedError(f"a {box.name.decode('latin-1')} box of an unlikely size")
    data = boxes.read(box.start, box.end - box.start)
    return data[0], data[4:]


def _entries(body: bytes, items: Items) -> Iterator[tuple[bytes, int, int]]:
    """The boxes inside a table that is read already: (name, start of the payload, its end)."""
    pos = 0
    for _ in range(_MAX_ENTRIES):
        if pos + 8 > len(body):
            return
        size = int.from_bytes(body[pos : pos + 4])
        if size < 8 or pos + size > len(body):
            break
        yield body[pos + 4 : pos + 8], pos + 8, pos + size
        pos += size
    items.damaged = True


def _infos(body: bytes, items: Items) -> Iterator[tuple[int, Item]]:
    for name, start, end in _entries(body, items):
        if name != b"infe" or end - start < 8:
            items.damaged = True
            continue
        version, hidden = body[start], body[start + 3] & 1 == 1
        wide = 4 if version >= 3 else 2
        kind = start + 4 + wide + 2
        if version < 2 or kind + 4 > end:  # versions without kinds are no pictures' either
            items.damaged = True
            continue
        _, _, content = body[kind + 4 : end].partition(b"\0")  # behind the item's own name
        xmp = body[kind : kind + 4] == b"mime" and content.startswith(_XMP)
        item = Item(body[kind : kind + 4], hidden, xmp)
        yield int.from_bytes(body[start + 4 : start + 4 + wide]), item


def _references(body: bytes, wide: int, items: Items) -> Iterator[tuple[bytes, int, list[int]]]:
    told = 0
    for name, start, end in _entries(body, items):
        first = start + wide + 2
        last = min(first + wide * int.from_bytes(body[start + wide : first]), end)
        told += (last - first) // wide
        if told > _MAX_ENTRIES:
            items.damaged = True
            return
        to = [int.from_bytes(body[at : at + wide]) for at in range(first, last, wide)]
        yield name, int.from_bytes(body[start : start + wide]), to


def _read_properties(boxes: Boxes, iprp: Box, items: Items) -> None:
    for box in boxes.walk(iprp.start, iprp.end):
        if box.name == b"ipco":
            for one in boxes.walk(box.start, box.end):
                items.properties.append((one.name, boxes.start_of(one, _ENOUGH_OF_PROPERTY)))
        elif box.name == b"ipma":
            _read_owned(boxes, box, items)


def _read_owned(boxes: Boxes, ipma: Box, items: Items) -> None:
    version, body = _table(boxes, ipma)
    start = boxes.read(ipma.start + 3, 1)[0]
    wide, step = 4 if version else 2, 2 if start & 1 else 1
    number = (1 << 8 * step - 1) - 1  # the high bit says that the property is essential
    pos = 4
    for _ in range(min(int.from_bytes(body[:4]), _MAX_ENTRIES)):
        first = pos + wide + 1
        if first > len(body):
            items.damaged = True
            return
        item = int.from_bytes(body[pos : pos + wide])
        pos = first + step * body[first - 1]
        items.owned.setdefault(item, []).extend(
            int.from_bytes(body[at : at + step]) & number for at in range(first, pos, step)
        )
