"""Content codings nobody asked for: the census asks for identity."""

import functools
import gzip
import zlib
from collections.abc import Callable, Mapping

from hosting.answers import Answer, Asking
from hosting.misdeed import Make, Misdeed, head, headed, length, wired
from hosting.pictures import Picture
from hosting.wire import Ending

GIGABYTE = 1024**3
BLOCK = 1024**2
#: CRC-32 of a gigabyte of zeros.
GIGABYTE_CRC = 0x5B64C2B0


@functools.cache
def bomb() -> bytes:
    """A gzip file of a megabyte that inflates to a gigabyte of zeros."""
    header = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    return header + zeros(GIGABYTE) + GIGABYTE_CRC.to_bytes(4, "little") + bytes((0, 0, 0, 64))


def zeros(count: int) -> bytes:
    """The deflate stream of so many zeros (a multiple of a megabyte), made in no time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(bytes(BLOCK))
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (count // BLOCK) + packer.flush()


def _coded(coding: str, change: Callable[[bytes], bytes]) -> Make:
    """What *change* makes of the picture, said to be in a coding."""

    def make(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
        body = change(picture.data)
        return wired([head(f"Content-Encoding: {coding}", length(body)), body], Ending.KEEP)

    return make


def _corrupt(data: bytes) -> bytes:
    packed = bytearray(gzip.compress(data, 1))
    packed[20:40] = bytes(20)
    return bytes(packed)


MISDEEDS: Mapping[str, Misdeed] = {
    "gzip-bomb": Misdeed("gzip of a gigabyte in a megabyte", _coded("gzip", lambda _: bomb())),
    "gzip-picture": Misdeed(
        "the picture as gzip", _coded("gzip", lambda data: gzip.compress(data, 1))
    ),
    "gzip-twice": Misdeed(
        "gzip of gzip",
        _coded("gzip, gzip", lambda data: gzip.compress(gzip.compress(data, 1), 1)),
    ),
    "gzip-corrupt": Misdeed("gzip with damage", _coded("gzip", _corrupt)),
    "gzip-said": Misdeed("the plain picture, said to be gzip", _coded("gzip", lambda data: data)),
    "coding-unknown": Misdeed(
        "the plain picture, said to be in a coding nobody knows", headed("Content-Encoding: banana")
    ),
    "coding-list": Misdeed(
        "the plain picture, said to be in 900 codings",
        _coded(", ".join(["gzip"] * 900), lambda data: data),
    ),
}
