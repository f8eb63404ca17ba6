"""JPEG: marker segments up to the first scan tell size, mode, orientation and whether it is MPO.

The walk goes on to the start of scan, as Pillow's does: a multi-picture index or a second frame
header may stand behind the first frame header, and the tables between cost some hundred bytes.
Large metadata is stepped over, except XMP: it tells what makes no MPO. Every `Need` lies further on
than all before it, so a body can be read in one pass.
"""

from __future__ import annotations

import re
from itertools import islice

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import exif
from imaging.header.pieces import Need, Pieces

__all__ = ["count_frames", "count_scans", "walk"]

_MAX_MARKERS = 10_000  #: a crafted file has no more of them; a real one has some dozens
_MAX_MARKERS_COUNTED = 1_000_000  #: escapes in picture data too, one in 256 bytes of it
_ENOUGH_OF_EXIF = 4096  #: the first directory stands within these bytes in practice
_ENOUGH_TO_TELL = 64  #: what an APP1 or APP2 segment carries is written in its first bytes

_SCAN_MARKER = re.compile(rb"\xff\xda")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_GAIN_MAP = b' hdrgm:Version="'
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}

# What a marker's second byte means to the walk; below _FILL it has a payload.
_SKIP, _FRAME, _APP1, _APP2, _FILL, _ALONE, _SCAN, _BAD = range(8)
_KIND = bytearray([_BAD]) * 256
for _marker in (0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)):
    _KIND[_marker] = _ALONE
for _marker in (*range(0xC0, 0xD0), 0xDE):
    if _marker not in (0xC4, 0xC8, 0xCC):
        _KIND[_marker] = _FRAME
for _marker in (0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDF, *range(0xE0, 0xF0), 0xFE):
    _KIND[_marker] = _SKIP
