"""Pillow's mode of a TIFF, by the tags that tell how its pixels are laid out.

The combinations are those Pillow 13 reads; libtiff knows more of them, and gives Pillow others in
place of some.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Layout", "mode_of"]

_Numbers = tuple[int | float, ...]
_Key = tuple[int | float, _Numbers, _Numbers, _Numbers]

RAW, _OLD_JPEG = 1, 6
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_UNSIGNED, _SIGNED, _FLOAT = (1,), (2,), (3,)
_SEPARATE = 2  #: each channel in strips of its own
_REVERSED = 2  #: the lowest bit of a byte is its first pixel
_MOST_SAMPLES = 6

_COMPRESSIONS = frozenset(
    (*range(1, 9), 32771, 32773, 32809, 32946, 34676, 34677, 34925, 50000, 50001)
)


class Layout(NamedTuple):
    """The tags that decide, as far as they are there. Numbers may be floats: Pillow takes them."""

    little: bool  #: byte order of the file
    compression: float
    photometric: float
    planar: float
    fill_order: float
    samples: float | None
    bits: _Numbers
    extra: _Numbers
    sample_format: _Numbers


def mode_of(layout: Layout) -> str | None:
    """Return the mode Pillow opens such a picture in, None where it opens none."""
    compression, photometric = layout.compression, layout.photometric
    if compression not in _COMPRESSIONS:
        return None
    if compression == _OLD_JPEG:
        photometric = _YCBCR
    bits, extra, samples = layout.bits, layout.extra, layout.samples
    if samples is None:
        samples = 3 if compression == _OLD_JPEG and photometric in (_RGB, _YCBCR) else 1
    if layout.planar == _SEPARATE and extra and max(extra) == 0:
        bits, samples, extra = bits[: -len(extra)], samples - len(extra), ()
    if not 0 < samples <= _MOST_SAMPLES:
        return None
    bits = bits * int(samples) if len(bits) == 1 else bits[: int(samples)]
    if len(bits) != samples:
        return None
    kind = layout.sample_format
    if len(set(kind)) == 1:
        kind = kind[:1]
    key = photometric, kind, bits, extra
    mode = _MODES.get(key)
    if mode is None or (not layout.little and key in _LITTLE_ONLY):
        return None
    if layout.fill_order != 1 and not _readable_reversed(layout, key):
        return None
    if photometric == _YCBCR and compression != RAW:  # libtiff converts it
        return "RGB"
    return "I;16B" if mode == "I;16" and not layout.little else mode


def _readable_reversed(layout: Layout, key: _Key) -> bool:
    """Whether Pillow takes a picture of this kind with the bits of each byte reversed."""
    photometric, kind, bits, extra = key
    if layout.fill_order != _REVERSED or kind != _UNSIGNED or extra:
        return False
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE):
        wide = layout.little and photometric == _BLACK_IS_ZERO and bits == (16,)
        return wide or (len(bits) == 1 and bits[0] in (1, 2, 4, 8))
    return photometric == _RGB and bits == (8, 8, 8)


def _modes() -> Iterator[tuple[_Key, str]]:
    for photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        yield (photometric, _UNSIGNED, (1,), ()), "1"
        for bits in (2, 4, 8):
            yield (photometric, _UNSIGNED, (bits,), ()), "L"
        yield (photometric, _UNSIGNED, (16,), ()), "I;16"
        yield (photometric, _FLOAT, (32,), ()), "F"
    yield (_BLACK_IS_ZERO, _SIGNED, (8,), ()), "L"
    yield (_BLACK_IS_ZERO, _UNSIGNED, (12,), ()), "I;16"
    yield (_BLACK_IS_ZERO, _SIGNED, (16,), ()), "I"
    yield (_BLACK_IS_ZERO, _UNSIGNED, (32,), ()), "I"
    yield (_BLACK_IS_ZERO, _SIGNED, (32,), ()), "I"
    for extra, mode in ((0, "L"), (1, "La"), (2, "LA")):
        yield (_BLACK_IS_ZERO, _UNSIGNED, (8, 8), (extra,)), mode
    yield from _colours()
    for bits in (1, 2, 4, 8):
        yield (_PALETTE, _UNSIGNED, (bits,), ()), "P"
    yield (_PALETTE, _UNSIGNED, (8, 8), (0,)), "P"
    yield (_PALETTE, _UNSIGNED, (8, 8), (2,)), "PA"
    for more in range(3):
        yield (_CMYK, _UNSIGNED, (8,) * (4 + more), (0,) * more), "CMYK"
    yield (_CMYK, _UNSIGNED, (16,) * 4, ()), "CMYK"
    yield (_YCBCR, _UNSIGNED, (8,), ()), "L"
    yield (_YCBCR, _UNSIGNED, (8, 8, 8), ()), "YCbCr"
    yield (_LAB, _UNSIGNED, (8, 8, 8), ()), "LAB"


def _colours() -> Iterator[tuple[_Key, str]]:
    for bits in (8, 16):
        yield (_RGB, _UNSIGNED, (bits,) * 3, ()), "RGB"
        yield (_RGB, _UNSIGNED, (bits,) * 4, ()), "RGBA"
        for more in range(3 if bits == 8 else 1):
            zeros, depths = (0,) * more, (bits,) * (4 + more)
            yield (_RGB, _UNSIGNED, depths, (0, *zeros)), "RGB"
            yield (_RGB, _UNSIGNED, depths, (1, *zeros)), "RGBA"
            yield (_RGB, _UNSIGNED, depths, (2, *zeros)), "RGBA"
    yield (_RGB, _UNSIGNED, (8,) * 4, (999,)), "RGBA"  # a writer of Corel's


_MODES: dict[_Key, str] = dict(_modes())

_LITTLE_ONLY = frozenset(
    (
        (_WHITE_IS_ZERO, _UNSIGNED, (16,), ()),
        (_BLACK_IS_ZERO, _UNSIGNED, (12,), ()),
        (_BLACK_IS_ZERO, _UNSIGNED, (32,), ()),
    )
)
