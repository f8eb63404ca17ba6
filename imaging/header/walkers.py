"""Which walker reads which file: by the magic bytes at its start.

A further format is plugged in here: its magic and `walk` in `WALKERS`, its name out of `sniff`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import (
    bmp,
    gif,
    heif,
    icns,
    ico,
    jp2,
    jpeg,
    jxl,
    png,
    psd,
    sniff,
    svg,
    tiff,
    webp,
)
from imaging.header.pieces import Need, Pieces

__all__ = ["count_frames", "inspect"]

_Walk = Callable[[Pieces], ImageInfo | Need | Failure]

WALKERS: tuple[tuple[bytes, _Walk], ...] = (
    (b"\xff\xd8\xff", jpeg.walk),
    (b"\x89PNG\r\n\x1a\n", png.walk),
    (b"RIFF", webp.walk),
    (b"GIF89a", gif.walk),
    (b"GIF87a", gif.walk),
    (b"BM", bmp.walk),
    *((magic, tiff.walk) for magic in tiff.MAGICS),
    (ico.MAGIC_ICO, ico.walk_ico),
    (ico.MAGIC_CUR, ico.walk_cur),
    (b"icns", icns.walk),
    (b"8BPS", psd.walk),
    (jp2.CONTAINER, jp2.walk),
    (jp2.CODESTREAM, jp2.walk),
    (jxl.CONTAINER, jxl.walk),
    (jxl.CODESTREAM, jxl.walk),
)


def inspect(
    head: bytes, *, total: int | None = None, more: Sequence[tuple[int, bytes]] = ()
) -> ImageInfo | Need | Failure:
    """Tell format, dimension and what else the bytes present say of a picture.

    `head` are the bytes from offset 0, `total` is the size of the whole file if known, `more` are
    further pieces (offset, bytes) fetched for earlier `Need`s. With the whole file in `head` and
    its size in `total` the answer is never a `Need`. Never raises; the work is bounded.
    """
    pieces = Pieces(head, total, more)
    head = pieces.head
    for magic, walk in WALKERS:
        if head.startswith(magic):
            return walk(pieces)
    if not head:
        if total == 0:
            return Failure(ErrorCode.EMPTY_BODY)
        return pieces.need(0, 32 if total is None else min(32, total))
    if heif.accepts(head):
        return heif.walk(pieces)
    if (drawing := svg.walk(pieces)) is not None:
        return drawing
    return sniff.name_unknown(pieces)


def count_frames(data: bytes, limit: int = 10_000) -> int | None:
    """Count the frames of a picture, `data` being its whole file; None above `limit`.

    What `inspect` finds to be no picture counts as one frame.
    """
    if data.startswith(b"\xff\xd8\xff"):
        frames = jpeg.count_frames(data)
        return frames if frames <= limit else None
    if data.startswith(b"\x89PNG"):
        return png.count_frames(data, limit)
    if data.startswith(b"GIF8") and len(data) >= 13:
        return gif.count_frames(data, limit)
    if data.startswith(b"RIFF") and len(data) >= 30:
        return webp.count_frames(data, limit)
    if data.startswith(tiff.MAGICS):
        return tiff.count_frames(data, limit)
    if heif.accepts(data):
        return heif.count_frames(data, limit)
    return 1
