"""How many different URLs there are, about, in a few kilobytes."""

from __future__ import annotations

import heapq
from hashlib import blake2b

__all__ = ["Distinct"]

_BYTES = 8
_ALL = 1 << (8 * _BYTES)


class Distinct:
    """Keeps the smallest hashes: how close they lie together tells how many there are.

    (Bar-Yossef and others, Counting Distinct Elements in a Data Stream, 2002. Off by a fortieth,
    as a rule; exact as long as all are kept.)
    """

    def __init__(self, kept: int = 2048) -> None:
        self._most = kept
        self._heap: list[int] = []  # negative: the largest first
        self._kept: set[int] = set()

    def add(self, text: str) -> None:
        """Count *text*, if it is new."""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
        number = int.from_bytes(digest, "big")
        if len(self._heap) < self._most:
            if number not in self._kept:
                self._kept.add(number)
                heapq.heappush(self._heap, -number)
        elif number < -self._heap[0] and number not in self._kept:
            self._kept.add(number)
            self._kept.remove(-heapq.heapreplace(self._heap, -number))

    @property
    def count(self) -> float:
        """Of different texts."""
        if len(self._heap) < self._most:
            return len(self._heap)
        return float((self._most - 1) * _ALL / -self._heap[0])
