"""The pictures a host serves: read from a folder, or made here, the same ones at every start.

`choose` is the mapping from a request target to a picture. This module imports none of its
siblings, so that anyone can load it by its path and foretell what the host will answer.
"""

import io
import random
import zlib
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}
MADE_AT = 1_700_000_000  # what made pictures say in Last-Modified


def choose(target: str, names: Sequence[str]) -> str:
    """The name that answers `target`: its CRC-32 modulo the number of names.

    `target` is the path with its query as written on the wire, without the prefixes that ask for
    a misbehaviour; `names` are the pictures' names, sorted.
    """
    return names[zlib.crc32(target.encode("utf-8", "surrogateescape")) % len(names)]


class Picture(NamedTuple):
    """A file in memory, with the header lines that never change."""

    name: str
    data: bytes
    etag: str
    last_modified: str
    headers: str


def picture(name: str, data: bytes, content_type: str, modified: float) -> Picture:
    """Put a file on the shelf: its entity tag follows from its bytes."""
    etag = f'"{zlib.crc32(data):08x}-{len(data):x}"'
    last_modified = formatdate(modified, usegmt=True)
    headers = (
        f"Content-Type: {content_type}\r\nETag: {etag}\r\n"
        f"Last-Modified: {last_modified}\r\nX-Picture: {quote(name)}\r\n"
    )
    return Picture(name, data, etag, last_modified, headers)


def load(folder: Path) -> list[Picture]:
    """Every picture of a folder (not below it), told by its extension, sorted by name."""
    return [
        picture(path.name, path.read_bytes(), kind, path.stat().st_mtime)
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if (kind := CONTENT_TYPES.get(path.suffix.lower())) and path.is_file()
    ]


def make(count: int) -> list[Picture]:
    """`count` pictures of our own, cycling over `RECIPES`; the n-th is always the same one."""
    pictures = []
    for number in range(count):
        kind, extension, mode, options = RECIPES[number % len(RECIPES)]
        name = f"made-{number:04d}-{kind}{extension}"
        data = _encode(number, extension, mode, options)
        pictures.append(picture(name, data, CONTENT_TYPES[extension], MADE_AT))
    return pictures


# kind, extension, mode, what Pillow's save is told. `orientation`, `description` and `profile`
# are taken out by `_encode`: the last two say how many bytes of metadata stand before the pixels,
# so that the first 16 KiB do not hold the dimensions.
RECIPES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("plain", ".jpg", "RGB", {"quality": 85}),
    ("plain", ".png", "RGB", {"compress_level": 1}),
    ("progressive", ".jpg", "RGB", {"quality": 80, "progressive": True}),
    ("plain", ".webp", "RGB", {"quality": 75, "method": 0}),
    ("plain", ".gif", "P", {}),
    ("turned", ".jpg", "RGB", {"quality": 85, "orientation": 6}),
    ("fat-exif", ".jpg", "RGB", {"quality": 85, "description": 40_000}),
    ("palette", ".png", "P", {"compress_level": 1}),
    ("sharp", ".jpg", "RGB", {"quality": 95, "subsampling": 0}),
    ("see-through", ".png", "RGBA", {"compress_level": 1}),
    ("lossless", ".webp", "RGBA", {"lossless": True, "method": 0}),
    ("fat-profile", ".jpg", "RGB", {"quality": 85, "profile": 100_000}),
    ("grey", ".jpg", "L", {"quality": 85}),
    ("animated", ".gif", "P", {"frames": 3}),
    ("flipped", ".jpg", "RGB", {"quality": 80, "orientation": 3, "description": 200}),
    ("cmyk", ".jpg", "CMYK", {"quality": 85}),
]


def _encode(number: int, extension: str, mode: str, options: dict[str, Any]) -> bytes:
    """Draw the n-th picture and write it in its format."""
    from PIL import Image  # a host of a folder starts without it

    dice = random.Random(number)
    size = (dice.randint(40, 640), dice.randint(40, 640))
    save = dict(options)
    exif = Image.Exif()
    if "orientation" in save:
        exif[0x0112] = save.pop("orientation")
    if "description" in save:
        exif[0x010E] = "x" * save.pop("description")
    if len(exif):
        save["exif"] = exif
    if "profile" in save:
        save["icc_profile"] = _profile(save.pop("profile"))
    frames = save.pop("frames", 1)
    images = [_draw(dice, size).convert(mode) for _ in range(frames)]
    if mode == "RGBA":
        images[0].putalpha(Image.linear_gradient("L").resize(size))
    if frames > 1:
        save |= {"save_all": True, "append_images": images[1:], "duration": 100, "loop": 0}
    file = io.BytesIO()
    kind = {".jpg": "JPEG"}.get(extension, extension[1:].upper())
    images[0].save(file, kind, **save)
    return file.getvalue()


def _draw(dice: random.Random, size: tuple[int, int]) -> Any:
    """Soft coloured blobs with some grain: pixels that compress about as photos do."""
    from PIL import Image

    blobs = Image.frombytes("RGB", (6, 5), dice.randbytes(90)).resize(
        size, Image.Resampling.BICUBIC
    )
    tile = Image.frombytes("RGB", (64, 64), dice.randbytes(64 * 64 * 3))
    grain = tile.resize(size, Image.Resampling.NEAREST)
    return Image.blend(blobs, grain, 0.06)


def _profile(length: int) -> bytes:
    """A valid sRGB profile with `length` bytes, most of them behind its last tag."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # the time of its making would differ at every start
    profile.extend(bytes(length - len(profile)))
    profile[:4] = length.to_bytes(4, "big")
    return bytes(profile)
