"""Damaged files: bytes flipped, cut, spliced, repeated, and lengths that lie.

A mutant follows from the seed of the run and its number alone, so that any can be made again.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

__all__ = ["Mutants"]

#: Most damage is done where headers are.
_FRONT = 700

_Mutate = Callable[[random.Random, bytearray, bytes], None]


class Mutants:
    """Endless damaged files, each of (name, bytes) given."""

    def __init__(self, seed: int, files: list[tuple[str, bytes]]) -> None:
        self._seed = seed
        self._files = files

    def make(self, number: int) -> tuple[str, bytes]:
        """Mutant `number`: the name of the file it was, and its bytes."""
        chance = random.Random(self._seed << 40 | number)
        name, data = chance.choice(self._files)
        _, other = chance.choice(self._files)
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
            chance.choice(_MUTATIONS)(chance, damaged, other)
        return name, bytes(damaged)


def _place(chance: random.Random, size: int) -> int:
    if chance.random() < 0.8:
        size = min(size, _FRONT)
    return chance.randrange(size) if size else 0


def _flip(chance: random.Random, data: bytearray, _: bytes) -> None:
    if data:
        data[_place(chance, len(data))] ^= 1 << chance.randrange(8)


def _set(chance: random.Random, data: bytearray, _: bytes) -> None:
    if data:
        data[_place(chance, len(data))] = chance.choice(
            (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )


def _cut(chance: random.Random, data: bytearray, _: bytes) -> None:
    del data[_place(chance, len(data)) :]


def _splice(chance: random.Random, data: bytearray, other: bytes) -> None:
    """Go on as another file does: from the same place, or from any."""
    here = _place(chance, len(data))
    there = here if chance.random() < 0.5 else _place(chance, len(other))
    data[here:] = other[there:]


def _lend(chance: random.Random, data: bytearray, other: bytes) -> None:
    """Bytes of another file, written over or put between."""
    start = _place(chance, len(other))
    lent = other[start : start + chance.choice((1, 4, 12, 64, 400))]
    here = _place(chance, len(data))
    data[here : here + (len(lent) if chance.random() < 0.5 else 0)] = lent


def _repeat(chance: random.Random, data: bytearray, _: bytes) -> None:
    """A stretch that looks like a chunk, once more; rarely very often."""
    start = _place(chance, len(data))
    stretch = data[start : start + _stretch(chance, data, start)]
    times = chance.choice((1, 1, 1, 2, 50)) if len(stretch) < 200 else 1
    data[start:start] = stretch * times


def _remove(chance: random.Random, data: bytearray, _: bytes) -> None:
    start = _place(chance, len(data))
    del data[start : start + _stretch(chance, data, start)]


def _stretch(chance: random.Random, data: bytearray, start: int) -> int:
    """How long a chunk at `start` would be, by a length that stands there; or any length."""
    order = chance.choice("<>")
    field = bytes(data[start : start + 4])
    if len(field) == 4 and chance.random() < 0.7:
        said = struct.unpack(f"{order}I", field)[0] if chance.random() < 0.5 else 0
        said = said or struct.unpack(f"{order}H", field[:2])[0]
        length = said + chance.choice((0, 2, 4, 8, 12))
        if length < len(data):
            return int(length)
    return chance.choice((1, 2, 4, 8, 12, 13, 25, 64, 300))


def _lie(chance: random.Random, data: bytearray, _: bytes) -> None:
    """A number of 2, 4 or 8 bytes becomes 0, 1, the largest, one more or less, the file's size."""
    width = chance.choice((2, 4, 4, 8))
    if len(data) < width:
        return
    start = min(_place(chance, len(data)), len(data) - width)
    order = chance.choice(("little", "big"))
    value = int.from_bytes(data[start : start + width], order)  # type: ignore[arg-type]
    most = (1 << 8 * width) - 1
    lies = (0, 1, most, most >> 1, value + 1, value - 1, value * 2, len(data), len(data) - start)
    data[start : start + width] = (chance.choice(lies) & most).to_bytes(width, order)  # type: ignore[arg-type]


_MUTATIONS: tuple[_Mutate, ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _cut,
    _splice,
    _lend,
    _repeat,
    _remove,
    _lie,
    _lie,
    _lie,
)
