"""AVIF and HEIF (HEIC): the primary item, or the picture's track, tells size, mode and turn.

Files of ISO/IEC 23008-12 (HEIF) and of AVIF 1.1. Pillow reads AVIF as stored and tells the turn,
which its `irot` and `imir` properties make; pillow-heif hands HEIF out cut (`clap`), turned and
mirrored. So of AVIF the dimension is that of the `ispe` property and the orientation 1–8; of HEIF
the dimension is what is left after all of it and the orientation is 1. What an EXIF block says of
orientation counts in neither: MIAF has readers ignore it.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import heif_coded
from imaging.header.boxes import Boxes, DamagedError, MissingError
from imaging.header.heif_file import AVIF_BRANDS, HeifFile
from imaging.header.heif_places import extents
from imaging.header.pieces import Need, Pieces

__all__ = ["DamagedError", "accepts", "coded_dimensions", "count_frames", "is_cut", "walk"]

_BRANDS = (
    *AVIF_BRANDS,
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"msf1", b"mif2", b"miaf"),
)
_HOPED = 4096  #: what a `Need` asks for: boxes stand close together


def accepts(head: bytes) -> bool:
    """Whether a file begins as AVIF or HEIF: by its brand, or the first it is compatible with."""
    return head[4:8] == b"ftyp" and any(brand in _BRANDS for brand in (head[8:12], head[16:20]))


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of an AVIF or HEIF file; `accepts` its head."""
    file = HeifFile(pieces)
    try:
        file.read()
    except MissingError as missing:
        return pieces.need(missing.offset, missing.length, hoped=_HOPED)
    except DamagedError as damage:
        return Failure(ErrorCode.CORRUPT_IMAGE, f"HEIF with {damage}")
    if file.primary is None and file.track is None:
        return Failure(ErrorCode.TRUNCATED_IMAGE, "it ends before what tells of its picture")
    size = file.dimension
    if size and not all(size):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"HEIF of {size[0]}×{size[1]} pixels")
    name = "AVIF" if file.is_avif else "HEIF"
    return ImageInfo(name, size, file.mode, file.orientation, file.animated, pieces.total)


def count_frames(data: bytes, limit: int) -> int | None:
    """Count the frames of a whole file: of an AVIF sequence, or the pictures a HEIF file lists.

    None above `limit`.
    """
    file = _read_whole(data)
    frames = file.frames if file else 1
    return None if frames is None or frames > limit else frames


def coded_dimensions(data: bytes) -> list[tuple[int, int]]:
    """The sizes that a decoder makes room for of a whole file, before any cutting or scaling.

    Empty where none is told. Raises `DamagedError` for data laid out as no encoder does.
    """
    file = _read_whole(data)
    return heif_coded.coded_dimensions(file, data) if file else []


def is_cut(data: bytes) -> bool:
    """Whether a whole file lists data of pictures behind its end: libheif looks over that."""
    file = _read_whole(data)
    if file is None:
        return False
    try:
        if file.track:  # where its frames stand is a long table: the box around them will do
            ends = [box.end for box in Boxes(Pieces(data, len(data))).walk_file()]
            return any(end is not None and end > len(data) for end in ends)
        return any(at + length > len(data) for _, at, length in extents(file.items))
    except (MissingError, DamagedError):
        return True


def _read_whole(data: bytes) -> HeifFile | None:
    file = HeifFile(Pieces(data, len(data)))
    try:
        file.read()
    except (MissingError, DamagedError):
        return None
    return file
