"""Blocks of bytes → lines with their byte offsets. A line break always ends a line; a line that
is longer than the cap is told as such and never held whole. Batch lines have a cap of their own:
readers look whether a line of such a length is one.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MAX_BATCH_BYTES", "MAX_LINE_BYTES", "Line", "LineCutter"]

#: Longer lines are bad rows. An address of 8 KiB is the longest taken; the rest is other columns.
MAX_LINE_BYTES = 256 * 1024

#: Of our own batch lines, which hold up to 1024 rows; those with arrays in them are longer still.
MAX_BATCH_BYTES = 4 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_BATCH = b'{"type":"batch","batch":'


class Line(NamedTuple):
    """One line without its line break; `text` is None where it was too long to be held."""

    text: bytes | None
    end: int  #: offset of the byte behind the line and its break


class LineCutter:
    """Cuts a stream of blocks. `feed` each block, `finish` at the end; a BOM is dropped."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES, *, start: int = 0) -> None:
        """Of blocks from offset *start* on, which is the end of a line."""
        self._max = max_bytes
        self._rest = b""
        self._skipping = False
        self._offset = start  # of the first byte of the rest
        self._first = start == 0

    def feed(self, block: bytes) -> list[Line]:
        """The lines that *block* completes, empty ones left out."""
        if not self._rest and not self._skipping and not block.strip(b"\n"):
            self._offset += len(block)  # nothing but line breaks, of which there may be gigabytes
            self._first = self._first and not block
            return []
        pieces = (self._rest + block).split(b"\n")
        self._rest = pieces.pop()
        lines = []
        for piece in pieces:
            self._offset += len(piece) + 1
            if not piece and not self._skipping:  # a blank line, of which there may be millions
                self._first = False
                continue
            lines.append(Line(self._whole(piece), self._offset))
        if len(self._rest) > self._max and self._too_long(self._rest):
            self._offset += len(self._rest)
            self._rest = b""
            self._skipping = True
        return lines

    def finish(self) -> list[Line]:
        """The last line, if it had no break."""
        if not self._rest and not self._skipping:
            return []
        self._offset += len(self._rest)
        line = Line(self._whole(self._rest), self._offset)
        self._rest = b""
        return [line]

    @staticmethod
    def _too_long(piece: bytes) -> bool:
        """Of a piece longer than the cap: whether it is so all the same."""
        return len(piece) > MAX_BATCH_BYTES or not piece.startswith(_BATCH)

    def _whole(self, piece: bytes) -> bytes | None:
        skipped, self._skipping = self._skipping, False
        # As `feed` counts: the BOM and a CR with it.
        too_long = skipped or (len(piece) > self._max and self._too_long(piece))
        if self._first:
            self._first = False
            piece = piece.removeprefix(_BOM)
        return None if too_long else piece.removesuffix(b"\r")
