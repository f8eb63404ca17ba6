"""A set of row numbers, a bit each: a hundred million take twelve megabytes."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Indexes"]

_BITS = 8 * 512


class Indexes:
    """Row numbers, from 0 on."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._count = 0
        self.end = 0  #: one more than the largest

    def __len__(self) -> int:
        return self._count

    def __contains__(self, index: int) -> bool:
        block = self._blocks.get(index // _BITS)
        return block is not None and bool(block[index % _BITS >> 3] >> (index & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        """All of them, the smallest first."""
        for number in sorted(self._blocks):
            block, first = self._blocks[number], number * _BITS
            yield from (first + at for at in range(_BITS) if block[at >> 3] >> (at & 7) & 1)

    def add(self, index: int) -> bool:
        """Put *index* in; returns whether it was not there."""
        block = self._blocks.get(index // _BITS)
        if block is None:
            block = self._blocks[index // _BITS] = bytearray(_BITS // 8)
        at, bit = index % _BITS >> 3, 1 << (index & 7)
        if block[at] & bit:
            return False
        block[at] |= bit
        self._count += 1
        self.end = max(self.end, index + 1)
        return True

    def discard(self, index: int) -> None:
        """Take *index* out, if it is there; `end` stays."""
        if index in self:
            self._blocks[index // _BITS][index % _BITS >> 3] &= ~(1 << (index & 7))
            self._count -= 1

    def first_missing(self) -> int:
        """The smallest number that is not there."""
        index = 0
        while (block := self._blocks.get(index // _BITS)) is not None and block.count(0xFF) == len(
            block
        ):
            index += _BITS
        while index in self:
            index += 1
        return index
