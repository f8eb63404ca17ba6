"""WebP: the first chunk (VP8, VP8L or VP8X) tells the size; chunks behind it the rest.

Mode, animation and orientation of an extended file (VP8X) are told by chunks that may stand far
behind; its flags tell when there are none to look for.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import exif
from imaging.header.pieces import Need, Pieces

__all__ = ["count_frames", "walk"]

_MAX_CHUNKS = 1_000  #: looked at while in the event loop
_MAX_CHUNKS_COUNTED = 1_000_000
_ANIMATION, _XMP, _EXIF, _ALPHA = 0x02, 0x04, 0x08, 0x10


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a WebP; `pieces.head` begins with `RIFF`."""
    data = pieces.head
    if len(data) < 12:
        return pieces.need(len(data), 12 - len(data))
    if data[8:12] != b"WEBP":
        return Failure(ErrorCode.NOT_AN_IMAGE, "looks like RIFF, but not WebP")
    if len(data) < 30:
        return pieces.need(len(data), 30 - len(data))
    chunk = data[12:16]
    orientation: int | None = 1
    animated: bool | None = False
    mode: str | None
    if chunk == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a" or data[20] & 1:
            return Failure(ErrorCode.CORRUPT_IMAGE, "WebP with a damaged VP8 header")
        width = (data[26] | data[27] << 8) & 0x3FFF
        height = (data[28] | data[29] << 8) & 0x3FFF
        mode = "RGB"
    elif chunk == b"VP8L":
        if data[20] != 0x2F or data[24] >> 5:
            return Failure(ErrorCode.CORRUPT_IMAGE, "WebP with a damaged VP8L header")
        width = 1 + ((data[21] | data[22] << 8) & 0x3FFF)
        height = 1 + ((data[22] >> 6 | data[23] << 2 | data[24] << 10) & 0x3FFF)
        mode = "RGBA" if data[24] & 0x10 else "RGB"
    elif chunk == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        mode, orientation, animated = _extended(data, data[20])
    else:
        return Failure(ErrorCode.CORRUPT_IMAGE, "WebP without a picture at its start")
    if not (width and height):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"WebP of {width}×{height} pixels")
    return ImageInfo("WEBP", (width, height), mode, orientation, animated, pieces.total)


def count_frames(data: bytes, limit: int) -> int | None:
    """Count the frames of a whole file; None above `limit`."""
    if data[12:16] != b"VP8X" or not data[20] & _ANIMATION:
        return 1
    frames, pos, end = 0, 12, _end(data)
    for _ in range(_MAX_CHUNKS_COUNTED):
        if pos + 8 > end:
            return max(frames, 1)
        frames += data[pos : pos + 4] == b"ANMF"
        if frames > limit:
            return None
        pos = _next(data, pos)
    return None


def _extended(data: bytes, flags: int) -> tuple[str | None, int | None, bool | None]:
    """Walk the chunks present behind VP8X: (mode, orientation, animated)."""
    moving = bool(flags & _ANIMATION)
    alpha: bool | None = bool(flags & _ALPHA) if moving else None
    block: tuple[int, int] | None = None
    packet: tuple[int, int] | None = None
    frames, separate_alpha = 0, False
    pos, end = _next(data, 12), _end(data)
    for _ in range(_MAX_CHUNKS):
        if pos + 8 > len(data) or pos + 8 > end:
            break
        chunk = data[pos : pos + 4]
        start, length = pos + 8, int.from_bytes(data[pos + 4 : pos + 8], "little")
        if chunk == b"ANMF":
            frames += 1
        elif chunk == b"ALPH":
            separate_alpha = True
        elif chunk == b"VP8 " and alpha is None:
            alpha = separate_alpha or bool(flags & _ALPHA)
        elif chunk == b"VP8L" and alpha is None and start + 5 <= len(data):
            alpha = separate_alpha or bool(data[start + 4] & 0x10)
        elif chunk == b"EXIF" and block is None:
            block = start, length
        elif chunk == b"XMP " and packet is None:
            packet = start, length
        pos = _next(data, pos)
    finished = pos + 8 > end <= len(data)
    animated: bool | None = False
    if moving:
        animated = True if frames > 1 else False if finished else None
    orientation = exif.settled(
        data,
        block if flags & _EXIF else None,
        packet if flags & _XMP else None,
        certain=finished or not flags & (_EXIF | _XMP),
    )
    mode = None if alpha is None else "RGBA" if alpha else "RGB"
    return mode, orientation, animated


def _next(data: bytes, pos: int) -> int:
    """Where the chunk after the one at `pos` begins: payloads are padded to even lengths.

    The chunks of a frame follow its sixteen bytes. Its length is not asked, as libwebp goes on
    where they end.
    """
    if data.startswith(b"ANMF", pos):
        return pos + 8 + 16
    length = int.from_bytes(data[pos + 4 : pos + 8], "little")
    return pos + 8 + length + (length & 1)


def _end(data: bytes) -> int:
    """Where the RIFF container ends by its own account."""
    return 8 + int.from_bytes(data[4:8], "little")
