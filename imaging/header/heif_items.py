"""The items of an ISO media file: which pictures its `meta` box lists, and their properties.

After ISO/IEC 14496-12, section 8.11 (`pitm iinf iref iloc`), and 23008-12, section 9.3 (`iprp`).
The box is read once from front to end, so every byte wanted lies further on than those before. Its
tables are taken apart only when all of it is there: a walk that begins anew with every piece of a
stream would do so over and over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from imaging.header.boxes import Box, Boxes, DamagedError

__all__ = ["Item", "Items", "read_items"]

_MAX_BYTES = 1 << 17  #: of one table; one of 1000 items has some twenty thousand
_MAX_ENTRIES = 12_000  #: of all tables; 1000 items have some eight thousand
_BOX_COSTS = 3  #: as many times as long as a number does a box take that is an entry
_XMP = b"application/rdf+xml\0"
_ENOUGH_OF_PROPERTY = 64  #: every property that tells something here does so within these bytes
_NEEDED = {b"av01": {b"av1C", b"ispe"}, b"hvc1": {b"hvcC", b"ispe"}}  #: kind → properties
_TABLES = (b"pitm", b"iinf", b"iref")


class Item(NamedTuple):
    """What `iinf` tells of an item."""

    kind: bytes  #: `av01`, `hvc1`, `grid`, `Exif`, `mime`, …; empty in files older than these
    hidden: bool
    xmp: bool


class Table(NamedTuple):
    """A box with a version, read whole."""

    name: bytes
    version: int
    flags: int
    body: bytes


@dataclass(slots=True)
class Items:
    """What a `meta` box lists."""

    primary: int | None = None
    infos: dict[int, Item] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)  #: name, first bytes
    owned: dict[int, list[int]] = field(default_factory=dict)  #: item → numbers in `properties`
    pointers: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)
    made_of: dict[int, list[int]] = field(default_factory=dict)  #: derived item → its inputs
    damaged: bool = False  #: a table ends before its entries do: the rest of it is not known
    locations: Table | None = None
    data: Box | None = None
    _left: int = _MAX_ENTRIES
    _resolved: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)

    def of(self, item: int) -> list[tuple[bytes, bytes]]:
        """The properties of an item in the order in which they apply."""
        found = self._resolved.get(item)
        if found is None:
            count, numbers = len(self.properties), self.owned.get(item, ())
            found = [self.properties[n - 1] for n in numbers if 0 < n <= count]
            self._resolved[item] = found
        return found

    def first(self, item: int, name: bytes) -> bytes | None:
        """The first bytes of an item's first property of a name."""
        return next((value for found, value in self.of(item) if found == name), None)

    def sound(self, item: int) -> bool:
        """Whether an item has all the properties it says, among them what a decoder needs."""
        info, properties = self.infos.get(item), self.of(item)
        if info is None or len(properties) < sum(map(bool, self.owned.get(item, ()))):
            return False
        needed = _NEEDED.get(info.kind)
        return needed is None or needed <= {name for name, _ in properties}

    def pointing_at(self, item: int, kind: bytes) -> list[int]:
        """The items that refer to an item in a way (`auxl`, `thmb`, `cdsc`, …)."""
        return self.pointers.get((kind, item), [])

    def inputs(self, item: int) -> list[int]:
        """The items that a derived one is made of, each once."""
        return self.made_of.get(item, [])

    def spend(self, entries: int) -> None:
        """Count entries of tables. Raises `DamagedError` when they are more than pictures have."""
        self._left -= entries
        if self._left < 0:
            raise DamagedError(f"more than {_MAX_ENTRIES} entries in its tables")


