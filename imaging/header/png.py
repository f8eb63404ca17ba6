"""PNG: the IHDR chunk tells size and mode; chunks behind it orientation and animation.

An `eXIf` chunk may also stand behind the picture data, so "no orientation" is known only when the
bytes present reach the end of the file.
"""

from __future__ import annotations

import zlib

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import exif
from imaging.header.pieces import Need, Pieces

__all__ = ["count_frames", "walk"]

_MAX_CHUNKS = 10_000  #: looked at for orientation and animation, while in the event loop
_MAX_CHUNKS_COUNTED = 1_000_000  #: looked at to count frames

_MODES = {
    (1, 0): "1",
    (2, 0): "L",
    (4, 0): "L",
    (8, 0): "L",
    (16, 0): "I;16",
    (8, 2): "RGB",
    (16, 2): "RGB",
    (1, 3): "P",
    (2, 3): "P",
    (4, 3): "P",
    (8, 3): "P",
    (8, 4): "LA",
    (16, 4): "RGBA",
    (8, 6): "RGBA",
    (16, 6): "RGBA",
}


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a PNG or APNG file; `pieces.head` begins with its magic bytes."""
    data = pieces.head
    if len(data) < 33:
        return pieces.need(len(data), 33 - len(data))
    start = 8
    while data[start + 4 : start + 8] != b"IHDR":  # Apple's CgBI puts a chunk before it
        start += 12 + int.from_bytes(data[start : start + 4])
        if start > 1024:
            return Failure(ErrorCode.CORRUPT_IMAGE, "PNG without an IHDR chunk at its start")
        if start + 25 > len(data):
            return pieces.need(len(data), start + 25 - len(data))
    if data[start : start + 4] != b"\0\0\0\r" or zlib.crc32(
        data[start + 4 : start + 21]
    ) != int.from_bytes(data[start + 21 : start + 25]):
        return Failure(ErrorCode.CORRUPT_IMAGE, "PNG with a damaged IHDR chunk")
    width = int.from_bytes(data[start + 8 : start + 12])
    height = int.from_bytes(data[start + 12 : start + 16])
    mode = _MODES.get((data[start + 16], data[start + 17]))
    if mode is None or data[start + 19]:
        return Failure(ErrorCode.CORRUPT_IMAGE, "PNG of an undefined kind")
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"PNG of {width}×{height} pixels")
    orientation, animated = _metadata(data, start + 25)
    return ImageInfo("PNG", (width, height), mode, orientation, animated, pieces.total)


def count_frames(data: bytes, limit: int) -> int | None:
    """Count the frames of a whole file, a still picture before the animation too, as Pillow does.

    None above `limit`.
    """
    pos, frames = 8, 0
    declared = pictured = still = False
    for _ in range(_MAX_CHUNKS_COUNTED):
        chunk = data[pos + 4 : pos + 8]
        if chunk == b"IDAT":
            if not pictured:
                pictured, still = True, frames == 0
        elif chunk == b"fcTL":
            frames += 1
            if frames > limit:
                return None
        elif chunk == b"acTL":
            declared = declared or not pictured
        elif chunk == b"IEND" or len(chunk) < 4:
            frames = max(frames + still, 1) if declared else 1
            return frames if frames <= limit else None
        pos += 12 + int.from_bytes(data[pos : pos + 4])
    return None


_Span = tuple[int, int]  # where a chunk's payload starts, and its length


def _metadata(data: bytes, pos: int) -> tuple[int | None, bool | None]:
    """Walk the chunks present from `pos`: (orientation, animated), None where they do not tell."""
    block: _Span | None = None
    packet: _Span | None = None
    declared = 0
    framed = hidden = finished = False
    animated: bool | None = None
    for _ in range(_MAX_CHUNKS):
        length = int.from_bytes(data[pos : pos + 4])
        chunk = data[pos + 4 : pos + 8]
        start = pos + 8
        pos = start + length + 4
        if chunk == b"IDAT":
            if animated is None:
                # A picture before the first frame control is one more, not part of the animation.
                animated = declared > 0 and declared + (not framed) > 1
                if block:
                    finished = True
                    break
        elif chunk == b"eXIf":
            block = start, length
        elif chunk == b"acTL":
            if animated is None:
                # Pillow takes an animation declared twice for none.
                declared = 0 if declared else int.from_bytes(data[start : start + 4])
                if declared > 0x80000000:
                    declared = 0
        elif chunk == b"fcTL":
            framed = True
            if animated:  # the second frame: Pillow reads no metadata behind the first one
                finished = True
                break
        elif chunk == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0\0", start):
            packet = start, length
        elif chunk in (b"iTXt", b"tEXt", b"zTXt"):
            # Compressed or in hexadecimal: left to the decoder.
            if data.startswith((b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"), start):
                hidden = True
        elif chunk == b"IEND":
            finished = True
            break
        elif len(chunk) < 4:
            break
    return exif.settled(data, block, packet, certain=finished and not hidden), animated
