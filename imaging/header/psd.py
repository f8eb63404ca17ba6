"""PSD and PSB: the first 26 bytes tell size and mode, not the layers Pillow takes for frames.

Source: Adobe Photoshop File Formats Specification. PSB ("large document") is version 2.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.pieces import Need, Pieces

__all__ = ["walk"]

_PSD, _PSB = 1, 2

#: (colour mode, bits) → (Pillow's mode, channels it takes)
_MODES = {
    (0, 1): ("1", 1),
    (0, 8): ("L", 1),
    (1, 8): ("L", 1),
    (2, 8): ("P", 1),
    (3, 8): ("RGB", 3),
    (4, 8): ("CMYK", 4),
    (7, 8): ("L", 1),
    (8, 8): ("L", 1),
    (9, 8): ("LAB", 3),
}


def walk(pieces: Pieces) -> ImageInfo | Need | Failure:
    """Tell the facts of a PSD; `pieces.head` begins with `8BPS`."""
    data = pieces.head
    if len(data) < 26:
        return pieces.need(len(data), 26 - len(data))
    version, channels, height, width, bits, colours = (
        int.from_bytes(data[start:end])
        for start, end in ((4, 6), (12, 14), (14, 18), (18, 22), (22, 24), (24, 26))
    )
    if version not in (_PSD, _PSB):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"PSD of version {version}")
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        return Failure(ErrorCode.CORRUPT_IMAGE, f"PSD of {width}×{height} pixels")
    mode: str | None = None
    if version == _PSD and (colours, bits) in _MODES:
        mode, least = _MODES[colours, bits]
        if channels < least:
            mode = None
        elif mode == "RGB" and channels == 4:
            mode = "RGBA"
    return ImageInfo("PSD", (width, height), mode, 1, None, pieces.total)