def read_items(boxes: Boxes, meta: Box, items: Items) -> None:
    """Read a `meta` box into `items`. Raises `MissingError` and `DamagedError`."""
    tables: list[Table] = []
    for box in boxes.walk(meta.start + 4, meta.end):
        if box.name in _TABLES:
            tables.append(_read_table(boxes, box))
        elif box.name == b"iprp":
            for inner in boxes.walk(box.start, box.end):
                if inner.name == b"ipco":
                    items.properties.extend(
                        (one.name, boxes.start_of(one, _ENOUGH_OF_PROPERTY))
                        for one in boxes.walk(inner.start, inner.end)
                    )
                elif inner.name == b"ipma":
                    tables.append(_read_table(boxes, inner))
        elif box.name == b"iloc":
            items.locations = _read_table(boxes, box)
        elif box.name == b"idat":
            items.data = box
    for table in tables:
        _TAKE_APART[table.name](table, items)


def _read_table(boxes: Boxes, box: Box) -> Table:
    """Read a box that has a version. Raises `MissingError`; `DamagedError` if it is too long."""
    if box.end is None or not 4 <= box.end - box.start <= _MAX_BYTES:
        raise DamagedError(f"a {box.name.decode('latin-1')} box of an unlikely size")
    data = boxes.read(box.start, box.end - box.start)
    return Table(box.name, data[0], int.from_bytes(data[1:4]), data[4:])


def _take_primary(table: Table, items: Items) -> None:
    items.primary = int.from_bytes(table.body[: 4 if table.version else 2])


def _take_infos(table: Table, items: Items) -> None:
    wide = 4 if table.version else 2
    infos = list(_infos(table.body[wide:], items))
    items.infos = dict(infos)
    if not len(infos) == len(items.infos) == int.from_bytes(table.body[:wide]):
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
        xmp = False
        if body.startswith(b"mime", kind):  # the kind of content stands behind the item's own name
            named = body.find(b"\0", kind + 4, end) + 1
            xmp = named > 0 and body.startswith(_XMP, named, end)
        item = Item(body[kind : kind + 4], hidden, xmp)
        yield int.from_bytes(body[start + 4 : start + 4 + wide]), item


def _take_references(table: Table, items: Items) -> None:
    body, wide = table.body, 4 if table.version else 2
    items.references, items.pointers, items.made_of = [], {}, {}
    for name, start, end in _entries(body, items):
        first = start + wide + 2
        last = first + wide * int.from_bytes(body[start + wide : first])
        if last != end:
            items.damaged = True
            last = min(last, end)
        items.spend(max(last - first, 0) // wide)
        source = int.from_bytes(body[start : start + wide])
        targets = (int.from_bytes(body[at : at + wide]) for at in range(first, last, wide))
        to = list(dict.fromkeys(targets))
        items.references.append((name, source, to))
        if name == b"dimg":
            items.made_of.setdefault(source, to)
        for target in to:
            items.pointers.setdefault((name, target), []).append(source)


def _entries(body: bytes, items: Items) -> Iterator[tuple[bytes, int, int]]:
    """The boxes inside a table that is read already: (name, start of the payload, its end)."""
    pos = 0
    while pos + 8 <= len(body):
        size = int.from_bytes(body[pos : pos + 4])
        if size < 8 or pos + size > len(body):
            break
        items.spend(_BOX_COSTS)
        yield body[pos + 4 : pos + 8], pos + 8, pos + size
        pos += size
    if pos < len(body):
        items.damaged = True


def _take_owned(table: Table, items: Items) -> None:
    body = table.body
    wide, step = 4 if table.version else 2, 2 if table.flags & 1 else 1
    number = (1 << 8 * step - 1) - 1  # the high bit says that the property is essential
    pos = 4
    for _ in range(int.from_bytes(body[:4])):
        first = pos + wide + 1
        if first > len(body):
            items.damaged = True
            return
        item, count = int.from_bytes(body[pos : pos + wide]), body[first - 1]
        items.spend(1 + count)
        pos = first + step * count
        items.owned.setdefault(item, []).extend(
            int.from_bytes(body[at : at + step]) & number for at in range(first, pos, step)
        )


_TAKE_APART = {
    b"pitm": _take_primary,
    b"iinf": _take_infos,
    b"iref": _take_references,
    b"ipma": _take_owned,
}