_KIND[0xE1], _KIND[0xE2], _KIND[0xDA], _KIND[0xFF] = _APP1, _APP2, _SCAN, _FILL


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a JPEG or MPO file; `pieces.head` begins with its magic bytes."""
    segments = _segments(pieces)
    if not isinstance(segments, tuple):
        return segments
    (bits, height, width, layers), app1, index = segments
    if not (bits and height and width and layers):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"JPEG of {width}×{height} pixels")
    several = index is not None and _pictures(*index) > 1
    if several and any(data.find(_GAIN_MAP, at, at + length) >= 0 for data, at, length in app1):
        several = False  # Pillow leaves Ultra HDR, a picture and a map of its light, a plain JPEG
    return ImageInfo(
        "MPO" if several else "JPEG",
        (width, height),
        _MODES.get(layers) if bits == 8 else None,
        _orientation(app1) if app1 else 1,
        several,
        pieces.total,
    )


def count_frames(data: bytes) -> int:
    """Count the pictures of a whole file: those in the index of an MPO, else one."""
    pieces = Pieces(data, len(data))
    segments = _segments(pieces)
    info = walk(pieces)
    if isinstance(segments, tuple) and isinstance(info, ImageInfo) and info.animated:
        index = segments[2]
        return 1 if index is None else _pictures(*index)
    return 1


def count_scans(data: bytes, limit: int) -> int:
    """Count the scans of the first picture of a whole file, stopping above `limit`.

    Each scan makes a decoder visit every pixel again. Scans of thumbnails inside metadata and of
    further pictures do not count; what takes too long to count counts as above.
    """
    found = _SCAN_MARKER.finditer(data)  # (three times as fast as `bytes.count`)
    scans = sum(1 for _ in islice(found, limit + 1))
    if scans <= limit:  # an upper bound, and enough for every ordinary file
        return scans
    scans, pos = 0, 2
    for _ in range(_MAX_MARKERS_COUNTED):
        pos = data.find(b"\xff", pos)
        if pos < 0 or pos + 4 > len(data) or data[pos + 1] == 0xD9 or scans > limit:
            return scans
        kind = _KIND[data[pos + 1]]
        scans += kind == _SCAN
        if kind == _FILL:
            pos += 1
        elif kind in (_ALONE, _BAD):
            pos += 2
        else:
            pos += 2 + (data[pos + 2] << 8 | data[pos + 3])
    return limit + 1


_Frame = tuple[int, int, int, int]  # bits, height, width, layers
_Span = tuple[bytes, int, int]  # bytes, where a payload starts in them, its length


def _segments(pieces: Pieces) -> tuple[_Frame, list[_Span], _Span | None] | Need | Failure:
    """Walk to the start of scan: the last frame header, every APP1, the multi-picture index."""
    data, base, pos = pieces.head, 0, 2
    frame: _Frame | None = None
    index: _Span | None = None
    app1: list[_Span] = []
    for _ in range(_MAX_MARKERS):
        if pos + 4 > len(data):
            piece = pieces.holding(base + pos, 4)
            if piece is None:
                return pieces.need(base + pos, 4)
            pos += base - piece[0]
            base, data = piece
        if data[pos] != 0xFF:  # Pillow steps over what is no marker
            pos = data.find(b"\xff", pos)
            if pos < 0:
                return pieces.need(base + len(data), 4, hoped=len(data))
            continue
        kind = _KIND[data[pos + 1]]
        if kind < _FILL:
            start = pos + 4
            length = (data[pos + 2] << 8 | data[pos + 3]) - 2
            if length < 0:
                length = 0
            pos = start + length
            if kind == _SKIP:
                continue
        elif kind == _SCAN:
            break
        elif kind == _BAD:
            return Failure(ErrorCode.CORRUPT_IMAGE, "JPEG with an undefined marker")
        else:
            pos += 2 if kind == _ALONE else 1
            continue
        if kind == _FRAME:
            if length < 6:
                return Failure(ErrorCode.CORRUPT_IMAGE, "JPEG with a short frame header")
            if start + 6 > len(data):
                return pieces.need(base + start, 6)
            frame = (
                data[start],
                data[start + 1] << 8 | data[start + 2],
                data[start + 3] << 8 | data[start + 4],
                data[start + 5],
            )
            continue
        if pos > len(data) and (wanted := _wanted(data, kind, start, length)):
            return pieces.need(base + len(data), wanted)
        if kind == _APP1:
            app1.append((data, start, length))
        elif data.startswith(b"MPF\0", start):
            index = data, start + 4, length - 4
    else:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"JPEG with more than {_MAX_MARKERS} markers")
    if frame is None:
        return Failure(ErrorCode.CORRUPT_IMAGE, "JPEG without a frame header")
    return frame, app1, index


def _wanted(data: bytes, kind: int, start: int, length: int) -> int:
    """How many more bytes of a cut APP1 or APP2 payload are worth fetching."""
    present = len(data) - start
    if present < _ENOUGH_TO_TELL:
        return min(_ENOUGH_TO_TELL, length) - present
    if kind == _APP2:
        return length - present if data.startswith(b"MPF\0", start) else 0
    if data.startswith(_EXTENDED_XMP, start):
        return 0
    if not data.startswith(b"Exif\0\0", start):
        return length - present  # XMP, where Ultra HDR names its map of light
    if present < _ENOUGH_OF_EXIF:
        try:
            exif.orientation(data, start, length)
        except exif.NotPresentError:
            return min(_ENOUGH_OF_EXIF, length) - present
    return 0


def _orientation(app1: list[_Span]) -> int | None:
    """The orientation told by EXIF, else by XMP; 1 without; None when it was not fetched.

    EXIF may be spread over several segments; of several XMP packets the last one counts.
    """
    blocks = [span for span in app1 if span[2] > 6 and span[0].startswith(b"Exif\0\0", span[1])]
    try:
        if blocks:
            data, start, length = blocks[0]
            if len(blocks) > 1:
                rest = sum(length - 6 for _, _, length in blocks[1:])
                if start + length <= len(data):
                    parts = [data[start : start + length]]
                    parts += [
                        data[start + 6 : start + length] for data, start, length in blocks[1:]
                    ]
                    data, start = b"".join(parts), 0
                length += rest
            if told := exif.orientation(data, start, length):
                return told
    except exif.NotPresentError:
        return None
    for data, start, length in reversed(app1):
        if data.startswith(_XMP, start):
            return exif.orientation_in_xmp(data[start : start + length]) or 1
    return 1


def _pictures(data: bytes, start: int, length: int) -> int:
    """How many pictures a multi-picture index lists; 1 where Pillow finds it malformed."""
    try:
        count = exif.find_tag(data, start, length, 0xB001)
        entries = exif.find_tag(data, start, length, 0xB002)
    except exif.NotPresentError:
        return 1
    pictures = count and exif.number(data, start, count)
    if not pictures or pictures < 2 or entries is None or len(entries[1]) < 16 * pictures:
        return 1
    # The low bits of each attribute's first byte are the data format; 0 is JPEG.
    first = 0 if data[start] == 0x4D else 3
    formats = entries[1][first : 16 * pictures : 16]
    return 1 if any(byte & 7 for byte in formats) else pictures
