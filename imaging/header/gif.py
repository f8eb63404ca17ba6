"""GIF: the screen and the first image descriptor tell size and mode, a second one animation.

Blocks are walked as Pillow walks them, its leniency about stray bytes included.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.pieces import Need, Pieces

__all__ = ["count_frames", "walk"]

_MAX_BLOCKS = 50_000  #: data blocks walked in the event loop; 12 MiB of an ordinary GIF
_MAX_BLOCKS_COUNTED = 2_000_000  #: data blocks walked to count frames

#: A colour table that maps each index to the grey of the same value: Pillow calls it mode L.
_GREYS = bytes(index for index in range(256) for _ in range(3))


_LOOPS = b"NETSCAPE2.0"


class _OverrunError(Exception):
    """The file is walked to the end of the bytes present, or for as long as allowed."""


class _Blocks:
    """A cursor over the blocks of a GIF."""

    __slots__ = ("budget", "data", "pos")

    def __init__(self, data: bytes, pos: int, budget: int) -> None:
        self.data = data
        self.pos = pos
        self.budget = budget

    def skip_chain(self) -> None:
        """Step over data blocks up to and with the empty one that ends them."""
        data, pos, budget = self.data, self.pos, self.budget
        try:
            while size := data[pos]:
                pos += size + 1
                budget -= 1
                if budget < 0:
                    raise _OverrunError
        except IndexError:
            self.pos = max(pos, len(data))
            raise _OverrunError from None
        self.pos, self.budget = pos + 1, budget

    def skip_block(self) -> int:
        """Step over one data block, return its size; 0 is the empty one."""
        if self.pos >= len(self.data):
            raise _OverrunError
        size = self.data[self.pos]
        self.pos += size + 1
        return size

    def find_image(self, *, first: bool) -> bool:
        """Move to the next image descriptor; False at the trailer."""
        data = self.data
        while True:
            if self.pos >= len(data) or self.budget <= 0:
                raise _OverrunError
            self.budget -= 1
            introducer = data[self.pos]
            self.pos += 1
            if introducer == 0x2C:
                return True
            if introducer == 0x3B:
                return False
            if introducer == 0x21:
                self._skip_extension(first=first)

    def _skip_extension(self, *, first: bool) -> None:
        data, label = self.data, self.pos
        self.pos += 1
        block = self.skip_block()
        if data[label] == 0xFE:  # a comment may be empty
            if block:
                self.skip_chain()
            return
        # Pillow reads on after an extension without a block, and takes the loop count for its own.
        if first and data[label] == 0xFF and block >= 11 and data.startswith(_LOOPS, label + 2):
            self.skip_block()
        self.skip_chain()

    def skip_image(self) -> None:
        """Step from an image descriptor over its colour table and picture data."""
        if self.pos + 9 > len(self.data):
            raise _OverrunError
        flags = self.data[self.pos + 8]
        self.pos += 10 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        self.skip_chain()


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a GIF; `pieces.head` begins with its magic bytes."""
    data = pieces.head
    if len(data) < 13:
        return pieces.need(len(data), 13 - len(data))
    flags = data[10]
    table_end = 13 + (3 << (flags & 7) + 1) if flags & 0x80 else 13
    blocks = _Blocks(data, table_end, _MAX_BLOCKS)
    try:
        if not blocks.find_image(first=True):
            return Failure(ErrorCode.CORRUPT_IMAGE, "GIF without a picture")
    except _OverrunError:
        if blocks.pos < len(data) or blocks.budget <= 0:
            return Failure(ErrorCode.CORRUPT_IMAGE, "GIF with too much before its picture")
        return pieces.need(len(data), blocks.pos + 10 - len(data), hoped=len(data))
    descriptor = blocks.pos
    if descriptor + 10 > len(data):
        return pieces.need(len(data), descriptor + 10 - len(data))
    left, top, wide, high = (
        data[at] | data[at + 1] << 8 for at in range(descriptor, descriptor + 8, 2)
    )
    width = max(data[6] | data[7] << 8, left + wide)
    height = max(data[8] | data[9] << 8, top + high)
    if not (width and height):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"GIF of {width}×{height} pixels")
    table = 13, table_end
    if data[descriptor + 8] & 0x80:
        table = descriptor + 9, descriptor + 9 + (3 << (data[descriptor + 8] & 7) + 1)
    return ImageInfo(
        "GIF",
        (width, height),
        _mode(data, *table),
        1,
        _animated(blocks, complete=pieces.complete),
        pieces.total,
    )


def count_frames(data: bytes, limit: int) -> int | None:
    """Count the frames of a whole file; None above `limit`."""
    frames = 0
    flags = data[10]
    blocks = _Blocks(data, 13 + (3 << (flags & 7) + 1) if flags & 0x80 else 13, _MAX_BLOCKS_COUNTED)
    try:
        while blocks.find_image(first=not frames):
            frames += 1
            if frames > limit:
                return None
            blocks.skip_image()
    except _OverrunError:
        if blocks.pos < len(data):
            return None
    return max(frames, 1)


def _mode(data: bytes, start: int, end: int) -> str | None:
    if end > len(data):
        return None
    return "L" if data[start:end] == _GREYS[: end - start] else "P"


def _animated(blocks: _Blocks, *, complete: bool) -> bool | None:
    """Whether a second image descriptor follows the one `blocks` stands at."""
    try:
        blocks.skip_image()
        return blocks.find_image(first=False)
    except _OverrunError:
        return False if complete and blocks.pos >= len(blocks.data) else None
