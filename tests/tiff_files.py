"""TIFF files made by hand: any byte order, word length and place of the directory."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

SHORT, LONG, LONG8 = 3, 4, 16
_CODES = {1: "B", 2: "B", SHORT: "H", LONG: "L", 7: "B", LONG8: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_OFFSETS, _LENGTHS, _TILE_OFFSETS, _TILE_LENGTHS = 273, 279, 324, 325

#: Tag → (type, its values, or their bytes).
Tags = Mapping[int, tuple[int, Sequence[int] | bytes]]


def tiff(
    tags: Tags,
    parts: Sequence[bytes],
    *,
    order: str = "<",
    big: bool = False,
    tail: bool = False,
    values_first: bool = False,
    following: int = 0,
) -> bytes:
    """A TIFF of one directory and its strips (tiles, where `tags` have a tile's width).

    The directory stands at the head, or at the `tail`; its longer values behind or before it.
    `following` is where it says the next page is.
    """
    word, entry = ("Q", "HHQ") if big else ("L", "HHL")
    first = 16 if big else 8
    tiled = 322 in tags
    all_tags = {
        tag: (
            kind,
            bytes(v) if isinstance(v, bytes) else struct.pack(f"{order}{len(v)}{_CODES[kind]}", *v),
        )
        for tag, (kind, v) in tags.items()
    }
    kind = LONG8 if big else LONG
    lengths = struct.pack(f"{order}{len(parts)}{_CODES[kind]}", *map(len, parts))
    all_tags.setdefault(_TILE_LENGTHS if tiled else _LENGTHS, (kind, lengths))
    offsets_tag = _TILE_OFFSETS if tiled else _OFFSETS
    all_tags[offsets_tag] = kind, bytes(len(lengths))

    room = struct.calcsize(order + word)
    size = struct.calcsize(order + entry) + room
    head = struct.calcsize(order + ("Q" if big else "H")) + len(all_tags) * size + room
    extra = sum(len(raw) + len(raw) % 2 for _, raw in all_tags.values() if len(raw) > room)
    pictures = sum(map(len, parts))
    meta = first + pictures if tail else first
    strips = first if tail else first + head + extra
    directory, values = (meta + extra, meta) if values_first else (meta, meta + head)

    places, place = [], strips
    for part in parts:
        places.append(place)
        place += len(part)
    if parts:
        all_tags[offsets_tag] = kind, struct.pack(f"{order}{len(parts)}{_CODES[kind]}", *places)
    entries, longer = b"", b""
    for tag in sorted(all_tags):
        kind, raw = all_tags[tag]
        held = raw.ljust(room, b"\0")
        if len(raw) > room:
            held = struct.pack(order + word, values + len(longer))
            longer += raw + b"\0" * (len(raw) % 2)
        entries += struct.pack(order + entry, tag, kind, len(raw) // _SIZES[kind]) + held
    page = struct.pack(order + ("Q" if big else "H"), len(all_tags)) + entries
    page += struct.pack(order + word, following)
    meta_bytes = longer + page if values_first else page + longer
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start += (
        struct.pack(order + "HHQ", 8, 0, directory) if big else struct.pack(order + "L", directory)
    )
    body = b"".join(parts)
    return start + (body + meta_bytes if tail else meta_bytes + body)


def plain(
    width: int,
    height: int,
    bits: Sequence[int] = (8,),
    photometric: int = 1,
    more: Tags | None = None,
) -> dict[int, tuple[int, Sequence[int] | bytes]]:
    """The tags of a picture that is not compressed, in one strip."""
    return {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, list(bits)),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        277: (SHORT, [len(bits)]),
        278: (LONG, [height]),
        **(more or {}),
    }


def tags_of(data: bytes) -> tuple[dict[int, tuple[int, bytes]], list[bytes], str]:
    """The tags of a small-word TIFF's first page, its strips, its byte order."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "L", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    tags = {}
    for place in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, items, value = struct.unpack_from(order + "HHLL", data, place)
        size = items * _SIZES[kind]
        start = value if size > 4 else place + 8
        tags[tag] = kind, data[start : start + size]
    offsets, lengths = (
        struct.unpack(f"{order}{len(raw) // _SIZES[kind]}{_CODES[kind]}", raw)
        for kind, raw in (tags[_OFFSETS], tags[_LENGTHS])
    )
    parts = [data[at : at + size] for at, size in zip(offsets, lengths, strict=True)]
    return tags, parts, order


def moved(data: bytes, **options: bool) -> bytes:
    """The first page of a TIFF that Pillow wrote, its directory put elsewhere."""
    tags, parts, order = tags_of(data)
    del tags[_OFFSETS], tags[_LENGTHS]
    return tiff(tags, parts, order=order, **options)  # type: ignore[arg-type]
