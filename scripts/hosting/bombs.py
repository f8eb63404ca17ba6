"""Files that are pictures too large, too deep, cut, damaged, odd, or something else.

Each is made when it is first asked for, in milliseconds, and kept; the largest has three megabytes.
Further ones, of text and of truncations, are in `oddities`.
"""

import functools
import struct
import zlib
from collections.abc import Callable, Mapping

from hosting.answers import Answer, Asking, serve
from hosting.codings import zeros
from hosting.misdeed import Misdeed
from hosting.oddities import ODDITIES, drawn, encode, painted
from hosting.pictures import MADE_AT, picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MEGABYTE = 1024 * 1024


def part(name: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def png(width: int, height: int, rows: bytes, *before: bytes, depth: int = 8) -> bytes:
    """A grey PNG of *rows* (a zlib stream), with chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    data = part(b"IDAT", rows) if rows else b""
    return SIGNATURE + part(b"IHDR", header) + b"".join(before) + data + part(b"IEND", b"")


def packed(megabytes: int) -> bytes:
    """A zlib stream of so many megabytes of zeros, made in no time."""
    sums = struct.pack(">HH", (megabytes * MEGABYTE) % 65521, 1)  # Adler-32 of zeros
    return b"\x78\xda" + zeros(megabytes * MEGABYTE) + sums


def small(*before: bytes) -> bytes:
    """A PNG of 8 x 8 pixels with chunks before them."""
    return png(8, 8, zlib.compress(bytes(72)), *before)


def bits(side: int) -> bytes:
    """A square PNG of one bit a pixel, white nowhere."""
    return png(side, side, zlib.compress(bytes((side // 8 + 1) * side), 9), depth=1)


def raised(side: int) -> bytes:
    """A small JPEG whose header says it is a square of *side*."""
    data = bytearray(painted("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(data)


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated so often."""
    data = painted("JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * count + b"\xff\xd9"


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """A GIF of a canvas with frames of one pixel."""
    head = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b"\x3b"


def bmp(width: int, height: int) -> bytes:
    """A BMP of 24 bits with as many pixel bytes as a picture of 8 x 8."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + 192, 0, 0, 54) + header + bytes(192)


def webp_canvas(side: int) -> bytes:
    """A WebP whose canvas is a square of *side* and whose picture is small."""
    inner = painted("WEBP")[12:]
    canvas = (side - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def ico(inside: bytes) -> bytes:
    """An icon of one entry, said to be 256 x 256, that holds a PNG."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inside), 22) + inside


def damaged(chunk: bytes) -> bytes:
    """A PNG with a wrong checksum behind a chunk."""
    data = bytearray(drawn("PNG"))
    at = data.index(chunk)
    (length,) = struct.unpack(">I", data[at - 4 : at])
    data[at + 4 + length] ^= 0xFF
    return bytes(data)


def texts(count: int, data: bytes = b"k\0v") -> bytes:
    """A PNG with so many chunks of text."""
    return small(part(b"tEXt", data) * count)


def profile() -> bytes:
    """A PNG whose colour profile inflates to 100 MB."""
    return small(part(b"iCCP", b"p\0\0" + packed(100)))


FILES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "png-60000": ("a PNG header of 60,000 x 60,000", lambda: png(60_000, 60_000, packed(1))),
    "png-81-mpx": ("a PNG of 9,000 x 9,000 in 10 KB, whole", lambda: bits(9000)),
    "png-no-side": ("a PNG of 0 x 0", lambda: png(0, 0, packed(1))),
    "png-2-31": ("a PNG 2,147,483,648 wide", lambda: png(2**31, 1, packed(1))),
    "png-no-data": ("a PNG without IDAT", lambda: png(8, 8, b"")),
    "png-bad-crc": ("a PNG with a wrong checksum of its pixels", lambda: damaged(b"IDAT")),
    "png-bad-data": ("a PNG whose pixels are no zlib stream", lambda: png(8, 8, bytes(80))),
    "png-bad-header-crc": ("a PNG with a wrong checksum of its header", lambda: damaged(b"IHDR")),
    "png-50-mb-of-data": ("50 MB of pixel data for 8 x 8", lambda: png(8, 8, packed(50))),
    "png-text-100-mb": (
        "a text of 100 MB, deflated",
        lambda: small(part(b"zTXt", b"k\0\0" + packed(100))),
    ),
    "png-text-70-times": (
        "70 texts of 1 MB each, deflated",
        lambda: small(part(b"zTXt", b"k\0\0" + packed(1)) * 70),
    ),
    "png-profile-100-mb": ("a colour profile of 100 MB, deflated", profile),
    "png-100k-texts": ("100,000 texts", lambda: texts(100_000)),
    "png-chunk-4-gb": (
        "a chunk of 4 GB before the header",
        lambda: SIGNATURE + b"\xff\xff\xff\xff" + b"tEXt" + bytes(500),
    ),
    "jpeg-65500": ("a JPEG header of 65,500 x 65,500", lambda: raised(65_500)),
    "jpeg-9000": ("a JPEG header of 9,000 x 9,000 over small data", lambda: raised(9000)),
    "jpeg-4000-scans": ("a progressive JPEG of 4,000 scans", lambda: scans(4000)),
    "gif-65535": ("a GIF canvas of 65,535 x 65,535", lambda: gif(65_535, 65_535)),
    "gif-9000": ("a GIF canvas of 9,000 x 9,000", lambda: gif(9000, 9000)),
    "gif-3000-frames": ("a GIF of 3,000 frames", lambda: gif(1, 1, 3000)),
    "gif-100k-frames": ("a GIF of 100,000 frames", lambda: gif(1, 1, 100_000)),
    "bmp-60000": ("a BMP header of 60,000 x 60,000", lambda: bmp(60_000, 60_000)),
    "bmp-negative": ("a BMP of width -5", lambda: bmp(-5, 5)),
    "webp-canvas": ("a WebP canvas of 16,384 x 16,384", lambda: webp_canvas(16_384)),
    "ico-100-mpx": ("an icon that holds a PNG of 100 Mpx", lambda: ico(bits(10_000))),
    "ico-endless": (
        "an icon whose 65,535 entries are not there",
        lambda: struct.pack("<HHH", 0, 1, 65_535) + bytes(160),
    ),
    **ODDITIES,
}


@functools.cache
def file(name: str) -> bytes:
    """A file by its name, made once."""
    return FILES[name][1]()


def _serving(name: str) -> Misdeed:
    def make(asking: Asking, _: object) -> Answer:
        shown = "image/png" if name.startswith("png") else "image/jpeg"
        return serve(picture(name, file(name), shown, MADE_AT), asking)

    return Misdeed(FILES[name][0], make)


MISDEEDS: Mapping[str, Misdeed] = {name: _serving(name) for name in FILES}

__all__ = ["FILES", "MISDEEDS", "encode", "file"]
