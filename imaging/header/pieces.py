"""The bytes of a file that we have: `Pieces`; and those a walker still wants: `Need`.

A download starts with the head of a file. A walker that must look further answers with a `Need`;
the caller fetches those bytes and asks again with the head and all pieces fetched so far.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from imaging.facts import ErrorCode, Failure, ImageInfo

__all__ = ["Need", "Pieces"]


@dataclass(frozen=True, slots=True)
class Need:
    """`length` bytes at `offset` are missing to tell format and dimension.

    They lie within the file where its size is known, mostly behind all bytes given. Asking again
    with these bytes added, or with the size of a file that ends before, answers or needs something
    else. `otherwise` is what can be told without them: a body that streams past cannot be read
    backwards, nor is a further request worth every fact.
    """

    offset: int
    length: int
    otherwise: ImageInfo | None = None


class Pieces:
    """What is present of one file: its head, joined with every piece that touches or overlaps."""

    __slots__ = ("_islands", "head", "total")

    def __init__(
        self, head: bytes, total: int | None = None, more: Sequence[tuple[int, bytes]] = ()
    ) -> None:
        """`head` are the bytes from offset 0, `total` the size of the whole file if known."""
        if total is not None and len(head) > total:  # a host may send more than it says there is
            head = head[:total]
        self.head = head
        self.total = total
        self._islands: list[tuple[int, bytes]] = []
        if more:
            self.head, *islands = _joined([(0, head), *more])
            self._islands = islands

    @property
    def complete(self) -> bool:
        """Whether `head` is the whole file."""
        return self.total is not None and len(self.head) >= self.total

    def holding(self, offset: int, length: int) -> tuple[int, bytes] | None:
        """Return the piece, as (its offset, its bytes), that holds the whole range, if one does."""
        if offset + length <= len(self.head):
            return 0, self.head
        at = bisect_right(self._islands, offset, key=itemgetter(0)) - 1
        if at < 0:
            return None
        start, data = island = self._islands[at]
        return island if offset + length <= start + len(data) else None

    def need(
        self, offset: int, length: int, *, hoped: int = 0, otherwise: ImageInfo | None = None
    ) -> Need | Failure:
        """Ask for what is missing of a range, or say that the file ends before it.

        `hoped` is a length that helps if the file has so many bytes: a search that cannot step
        ahead asks for as much again as it has seen, so that it ends in few rounds. `otherwise` is
        what can be told without the bytes.
        """
        end = offset + length
        if self.total is not None and end > self.total:
            return Failure(ErrorCode.TRUNCATED_IMAGE, f"it ends at byte {self.total}")
        end = max(end, offset + hoped if self.total is None else min(offset + hoped, self.total))
        for start, data in ((0, self.head), *self._islands):
            if start <= offset < start + len(data):
                offset = min(start + len(data), end)
        return Need(offset, end - offset, otherwise)


def _joined(pieces: list[tuple[int, bytes]]) -> tuple[bytes, *tuple[tuple[int, bytes], ...]]:
    """Sort the pieces and join those that touch or overlap; the first one begins at 0."""
    runs: list[tuple[int, bytearray]] = []
    for offset, data in sorted(pieces, key=lambda piece: piece[0]):
        if runs and offset <= (end := runs[-1][0] + len(runs[-1][1])):
            runs[-1][1].extend(data[end - offset :])
        else:
            runs.append((offset, bytearray(data)))
    return bytes(runs[0][1]), *((offset, bytes(run)) for offset, run in runs[1:])
