"""BMP: a bitmap header in one of seven lengths tells the size; masks and palette the mode."""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.pieces import Need, Pieces

__all__ = ["walk"]

_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_RAW, _RLE8, _RLE4, _BITFIELDS, _JPEG, _PNG = range(6)
_DEPTHS = (1, 4, 8, 16, 24, 32)
_OTHER_DEPTHS = (0, 2, 64)  #: defined, but nothing Pillow reads

#: The 32-bit layouts (red, green, blue, alpha masks) with alpha that Pillow reads.
_WITH_ALPHA = {
    (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
    (0, 0, 0, 0),
}
_WITHOUT_ALPHA: dict[int, set[tuple[int, ...]]] = {
    32: {
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF000000, 0xFF00, 0xFF, 0),
    },
    24: {(0xFF0000, 0xFF00, 0xFF)},
    16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)},
}


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a BMP; `pieces.head` begins with `BM`."""
    data = pieces.head
    if len(data) < 26:
        return pieces.need(len(data), 26 - len(data))
    header = _u32(data, 14)
    if header not in _HEADERS:
        if header == 16:
            return Failure(ErrorCode.UNSUPPORTED_FORMAT, "BMP with a short OS/2 header")
        return Failure(ErrorCode.NOT_AN_IMAGE, "looks like nothing known")
    compression, colours = _RAW, 0
    if header == 12:
        width, height = _u16(data, 18), _u16(data, 20)
        bits = _u16(data, 24)
    else:
        if len(data) < 54:
            return pieces.need(len(data), 54 - len(data))
        width, height = _u32(data, 18), _u32(data, 22)
        if data[25] == 0xFF:  # rows from top to bottom
            height = (1 << 32) - height
        bits, compression, colours = _u16(data, 28), _u32(data, 30), _u32(data, 46)
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"BMP of {width}×{height} pixels")
    if compression > 13 or bits not in (*_DEPTHS, *_OTHER_DEPTHS):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"BMP of {bits} bits, compression {compression}")
    mode: str | None = None
    if compression == _BITFIELDS:
        masks_end = 70 if header >= 56 else 66
        if len(data) < masks_end:
            return pieces.need(len(data), masks_end - len(data))
        mode = _mode_by_masks(data, header, bits)
    elif compression in (_RAW, _RLE8, _RLE4) and bits in _DEPTHS:
        mode = "RGB" if bits > 8 else _mode_by_palette(pieces, header, colours or 1 << bits)
    return ImageInfo("BMP", (width, height), mode, 1, False, pieces.total)


def _mode_by_masks(data: bytes, header: int, bits: int) -> str | None:
    """RGB or RGBA by the colour masks; None for a layout Pillow does not read."""
    masks = _u32(data, 54), _u32(data, 58), _u32(data, 62)
    if bits == 32:
        all_masks = *masks, _u32(data, 66) if header >= 56 else 0
        if all_masks in _WITH_ALPHA:
            return "RGBA"
        return "RGB" if all_masks in _WITHOUT_ALPHA[32] else None
    return "RGB" if masks in _WITHOUT_ALPHA.get(bits, ()) else None


def _mode_by_palette(pieces: Pieces, header: int, colours: int) -> str | None:
    """1, L or P: Pillow drops a palette that is a plain ramp of greys."""
    if colours > 65_536:
        return None
    step = 3 if header == 12 else 4
    palette = pieces.head[14 + header : 14 + header + step * colours]
    ramp = b"\0\xff" if colours == 2 else bytes(index & 0xFF for index in range(colours))
    if all(palette[channel::step] == ramp for channel in range(3)):
        return "1" if colours <= 2 else "L"
    return "P" if len(palette) == step * colours or pieces.complete else None


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
