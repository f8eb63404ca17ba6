"""TIFF and BigTIFF: the first directory tells; it may stand anywhere, and so may longer values.

Whether there is a second page is told by the first directory.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import exif
from imaging.header.pieces import Need, Pieces
from imaging.header.tiff_directory import (
    BYTES,
    HOPED,
    MAX_ENTRIES,
    Directory,
    Tag,
    Values,
    form_of,
    read_directory,
)
from imaging.header.tiff_modes import Layout, mode_of

__all__ = ["MAGICS", "count_frames", "first_page", "walk"]

_BIG_ENDIAN_BIG = b"MM\0+"

#: The starts Pillow accepts, misspelt ones too.
MAGICS = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", _BIG_ENDIAN_BIG)

_MAX_ENTRIES_COUNTED = 500_000  #: of all directories, to count pages
_MAX_SAMPLE_FORMATS = 1024  #: Pillow takes any number of equal ones for one
_SIDEWAYS = (5, 6, 7, 8)


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a TIFF; `pieces.head` begins with one of `MAGICS`."""
    page = _page(pieces)
    if not isinstance(page, Directory):
        return page
    values = Values(pieces, page)
    width, height = values.whole(Tag.WIDTH), values.whole(Tag.HEIGHT)
    if not values.missing and (width is None or height is None):
        if not page.whole:
            return Failure(ErrorCode.TRUNCATED_IMAGE, "it ends inside its directory")
        return Failure(ErrorCode.CORRUPT_IMAGE, "TIFF without a width and a height")
    turn = values.one(Tag.ORIENTATION)
    if width is None or height is None or values.missing:
        return _asked(pieces, values, None)
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"TIFF of {width}×{height} pixels")
    # As Pillow has it: the size of the picture as it is to be seen, unlike in other formats.
    size = (height, width) if turn in _SIDEWAYS else (width, height)
    orientation = _orientation(pieces, page, turn)
    animated = page.following != 0 and page.following != _first(pieces.head)
    info = ImageInfo("TIFF", size, None, orientation, animated, pieces.total)
    if pieces.head.startswith(_BIG_ENDIAN_BIG):  # Pillow takes it for another kind
        return info
    mode = _mode(values)
    return _asked(pieces, values, info) if values.missing else info._replace(image_mode=mode)


def first_page(data: bytes) -> Values | None:
    """Return the tags of the first page of a whole file, None where there is no directory."""
    pieces = Pieces(data, len(data))
    page = _page(pieces)
    return Values(pieces, page) if isinstance(page, Directory) else None


def count_frames(data: bytes, limit: int) -> int | None:
    """Count the pages of a whole file as Pillow does, each directory once; None above `limit`."""
    form, pieces = form_of(data), Pieces(data, len(data))
    if len(data) < form.first + form.word.size:
        return 1
    offset, left = _first(data), len(data)
    seen: set[int] = set()
    entries = 0
    while offset and offset not in seen:
        seen.add(offset)
        if offset + form.counter.size > len(data):
            break
        entries += min(form.counter.unpack_from(data, offset)[0], MAX_ENTRIES)
        page = read_directory(pieces, form, offset, left)
        if len(seen) > limit or entries > _MAX_ENTRIES_COUNTED or not isinstance(page, Directory):
            return None
        offset, left = page.following, left - page.used
    return max(len(seen), 1)


def _page(pieces: Pieces) -> Directory | Need | Failure:
    """The directory of the first page."""
    data = pieces.head
    form = form_of(data)
    header = form.first + form.word.size
    if len(data) < header:
        return pieces.need(len(data), header - len(data))
    offset = _first(data)
    if not offset:
        return Failure(ErrorCode.CORRUPT_IMAGE, "TIFF without a directory")
    return read_directory(pieces, form, offset)


def _first(data: bytes) -> int:
    """Where the first directory stands by the header's account."""
    form = form_of(data)
    return int(form.word.unpack_from(data, form.first)[0])


def _mode(values: Values) -> str | None:
    """Pillow's mode, None where a tag it takes is missing or no number."""
    told = (
        values.one(Tag.COMPRESSION, 1),
        values.sole(Tag.PHOTOMETRIC, 0),
        values.one(Tag.PLANAR, 1) or 1,  # what is no number is not "separate"
        values.one(Tag.FILL_ORDER, 1),
        values.one(Tag.SAMPLES, -1),
        values.some(Tag.BITS, (1,)),
        values.every(Tag.EXTRA_SAMPLES, ()),
        values.every(Tag.SAMPLE_FORMAT, (1,), most=_MAX_SAMPLE_FORMATS),
    )
    compression, photometric, planar, fill_order, samples, bits, extra, kind = told
    if compression is None or photometric is None or fill_order is None:
        return None
    if samples is None or bits is None or extra is None or kind is None:
        return None
    little = values.page.form.order == "<"
    given = samples if Tag.SAMPLES in values.page.tags else None
    return mode_of(
        Layout(little, compression, photometric, planar, fill_order, given, bits, extra, kind)
    )


def _orientation(pieces: Pieces, page: Directory, turn: float | None) -> int | None:
    """The turn its tag tells; where there is no such tag what XMP tells, None if not present."""
    if Tag.ORIENTATION in page.tags:
        return int(turn) if turn is not None and turn in range(1, 9) else 1
    packet = page.tags.get(Tag.XMP)
    if packet is None or packet.kind not in BYTES:
        return 1
    found = pieces.holding(packet.place, packet.amount)
    if found is None:
        return None
    begin = packet.place - found[0]
    return exif.orientation_in_xmp(found[1][begin : begin + packet.amount]) or 1


def _asked(pieces: Pieces, values: Values, otherwise: ImageInfo | None) -> Need | Failure:
    """Ask for the values missing: for all at once where they stand close together."""
    values.missing.sort()
    begin, end = values.missing[0]
    for _, further in values.missing[1:]:
        if further - begin <= HOPED:
            end = max(end, further)
    return pieces.need(begin, end - begin, otherwise=otherwise)
