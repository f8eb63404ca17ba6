"""Boxes: the nested pieces of ISO base media files, and of the formats that borrow them.

A box is a size, a name of four bytes and a payload (ISO/IEC 14496-12, section 4.2). A size of 1
means that 64 bits of size follow, one of 0 that the box reaches to the end of what holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imaging.header.pieces import Pieces

__all__ = ["Box", "Boxes", "DamagedError", "MissingError"]

_MAX_BOXES = 4_000  #: stepped over in one file; a real one has some dozens


class MissingError(Exception):
    """The walk goes on in bytes that have not been fetched: `length` of them at `offset`."""

    def __init__(self, offset: int, length: int) -> None:
        super().__init__(offset, length)
        self.offset = offset
        self.length = length


class DamagedError(Exception):
    """The boxes contradict themselves, or there are more than a picture has."""


class Box(NamedTuple):
    """A box: its name, and where its payload begins and ends in the file."""

    name: bytes
    start: int
    end: int | None  #: None: at the end of a file of unknown size


class Boxes:
    """The boxes of one file, read from the pieces of it that are present."""

    __slots__ = ("_head", "_left", "_pieces")

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._head = pieces.head
        self._left = _MAX_BOXES

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the file. Raises `MissingError` where they are not present."""
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if length == 0:
            return b""
        piece = self._pieces.holding(offset, length)
        if piece is None:
            raise MissingError(offset, length)
        start, data = piece
        return data[offset - start : offset - start + length]

    def start_of(self, box: Box, length: int) -> bytes:
        """Return the first `length` bytes of a box's payload, fewer where it is shorter."""
        if box.end is not None:
            length = min(length, box.end - box.start)
        return self.read(box.start, length)

    def walk_file(self, start: int = 0) -> Iterator[Box]:
        """Step over the outermost boxes, from `start` on; the last may reach beyond a cut file.

        Raises as `walk` does.
        """
        return self.walk(start, self._pieces.total, bounded=False)

    def walk(self, start: int, end: int | None, *, bounded: bool = True) -> Iterator[Box]:
        """Step over the boxes from `start` to `end`; None is the end of a file of unknown size.

        Raises `MissingError` where a box's head is not present, `DamagedError` for a size that
        cannot be.
        """
        pos = start
        while end is None or pos + 8 <= end:
            self._left -= 1
            if self._left < 0:
                raise DamagedError(f"more than {_MAX_BOXES} boxes")
            head = self.read(pos, 8)
            size, payload = int.from_bytes(head[:4]), pos + 8
            if size == 1:
                size, payload = int.from_bytes(self.read(pos + 8, 8)), pos + 16
            after = end if size == 0 else pos + size
            if after is not None and after < payload:
                raise DamagedError("a box shorter than its own head")
            if bounded and after is not None and end is not None and after > end:
                raise DamagedError("a box longer than what holds it")
            yield Box(head[4:], payload, after)
            if after is None:
                return
            pos = after
