"""Files of the formats that are told from their headers and never decoded: `SAMPLES`, by name.

Apart from `tests.samples`, whose files are decoded too.
"""

from __future__ import annotations

import struct

from tests.samples import SAMPLES as DECODED
from tests.samples import encode, picture
from tests.tiff_files import tiff

__all__ = ["SAMPLES"]

_SVG = '<?xml version="1.0"?>\n<!-- drawn --><svg xmlns="http://www.w3.org/2000/svg" %s><g/></svg>'
#: What libjxl wrote for a grey picture of 16 x 8 pixels: the first bytes of its codestream.
_JXL = bytes.fromhex("ff0ac14152dc080013080100c000671328010050") + bytes(60)
_SMALL = encode(picture("RGBA", (32, 32)), "PNG")


def _cursor(icon: bytes) -> bytes:
    """An icon is a cursor with another kind, and a point instead of planes and bits."""
    return icon[:2] + b"\2" + icon[3:10] + struct.pack("<HH", 3, 4) + icon[14:]


def _psd(colours: int, channels: int, bits: int = 8) -> bytes:
    start = struct.pack(">4sH6xHLLHH", b"8BPS", 1, channels, 5, 9, bits, colours)
    return start + bytes(12) + b"\0\0" + bytes(9 * 5 * channels * bits // 8)


def _icns(*blocks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack(">I", 8 + len(data)) + data for name, data in blocks)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def _box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), name) + payload


def _jxl_boxes(*parts: bytes) -> bytes:
    return (
        _box(b"JXL ", b"\r\n\x87\n")
        + _box(b"ftyp", b"jxl \0\0\0\0jxl ")
        + _box(b"Exif", bytes(40))
        + b"".join(parts)
    )


def _jxl_parts() -> tuple[bytes, bytes]:
    """The codestream in two boxes."""
    return _box(b"jxlp", bytes(4) + _JXL[:7]), _box(b"jxlp", b"\x80\0\0\1" + _JXL[7:])


SAMPLES: dict[str, bytes] = {
    "cur": _cursor(encode(picture(), "ICO", sizes=[(32, 32)])),
    "cur-bitmap": _cursor(encode(picture("RGBA"), "ICO", sizes=[(32, 32)], bitmap_format="bmp")),
    "icns": _icns((b"ic11", _SMALL)),
    "icns-two": _icns((b"il32", bytes(3072)), (b"l8mk", bytes(1024)), (b"ic11", _SMALL)),
    "icns-old": _icns((b"il32", bytes(3072)), (b"l8mk", bytes(1024))),
    **{
        f"psd-{colours}-{channels}": _psd(colours, channels)
        for colours, channels in ((1, 1), (3, 3), (3, 4), (4, 4), (9, 3))
    },
    "psd-16": _psd(3, 3, 16),
    **{
        f"jp2-{mode}{'-bare' * bare}": encode(picture(mode), "JPEG2000", no_jp2=bare)
        for mode in ("L", "LA", "RGB", "RGBA", "I;16")
        for bare in (False, True)
    },
    "jxl-bare": _JXL,
    "jxl": _jxl_boxes(_box(b"jxlc", _JXL)),
    "jxl-parts": _jxl_boxes(*_jxl_parts()),
    "svg": (_SVG % 'width="30mm" height="20mm"').encode(),
    "svg-box": b"\xef\xbb\xbf" + (_SVG % "viewBox='0 0 30 20'").encode(),
    "svg-utf-16": (_SVG % 'width="30" height="20"').encode("utf-16"),
    # Magics that Pillow reads and nobody writes.
    "tiff-II-odd": b"II\0*" + DECODED["tiff-II-head"][4:],
    "tiff-MM-odd": b"MM*\0" + DECODED["tiff-MM-head"][4:],
    "tiff-MM-big": tiff(
        {256: (3, [4]), 257: (3, [2]), 258: (3, [8]), 262: (3, [1])},
        [bytes(8)],
        order=">",
        big=True,
    ),
}
