"""The directories of a TIFF or BigTIFF: where the values of each tag stand, and what they are.

Read as Pillow reads them: the first usable entry of a tag counts, and a value that lies outside the
file ends the directory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from imaging.facts import ErrorCode, Failure
from imaging.header.pieces import Need, Pieces

__all__ = ["BYTES", "MAX_ENTRIES", "Directory", "Form", "Tag", "Values", "form_of"]

MAX_ENTRIES = 8192  #: of one directory; real ones have some dozen
HOPED = 2048  #: a directory, and the values many writers put right behind it
_MAX_VALUES = 64  #: of one tag, where all its values are looked at

BYTES = (1, 7)  #: types whose values Pillow leaves as they are
_TEXT = 2
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_INTEGERS = {3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q"}
_FRACTIONS = {5: "LL", 10: "ll"}
_CODES = {**_INTEGERS, **_FRACTIONS, 11: "f", 12: "d"}


class Tag(IntEnum):
    """The tags of interest here."""

    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_LENGTHS = 279
    PLANAR = 284
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_LENGTHS = 325
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    XMP = 700


_WANTED = frozenset(int(tag) for tag in Tag)


class Form(NamedTuple):
    """How a file of one byte order and word length is read."""

    order: str
    first: int  #: where the header holds the offset of the first directory
    counter: Struct  #: how many entries a directory has
    entry: Struct
    word: Struct  #: an offset


def _form(order: str, *, big: bool) -> Form:
    counter, entry, word = ("Q", "HHQQ", "Q") if big else ("H", "HHLL", "L")
    return Form(
        order, 8 if big else 4, Struct(order + counter), Struct(order + entry), Struct(order + word)
    )


_FORMS = {
    (name, big): _form(order, big=big)
    for name, order in ((b"II", "<"), (b"MM", ">"))
    for big in (False, True)
}


def form_of(data: bytes) -> Form:
    """Return how a file that begins with the magic bytes of a TIFF is read."""
    return _FORMS[data[:2], 0x2B in data[2:4]]


class Entry(NamedTuple):
    """What a directory tells of one tag."""

    kind: int  #: the type of its values, by number
    amount: int  #: how many values
    place: int  #: where its values begin, from the start of the file


class Directory(NamedTuple):
    """One page's tags, those of interest here."""

    form: Form
    tags: dict[int, Entry]
    following: int  #: offset of the next page's directory, 0 without
    whole: bool  #: False where the file ends before the directory or a value of it
    used: int  #: bytes of values that stand outside the directory
    entries: bytes = b""  #: as they stand in the file, those that Pillow skips too

    def listed(self) -> Iterator[int]:
        """Every tag there is an entry of, readable or not, as often as it is there."""
        return (entry[0] for entry in self.form.entry.iter_unpack(self.entries))


class Values:
    """Numbers of tags out of the bytes present; where bytes were not present is noted."""

    __slots__ = ("_pieces", "missing", "page")

    def __init__(self, pieces: Pieces, page: Directory) -> None:
        self._pieces = pieces
        self.page = page
        self.missing: list[tuple[int, int]] = []  #: (start, end) in the file

    def every(
        self, tag: Tag, default: tuple[float, ...], *, most: int = _MAX_VALUES
    ) -> tuple[float, ...] | None:
        """All numbers of a tag; None where they are missing, too many, or no numbers."""
        entry = self.page.tags.get(tag)
        return None if entry is not None and entry.amount > most else self.some(tag, default, most)

    def some(
        self, tag: Tag, default: tuple[float, ...], most: int = _MAX_VALUES
    ) -> tuple[float, ...] | None:
        """The first numbers of a tag, up to `most`; None where they are missing or no numbers."""
        entry = self.page.tags.get(tag)
        if entry is None:
            return default
        return self._read(entry, min(entry.amount, most))

    def one(self, tag: Tag, default: float | None = None) -> float | None:
        """The first number of a tag; None where it is missing or no number."""
        entry = self.page.tags.get(tag)
        if entry is None:
            return default
        numbers = self._read(entry, 1)
        return numbers[0] if numbers else None

    def sole(self, tag: Tag, default: float) -> float | None:
        """The number of a tag that counts as absent where it has more than one."""
        entry = self.page.tags.get(tag)
        several = entry is not None and entry.amount != 1 and entry.kind not in (*BYTES, _TEXT)
        return default if several else self.one(tag, default)

    def whole(self, tag: Tag) -> int | None:
        """The first number of a tag of a whole-number type."""
        entry, value = self.page.tags.get(tag), self.one(tag)
        if entry is None or value is None or entry.kind not in _INTEGERS:
            return None
        return int(value)

    def _read(self, entry: Entry, count: int) -> tuple[float, ...] | None:
        code = _CODES.get(entry.kind)
        if code is None:
            return None
        length = count * _UNIT[entry.kind]
        found = self._pieces.holding(entry.place, length)
        if found is None:
            self.missing.append((entry.place, entry.place + length))
            return None
        start, data = found
        layout = f"{self.page.form.order}{count * len(code)}{code[0]}"
        numbers = Struct(layout).unpack_from(data, entry.place - start)
        if entry.kind in _FRACTIONS:
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            return tuple(over / under if under else math.nan for over, under in pairs)
        return numbers


def read_directory(
    pieces: Pieces, form: Form, offset: int, bound: int | None = None
) -> Directory | Need | Failure:
    """Read the directory at `offset`.

    `bound` is how many bytes of values may stand outside it before Pillow skips further ones,
    where it is not the size of the file.
    """
    found = pieces.holding(offset, form.counter.size)
    if found is None:
        return pieces.need(offset, form.counter.size, hoped=HOPED)
    start, data = found
    (count,) = form.counter.unpack_from(data, offset - start)
    place = offset + form.counter.size
    length = min(count, MAX_ENTRIES + 1) * form.entry.size + form.word.size
    if pieces.total is not None:
        length = min(length, pieces.total - place)
    found = pieces.holding(place, length)
    if found is None:
        return pieces.need(place, length, hoped=HOPED)
    start, data = found
    present = min(count, length // form.entry.size)
    if present > MAX_ENTRIES:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"TIFF with a directory of {count} entries")
    at = place - start
    listed = data[at : at + present * form.entry.size]
    entries = form.entry.iter_unpack(listed)
    if bound is None:
        bound = pieces.total
    tags: dict[int, Entry] = {}
    seen: set[int] = set()
    word = form.word.size
    inline = place - word
    claimed = used = following = 0
    whole = present == count
    for tag, kind, items, value in entries:
        inline += form.entry.size
        if tag in seen:
            continue
        size = items * _UNIT.get(kind, 0)
        if not size:
            continue
        outside = size > word
        if outside:
            if value >= 1 << 63:
                continue
            claimed += size
            beyond = pieces.total is not None and value + size > pieces.total
            whole = whole and not beyond
            if bound is not None and claimed > bound:
                continue
            used += size
            if beyond:
                present = 0  # Pillow reads no further
                break
        seen.add(tag)
        if tag in _WANTED:
            tags[tag] = Entry(kind, items, value if outside else inline)
    end = at + count * form.entry.size
    if present < count or end + word > at + length:
        whole = False
    else:
        (following,) = form.word.unpack_from(data, end)
    return Directory(form, tags, following, whole, used, listed)
