"""JPEG 2000: the SIZ segment of a codestream, or the header boxes of a JP2 file, tell it all.

Codestream: ISO/IEC 15444-1, annex A; boxes: annex I. Size and mode are those Pillow reads: of a JP2
file the `ihdr` box, though the codestream may say otherwise, and a palette only for grey pictures.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.boxes import Box, Boxes, DamagedError, MissingError
from imaging.header.pieces import Need, Pieces

__all__ = ["CODESTREAM", "CONTAINER", "walk"]

CODESTREAM = b"\xff\x4f\xff\x51"
CONTAINER = b"\0\0\0\x0cjP  \r\n\x87\n"

_HOPED = 4096  #: what a `Need` asks for: boxes stand close together
_FILMS = (b"mjp2", b"mj2s")
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by the number of components
_CMYK, _COLOURLESS = 12, (0, 15, 17)  # colour spaces by number, as `colr` boxes have them


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a JPEG 2000 file; `pieces.head` begins with one of its magics."""
    brand = pieces.head[20:24] if pieces.head[16:20] == b"ftyp" else b""
    if brand in _FILMS:
        return Failure(ErrorCode.NOT_AN_IMAGE, "looks like a film")
    try:
        if pieces.head.startswith(CODESTREAM):
            size, mode = _in_codestream(Boxes(pieces))
        else:
            size, mode = _in_boxes(Boxes(pieces), pieces.total or 0)
    except MissingError as missing:
        return pieces.need(missing.offset, missing.length, hoped=_HOPED)
    except DamagedError as damage:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"JPEG 2000 with {damage}")
    width, height = size
    if width <= 0 or height <= 0:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"JPEG 2000 of {width}×{height} pixels")
    return ImageInfo("JPEG2000", size, mode, 1, False, pieces.total)


_Told = tuple[tuple[int, int], str | None]  # size, mode


def _in_codestream(boxes: Boxes) -> _Told:
    """Read the SIZ segment: extent and offset on the reference grid, number of components."""
    siz = boxes.read(4, 38)
    if int.from_bytes(siz[:2]) < 38:
        raise DamagedError("a short size segment")
    right, lower, left, upper = (int.from_bytes(siz[at : at + 4]) for at in range(4, 20, 4))
    components = int.from_bytes(siz[36:38])
    deep = components == 1 and boxes.read(42, 1)[0] & 0x7F > 7
    return (right - left, lower - upper), "I;16" if deep else _MODES.get(components)


def _in_boxes(boxes: Boxes, total: int) -> _Told:
    for box in boxes.walk_file(len(CONTAINER)):
        if box.name == b"jp2h":
            return _in_header(boxes, box)
        if box.name == b"jp2c" or box.end is None:
            raise DamagedError("no header before its picture")
    # Cut, or no JP2 file: a document of many pictures (JPM).
    raise MissingError(total, 8)


def _in_header(boxes: Boxes, header: Box) -> _Told:
    """Read the boxes in the header box; the mode is None where they are not all there."""
    size: tuple[int, int] | None = None
    mode: str | None = None
    components, space = 0, -1
    try:
        for box in boxes.walk(header.start, header.end):
            if box.name == b"ihdr":
                fields = _fields(boxes, box, 11)
                size = int.from_bytes(fields[4:8]), int.from_bytes(fields[:4])
                components = int.from_bytes(fields[8:10])
                deep = components == 1 and fields[10] & 0x7F > 8
                mode = "I;16" if deep else _MODES.get(components)
                if mode == "RGB":  # nothing behind changes it
                    break
            elif box.name == b"colr":
                fields = _fields(boxes, box, 7)
                if fields[0] == 1:
                    space = int.from_bytes(fields[3:7])
                    mode = "CMYK" if space == _CMYK and components == 4 else mode
            elif box.name == b"pclr" and mode in ("L", "LA") and space not in _COLOURLESS:
                mode = f"P{mode[1:]}" if _narrow(boxes, box) else mode
    except (MissingError, DamagedError):
        if size is None:
            raise
        mode = None
    if size is None:
        raise DamagedError("no size in its header")
    return size, mode


def _narrow(boxes: Boxes, palette: Box) -> bool:
    """Whether no column of a palette is wider than Pillow reads."""
    columns = _fields(boxes, palette, 3)[2]
    return max(_fields(boxes, palette, 3 + columns)[3:], default=0) <= 8


def _fields(boxes: Boxes, box: Box, length: int) -> bytes:
    """The first `length` bytes of a box that must have so many."""
    fields = boxes.start_of(box, length)
    if len(fields) < length:
        raise DamagedError(f"a short {box.name.decode('latin-1').strip()} box")
    return fields
