"""The sizes a decoder makes room for, of a whole AVIF or HEIF file: they may lie within `ispe`.

libavif decodes what the AV1 data say and scales the outcome; a grid's own data tell its canvas.
"""

from __future__ import annotations

from collections import defaultdict

from imaging.header import av1
from imaging.header.boxes import DamagedError
from imaging.header.heif_file import HeifFile
from imaging.header.heif_places import extents
from imaging.header.heif_tracks import Track

__all__ = ["coded_dimensions"]

_GRID_DATA = 12
_MAX_ITEMS = 1_000  #: whose coding is looked into

_Size = tuple[int, int]


def coded_dimensions(file: HeifFile, data: bytes) -> list[_Size]:
    """All sizes told of what is decoded when the first picture of a file is.

    Raises `DamagedError`.
    """
    if not file.is_avif:
        if file.settled or file.track:
            return [size] if (size := file.stored) else []
        # libheif may take any other item for the primary one.
        return [_extent(value) for name, value in file.items.properties if name == b"ispe"]
    sizes = [size] if (size := file.stored) else []
    if file.track:
        number = file.track.number
        tracks = [file.track, *(one for one in file.tracks if one.auxiliary_to == number)]
        samples = [_first_sample(track, data) for track in tracks]
        return sizes + [size for sample in samples if (size := av1.largest_frame(sample))]
    return sizes + _of_items(file, data)


def _of_items(file: HeifFile, data: bytes) -> list[_Size]:
    wanted = _decoded(file)
    if len(wanted) > _MAX_ITEMS:
        raise DamagedError(f"more than {_MAX_ITEMS} tiles")
    found: defaultdict[int, list[_Size]] = defaultdict(list)
    for item, at, length in extents(file.items):
        if item in wanted:
            found[item].append((at, min(at + length, len(data)) if length else len(data)))
    places = {(wanted[item], tuple(of_item)) for item, of_item in found.items()}
    whole, copied = memoryview(data), 0
    sizes: list[_Size] = []
    for kind, parts in places:
        first = whole[slice(*parts[0])]
        if len(parts) > 1:
            copied += sum(max(end - at, 0) for at, end in parts)
        if copied > len(data):
            raise DamagedError("data of items that overlap")
        body: bytes | memoryview
        body = b"".join(whole[at:end] for at, end in parts) if len(parts) > 1 else first
        if kind == b"grid":
            sizes.append(_canvas(bytes(body[:_GRID_DATA])))
        elif size := av1.largest_frame(body):
            sizes.append(size)
    return sizes


def _decoded(file: HeifFile) -> dict[int, bytes]:
    """The items that libavif may decode: item → kind."""
    items, primary = file.items, file.primary or 0
    pictures = [primary, *items.inputs(primary)]
    others = [other for item in pictures for other in items.pointing_at(item, b"auxl")]
    parts = [part for other in dict.fromkeys(others) for part in items.inputs(other)]
    kinds = {
        item: info.kind if (info := items.infos.get(item)) else b"av01"
        for item in (*pictures, *others, *parts)
    }
    return {item: kind for item, kind in kinds.items() if kind in (b"av01", b"grid")}


def _first_sample(track: Track, data: bytes) -> memoryview:
    at = track.first_chunk
    return memoryview(data)[at : at + track.first_size if track.first_size else None]


def _extent(ispe: bytes) -> _Size:
    return int.from_bytes(ispe[4:8]), int.from_bytes(ispe[8:12])


def _canvas(grid: bytes) -> _Size:
    """The size that the data of a `grid` item tell (ISO/IEC 23008-12, section 6.6.2.3)."""
    wide = 4 if grid[1:2] and grid[1] & 1 else 2
    return int.from_bytes(grid[4 : 4 + wide]), int.from_bytes(grid[4 + wide : 4 + 2 * wide])
