"""Pictures made for tests: every family in the kinds Pillow writes, and some that it only reads.

`SAMPLES` maps a name to the bytes of a file that Pillow opens; the functions make further ones.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, PngImagePlugin

from tests.tiff_files import SHORT, moved, plain, tiff

pillow_heif.register_heif_opener()

SIZE = (61, 43)
PROFILE = bytes(range(256)) * 800  # as large as a printer's profile; the tests never apply it
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE, *, seed: int = 0) -> Image.Image:
    """A gradient with blocks and a little noise: every mode gets something to tell apart."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).integers(0, 32, (height, width))
    red = (x * 255 // max(width - 1, 1) + noise) % 256
    green = (y * 255 // max(height - 1, 1) + noise) % 256
    blue = ((x // 8 + y // 8) % 2 * 160 + seed * 40) % 256
    colour = Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))
    if mode == "RGB":
        return colour
    if mode in ("I;16", "I", "F"):
        wide = (red * 257).astype(np.uint16)
        return {
            "I;16": lambda: Image.fromarray(wide),
            "I": lambda: Image.fromarray(wide.astype(np.int32)),
            "F": lambda: Image.fromarray((wide / 65535).astype(np.float32)),
        }[mode]()
    if mode in ("RGBA", "LA", "PA"):
        colour.putalpha(Image.fromarray((x * 255 // max(width - 1, 1)).astype(np.uint8)))
        return colour.convert(mode)
    if mode == "P":
        return colour.quantize(64)
    return colour.convert(mode)


def encode(image: Image.Image, fmt: str, **options: Any) -> bytes:
    """The bytes of a file in a format of Pillow's."""
    file = io.BytesIO()
    image.save(file, fmt, **options)
    return file.getvalue()


def exif(orientation: int, *, padding: int = 0) -> bytes:
    """An EXIF block that tells an orientation, with as many bytes of maker's notes."""
    block = Image.Exif()
    block[0x010F] = "A maker of cameras"
    block[0x0110] = "A model"
    block[0x0112] = orientation
    block[0x0131] = "software"
    if padding:
        block[0x927C] = bytes(padding)
    return block.tobytes()


def segment(marker: int, payload: bytes) -> bytes:
    """A JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with further segments right behind its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(name: bytes, payload: bytes) -> bytes:
    """A PNG chunk."""
    return (
        struct.pack(">I", len(payload))
        + name
        + payload
        + struct.pack(">I", zlib.crc32(name + payload))
    )


def png(
    header: tuple[int, int, int, int, int], rows: bytes, *before: bytes, after: bytes = b""
) -> bytes:
    """A PNG made by hand: (width, height, depth, colour type, interlace), filtered rows, chunks."""
    width, height, depth, colour, interlace = header
    ihdr = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", ihdr)
        + b"".join(before)
        + chunk(b"IDAT", zlib.compress(rows))
        + after
        + chunk(b"IEND", b"")
    )


def interlaced_png() -> bytes:
    """An 8 x 8 grey PNG in the seven passes of Adam7."""
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    steps = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    rows = b"".join(
        b"\0" + row.tobytes()
        for top, left, down, right in steps
        for row in grey[top::down, left::right]
    )
    return png((8, 8, 8, 0, 1), rows)


def late_exif_png() -> bytes:
    """A PNG whose EXIF stands behind its picture data."""
    rows = b"".join(b"\0" + bytes(range(9)) for _ in range(5))
    return png((9, 5, 8, 0, 0), rows, after=chunk(b"eXIf", exif(6)[6:]))


def gif_wider_than_its_screen() -> bytes:
    """A GIF whose only frame reaches beyond the logical screen."""
    data = bytearray(encode(picture("P"), "GIF"))
    data[6:10] = struct.pack("<HH", 10, 10)
    return bytes(data)


def frame_that_lies() -> bytes:
    """An animated WebP whose first frame says that it is one byte longer than it is."""
    data = bytearray(animation("WEBP"))
    place = data.index(b"ANMF") + 4
    data[place : place + 4] = struct.pack("<I", struct.unpack_from("<I", data, place)[0] + 1)
    return bytes(data)


def bmp(header: bytes, rows: bytes, *, palette: bytes = b"") -> bytes:
    """A BMP made by hand of a bitmap header, a palette and its rows."""
    start = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + header + palette + rows


def bmp_header(
    width: int, height: int, bits: int, *, compression: int = 0, extra: bytes = b""
) -> bytes:
    """A bitmap header of 40 bytes, or longer by `extra`."""
    size = 40 + len(extra)
    return (
        struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
        + extra
    )


def frames(mode: str, count: int) -> list[Image.Image]:
    """Frames that differ, for an animation."""
    return [picture(mode, seed=seed) for seed in range(1, count)]


def animation(fmt: str, mode: str = "RGB", count: int = 3, **options: Any) -> bytes:
    """An animation of `count` frames."""
    more = frames(mode, count)
    return encode(picture(mode), fmt, save_all=True, append_images=more, duration=40, **options)


def ultra_hdr() -> bytes:
    """A JPEG with a second picture that is a gain map, as newer phones write."""
    return with_segments(
        encode(picture(), "MPO", save_all=True, append_images=[picture("L", (30, 20))]),
        segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<rdf:Description hdrgm:Version="1.0"/>'),
    )


def _jpegs() -> dict[str, bytes]:
    rgb = picture()
    plain = encode(rgb, "JPEG")
    made = {
        **{f"jpeg-{mode}": encode(picture(mode), "JPEG") for mode in ("L", "RGB", "CMYK", "1")},
        **{f"jpeg-subsampling-{n}": encode(rgb, "JPEG", subsampling=n) for n in range(3)},
        **{f"jpeg-exif-{n}": encode(rgb, "JPEG", exif=exif(n)) for n in range(1, 9)},
        "jpeg-exif-0": encode(rgb, "JPEG", exif=exif(0)),
        "jpeg-exif-9": encode(rgb, "JPEG", exif=exif(9)),
        "jpeg-progressive": encode(rgb, "JPEG", progressive=True),
        "jpeg-restarts": encode(rgb, "JPEG", restart_marker_rows=1),
        "jpeg-large": encode(picture(size=(640, 480)), "JPEG"),
        "jpeg-comment": encode(rgb, "JPEG", comment=b"c" * 60_000),
        "jpeg-icc": encode(rgb, "JPEG", icc_profile=PROFILE, exif=exif(3)),
        "jpeg-fat-exif": encode(rgb, "JPEG", exif=exif(6, padding=60_000)),
        "jpeg-xmp": encode(rgb, "JPEG", xmp=XMP % 8),
        "jpeg-exif-and-xmp": encode(rgb, "JPEG", exif=exif(6), xmp=XMP % 8),
        "jpeg-exif-big": encode(rgb, "JPEG", exif=exif(6).replace(b"MM\0*", b"MM\0+")),
        "jpeg-exif-none-and-xmp": encode(
            rgb, "JPEG", exif=exif(6).replace(b"MM\0*", b"none"), xmp=XMP % 8
        ),
        "jpeg-exif-9-and-xmp": encode(rgb, "JPEG", exif=exif(9), xmp=XMP % 8),
        "jpeg-padded": with_segments(plain, b"\xff\xff\xff", segment(0xEF, b"x")),
        "jpeg-junk": with_segments(
            plain, segment(0xEF, b"x"), b"junk between", segment(0xED, b"Photoshop 3.0\0")
        ),
        "jpeg-random-exif": with_segments(
            plain, segment(0xE1, b"Exif\0\0" + bytes(range(256)) * 90)
        ),
        "jpeg-two-exif": with_segments(
            plain, segment(0xE1, exif(5)[:40]), segment(0xE1, b"Exif\0\0" + exif(5)[40:])
        ),
        "mpo": animation("MPO"),
        "mpo-fat-exif": animation("MPO", exif=exif(8, padding=50_000)),
        "jpeg-ultra-hdr": ultra_hdr(),
    }
    made["jpeg-trailing-bytes"] = plain + b"PK\3\4" + bytes(500)
    return made


def _pngs() -> dict[str, bytes]:
    keyed = picture("P")
    profile = PngImagePlugin.PngInfo()
    profile.add_itxt("XML:com.adobe.xmp", (XMP % 4).decode())
    key16 = chunk(b"tRNS", b"\0\0")
    return {
        **{
            f"png-{mode}": encode(picture(mode), "PNG")
            for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
        },
        **{
            f"png-P-{bits}": encode(picture().quantize(1 << bits), "PNG", bits=bits)
            for bits in (1, 2, 4)
        },
        "png-P-transparency": encode(keyed, "PNG", transparency=3),
        "png-P-alphas": encode(keyed, "PNG", transparency=bytes(range(0, 256, 4))),
        "png-RGB-transparency": encode(picture(), "PNG", transparency=(0, 0, 0)),
        "png-L-transparency": encode(picture("L"), "PNG", transparency=7),
        "png-exif": encode(picture(), "PNG", exif=exif(6)),
        "png-late-exif": late_exif_png(),
        "png-xmp": encode(picture(), "PNG", pnginfo=profile),
        "png-icc": encode(picture(), "PNG", icc_profile=PROFILE),
        "png-interlaced": interlaced_png(),
        "png-large": encode(picture(size=(640, 480)), "PNG"),
        "png-L-2": png((4, 2, 2, 0, 0), b"\0\x1b\0\xe4"),
        "png-RGB-16": png((1, 2, 16, 2, 0), (b"\0" + bytes(range(6))) * 2),
        "png-LA-16": png((1, 1, 16, 4, 0), b"\0" + bytes(4)),
        "png-I;16-transparency": png((2, 1, 16, 0, 0), b"\0\0\0\xff\xff", key16),
        "apng": animation("PNG"),
        "apng-exif": animation("PNG", exif=exif(7)),
        "apng-still-first": animation("PNG", default_image=True),
        "apng-still-and-one": animation("PNG", count=2, default_image=True),
    }


def _gifs() -> dict[str, bytes]:
    return {
        "gif-P": encode(picture("P"), "GIF"),
        "gif-L": encode(picture("L"), "GIF"),
        "gif-1": encode(picture("1"), "GIF"),
        "gif-transparency": encode(picture("P"), "GIF", transparency=5),
        "gif-sequential": encode(picture("P"), "GIF", interlace=0),
        "gif-interlaced": encode(picture("P"), "GIF", interlace=1),
        "gif-comment": encode(picture("P"), "GIF", comment=b"c" * 30_000),
        "gif-large": encode(picture("P", (640, 480)), "GIF"),
        "gif-beyond-screen": gif_wider_than_its_screen(),
        "gif-animated": animation("GIF"),
        "gif-animated-loop": animation("GIF", "P", loop=0),
        "gif-animated-L": animation("GIF", "L", count=5),
    }


def _webps() -> dict[str, bytes]:
    return {
        "webp-lossy": encode(picture(), "WEBP"),
        "webp-lossy-alpha": encode(picture("RGBA"), "WEBP"),
        "webp-lossless": encode(picture(), "WEBP", lossless=True),
        "webp-lossless-alpha": encode(picture("RGBA"), "WEBP", lossless=True),
        "webp-exif": encode(picture(), "WEBP", exif=exif(6)),
        "webp-exif-lossless": encode(picture("RGBA"), "WEBP", lossless=True, exif=exif(3)),
        "webp-xmp": encode(picture(), "WEBP", xmp=XMP % 7),
        "webp-icc": encode(picture(), "WEBP", icc_profile=PROFILE),
        "webp-large": encode(picture(size=(640, 480)), "WEBP"),
        "webp-animated": animation("WEBP"),
        "webp-animated-alpha": animation("WEBP", "RGBA"),
        "webp-animated-exif": animation("WEBP", exif=exif(5)),
        "webp-animated-lying": frame_that_lies(),
    }


def _bmps() -> dict[str, bytes]:
    core = struct.pack("<IHHHH", 12, 3, 2, 1, 24)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    coloured = bytes([9, 9, 200, 0]) * 256
    return {
        **{f"bmp-{mode}": encode(picture(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")},
        "bmp-top-down": bmp(bmp_header(3, -2, 24), bytes(24)),
        "bmp-core": bmp(core, bytes(24)),
        "bmp-core-palette": bmp(
            struct.pack("<IHHHH", 12, 4, 2, 1, 8), bytes(8), palette=bytes(768)
        ),
        "bmp-16": bmp(bmp_header(3, 2, 16), bytes(16)),
        "bmp-4": bmp(bmp_header(3, 2, 4), bytes(8), palette=coloured[:64]),
        "bmp-1-colours": bmp(bmp_header(3, 2, 1), bytes(8), palette=coloured[:8]),
        "bmp-32": bmp(bmp_header(3, 2, 32), bytes(24)),
        "bmp-fields": bmp(bmp_header(3, 2, 32, compression=3, extra=masks), bytes(range(24))),
        "bmp-565": bmp(
            bmp_header(3, 2, 16, compression=3) + struct.pack("<III", 0xF800, 0x7E0, 0x1F),
            bytes(16),
        ),
    }


def _avifs() -> dict[str, bytes]:
    return {
        **{f"avif-{mode}": encode(picture(mode), "AVIF") for mode in ("L", "RGB", "RGBA", "P")},
        **{f"avif-turned-{n}": encode(picture(), "AVIF", exif=exif(n)) for n in range(1, 9)},
        "avif-large": encode(picture(size=(640, 480)), "AVIF"),
        "avif-icc": encode(picture("RGBA"), "AVIF", icc_profile=PROFILE),
        "avif-xmp": encode(picture(), "AVIF", xmp=XMP % 8),
        "avif-xmp-and-exif": encode(picture(), "AVIF", xmp=XMP % 8, exif=exif(1)),
        "avif-animated": animation("AVIF"),
        "avif-animated-alpha": animation("AVIF", "RGBA"),
    }


def _heifs() -> dict[str, bytes]:
    tiled = picture(size=(300, 200))
    return {
        **{f"heif-{mode}": encode(picture(mode), "HEIF") for mode in ("L", "LA", "RGB", "RGBA")},
        **{f"heif-turned-{n}": encode(picture(), "HEIF", exif=exif(n)) for n in range(1, 9)},
        "heif-I;16": encode(picture("I;16"), "HEIF"),
        "heif-large": encode(picture(size=(640, 480)), "HEIF"),
        "heif-tiles": encode(tiled, "HEIF", tile_size=128, exif=exif(6)),
        "heif-icc": encode(picture(), "HEIF", icc_profile=PROFILE),
        "heif-xmp": encode(picture(), "HEIF", xmp=XMP % 8),
        "heif-several": animation("HEIF"),
        "heif-several-alpha": animation("HEIF", "RGBA"),
    }


def _tiffs() -> dict[str, bytes]:
    rgb, grey = picture(), picture("1")
    lzw = encode(rgb, "TIFF", compression="tiff_lzw")
    ramp = bytes(range(256))
    modes = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "YCbCr", "I;16", "I", "F")
    made = {f"tiff-{mode}": encode(picture(mode), "TIFF") for mode in modes}
    for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd"):
        made[f"tiff-RGB-{name}"] = encode(rgb, "TIFF", compression=name)
    for name in ("tiff_ccitt", "group3", "group4"):
        made[f"tiff-1-{name}"] = encode(grey, "TIFF", compression=name)
    for turn in range(1, 10):
        made[f"tiff-orientation-{turn}"] = encode(rgb, "TIFF", tiffinfo={0x0112: turn})
    for order, name in (("<", "II"), (">", "MM")):
        for tail in (False, True):
            made[f"tiff-{name}-{'tail' if tail else 'head'}"] = tiff(
                plain(4, 2, (8,) * 4, 2, {338: (SHORT, [2]), 339: (SHORT, [1] * 4)}),
                [ramp[:32]],
                order=order,
                tail=tail,
                values_first=tail,
            )
    return {
        **made,
        "tiff-P-lzw": encode(picture("P"), "TIFF", compression="tiff_lzw"),
        "tiff-YCbCr-jpeg": encode(picture("YCbCr"), "TIFF", compression="jpeg"),
        "tiff-icc": encode(rgb, "TIFF", icc_profile=PROFILE),
        "tiff-large": encode(picture(size=(640, 480)), "TIFF", compression="tiff_lzw"),
        "tiff-pages": animation("TIFF"),
        "tiff-pages-lzw": animation("TIFF", compression="tiff_lzw"),
        "tiff-big": encode(rgb, "TIFF", big_tiff=True),
        "tiff-big-pages": animation("TIFF", "L", big_tiff=True),
        "tiff-head": moved(lzw),
        "tiff-head-jpeg": moved(made["tiff-RGB-jpeg"]),
        "tiff-head-group4": moved(made["tiff-1-group4"]),
        "tiff-tail-values-first": moved(lzw, tail=True, values_first=True),
        "tiff-bare": tiff({256: (SHORT, [8]), 257: (SHORT, [2])}, [b"\xa5\x5a"]),
        "tiff-xmp": tiff(plain(5, 4, more={700: (1, XMP % 6)}), [ramp[:20]]),
        "tiff-12": tiff(plain(4, 2, (12,)), [ramp[:12]]),
        "tiff-white-is-zero-16": tiff(plain(4, 2, (16,), 0), [ramp[:16]]),
        "tiff-RGB-16": tiff(plain(4, 2, (16,) * 3, 2), [ramp[:48]]),
        "tiff-La": tiff(plain(4, 2, (8, 8), 1, {338: (SHORT, [1])}), [ramp[:16]]),
        "tiff-planar": tiff(plain(4, 2, (8,) * 3, 2, {284: (SHORT, [2])}), [ramp[:8]] * 3),
        "tiff-tiled": tiff(
            plain(20, 20, more={322: (SHORT, [16]), 323: (SHORT, [16])}), [ramp] * 4
        ),
        "tiff-signed-16": tiff(plain(4, 2, (16,), 1, {339: (SHORT, [2])}), [ramp[:16]]),
    }


def _icos() -> dict[str, bytes]:
    wide, sizes = (48, 32), [(32, 21), (48, 32)]
    made = {
        "ico": encode(picture("RGBA", (256, 256)), "ICO"),
        "ico-bmp": encode(picture("RGBA", (64, 64)), "ICO", bitmap_format="bmp"),
        "ico-small": encode(picture("RGBA", (9, 7)), "ICO"),
    }
    for mode in ("1", "L", "P", "RGB"):
        made[f"ico-bmp-{mode}"] = encode(
            picture(mode, wide), "ICO", bitmap_format="bmp", sizes=[wide]
        )
    for mode in ("1", "L", "LA", "P", "RGB"):
        made[f"ico-png-{mode}"] = encode(picture(mode, wide), "ICO", sizes=sizes)
    return made


_FAMILIES: dict[str, Callable[[], dict[str, bytes]]] = {
    "JPEG": _jpegs,
    "PNG": _pngs,
    "GIF": _gifs,
    "WEBP": _webps,
    "BMP": _bmps,
    "TIFF": _tiffs,
    "ICO": _icos,
    "AVIF": _avifs,
    "HEIF": _heifs,
}


@functools.cache
def family(name: str) -> dict[str, bytes]:
    """The samples of one family: JPEG (MPO too), PNG, GIF, WEBP, BMP, AVIF or HEIF."""
    return _FAMILIES[name]()


SAMPLES: dict[str, bytes] = {name: data for fmt in _FAMILIES for name, data in family(fmt).items()}
