"""Small files: what is no picture, pictures cut short, odd modes and hostile metadata."""

import io
import random
import struct
from collections.abc import Callable, Mapping
from typing import Any

SIZE = (64, 48)
#: Share of a file that is left of it, in hundredths.
CUTS = (10, 50, 90)
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
Maker = Callable[[], bytes]


def drawn(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """A small picture with some grain, in a format and mode of Pillow's."""
    from PIL import Image  # a host of a folder starts without it

    grain = random.Random(7).randbytes(SIZE[0] * SIZE[1] * 3)
    with Image.frombytes("RGB", SIZE, grain) as image:
        if mode in ("RGBA", "LA", "PA"):
            image.putalpha(128)
        chosen = image.convert("L").convert(mode) if mode in ("I", "I;16", "F") else None
        return encode(chosen or image.convert(mode), kind, **options)


def painted(kind: str, **options: Any) -> bytes:
    """A small picture of one colour."""
    from PIL import Image

    with Image.new("RGB", SIZE, (200, 90, 40)) as image:
        return encode(image, kind, **options)


def encode(image: Any, kind: str, **options: Any) -> bytes:
    """What Pillow writes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _noise(count: int) -> bytes:
    return random.Random(3).randbytes(count)


def _with_segment(marker: int, data: bytes) -> bytes:
    """A JPEG with a segment right behind its start."""
    jpeg = drawn("JPEG")
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data + jpeg[2:]


def _exif(block: bytes) -> Maker:
    return lambda: _with_segment(0xE1, b"Exif\0\0" + block)


def _profiled() -> bytes:
    """A JPEG with 200 KB that should be a colour profile."""
    return drawn("JPEG", icc_profile=_noise(200_000))


def _inverted() -> bytes:
    """A CMYK JPEG with Adobe's marker, whose values are inverted."""
    jpeg = drawn("JPEG", "CMYK")
    adobe = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)
    return jpeg[:2] + struct.pack(">BBH", 0xFF, 0xEE, len(adobe) + 2) + adobe + jpeg[2:]


def _cut(kind: str, percent: int) -> Maker:
    def make() -> bytes:
        whole = drawn(kind)
        return whole[: len(whole) * percent // 100]

    return make


def _lab() -> bytes:
    from PIL import Image

    with Image.new("LAB", SIZE, (90, 120, 130)) as image:
        return encode(image, "TIFF")


def _animated(kind: str) -> bytes:
    from PIL import Image

    with Image.new("RGB", SIZE, "red") as first, Image.new("RGB", SIZE, "blue") as second:
        return encode(first, kind, save_all=True, append_images=[second] * 3, duration=40)


def _icon(kind: int) -> bytes:
    icon = bytearray(drawn("ICO", "RGBA", sizes=[(16, 16), (32, 32)]))
    icon[2] = kind
    return bytes(icon)


def _box(brand: bytes) -> bytes:
    """The beginning of an ISO file of a brand, and nothing that is of use."""
    return struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand) + bytes(64)


SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n%%EOF\n"
PAGE = b"<!doctype html><html><title>Gone</title><body>Nothing here</body></html>"

ODDITIES: Mapping[str, tuple[str, Maker]] = {
    "no-bytes": ("a file without a byte", bytes),
    "one-byte": ("a file of one byte", lambda: b"\xff"),
    "noise": ("20 KB of random bytes", lambda: b"\x93" + _noise(20_000)),
    "zeros": ("20 KB of zeros", lambda: bytes(20_000)),
    "html": ("a page, said to be a JPEG", lambda: PAGE),
    "json": ("a JSON error, said to be a JPEG", lambda: b'{"error": "gone", "code": 404}'),
    "text": ("a sentence", lambda: b"The picture is not here.\n"),
    "svg": ("an SVG", lambda: SVG),
    "pdf": ("a PDF", lambda: PDF),
    "eps": ("an EPS", lambda: EPS),
    "zip": ("the beginning of a zip file", lambda: b"PK\x03\x04" + bytes(200)),
    "heic-empty": ("a HEIC that is only its brand", lambda: _box(b"heic")),
    "avif-empty": ("an AVIF that is only its brand", lambda: _box(b"avif")),
    "jp2": ("a JPEG 2000", lambda: drawn("JPEG2000")),
    "jpeg-no-end": ("a JPEG without its end marker", lambda: drawn("JPEG")[:-2]),
    "jpeg-and-zip": (
        "a JPEG with a zip file behind it",
        lambda: drawn("JPEG") + b"PK\x03\x04" + _noise(3000),
    ),
    "jpeg-cmyk": ("a CMYK JPEG", lambda: drawn("JPEG", "CMYK")),
    "jpeg-cmyk-inverted": ("a CMYK JPEG as Adobe writes it", _inverted),
    "jpeg-exif-noise": ("a JPEG with 65 KB of random EXIF", _exif(_noise(65_500))),
    "jpeg-exif-loop": (
        "a JPEG whose EXIF directory follows itself",
        _exif(b"II*\0\x08\0\0\0" + bytes(2) + struct.pack("<I", 8)),
    ),
    "jpeg-orientation-99": (
        "a JPEG of orientation 99",
        _exif(b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHHI", 0x0112, 3, 1, 99, 0, 0)),
    ),
    "jpeg-profile-noise": ("a JPEG with 200 KB of garbage for a profile", _profiled),
    "apng": ("an animated PNG", lambda: _animated("PNG")),
    "webp-animated": ("an animated WebP", lambda: _animated("WEBP")),
    "avif-animated": ("an animated AVIF", lambda: _animated("AVIF")),
    "png-1-bit": ("a PNG of one bit a pixel", lambda: drawn("PNG", "1")),
    "png-16-bit": ("a PNG of 16 bits", lambda: drawn("PNG", "I;16")),
    "png-palette-key": (
        "a PNG with a palette and a transparent colour",
        lambda: drawn("PNG", "P", transparency=3),
    ),
    "png-la": ("a grey PNG with alpha", lambda: drawn("PNG", "LA")),
    "tiff-16-bit": ("a TIFF of 16 bits", lambda: drawn("TIFF", "I;16")),
    "tiff-float": ("a TIFF of floats", lambda: drawn("TIFF", "F")),
    "tiff-cmyk": ("a CMYK TIFF", lambda: drawn("TIFF", "CMYK")),
    "tiff-lab": ("a TIFF in LAB", _lab),
    "tiff-loop": (
        "a TIFF whose directory follows itself",
        lambda: b"II*\0\x08\0\0\0" + bytes(2) + struct.pack("<I", 8) + bytes(64),
    ),
    "ico": ("an icon of two sizes", lambda: _icon(1)),
    "cur": ("a cursor", lambda: _icon(2)),
    **{
        f"{kind.lower()}-cut-{percent}": (f"{percent} % of a {kind}", _cut(kind, percent))
        for kind in FORMATS
        for percent in CUTS
    },
}
