"""A body that streams past the walker: only the bytes it asks for are kept.

It is asked when as many have come as a range would have brought (behind the ranges there may be, a
little at a time), never by chance of how the network cut them: so the facts are the same at every
host, in every run.
"""

from __future__ import annotations

from imaging import header
from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.fetch.ranges import FURTHER_RANGES, RANGE_BYTES, further, step

__all__ = ["Reading"]

#: The walker begins anew with each piece, so their number is bounded as well as their bytes. The
#: largest file taken by default, all of it metadata in segments of 64 KiB, stays within both.
#: Where the rest is known already, fewer are worth it.
_MAX_PIECES = {True: 1200, False: 64}
_MAX_KEPT = 2 * 1024 * 1024


class Reading:
    """`feed` each chunk from the first byte on; `outcome` appears as soon as it is known."""

    def __init__(self, total: int | None) -> None:
        self.count = 0  #: bytes fed
        self.outcome: ImageInfo | Failure | None = None
        self.lost = False  #: given up, though the whole file may yet tell
        self._total = total
        self._head = b""
        self._more: list[tuple[int, bytes]] = []
        self._kept = 0
        self._end = 0  # of the last piece
        self._from, self._length = 0, 0  # what is wanted now, and of it what has come
        self._piece = bytearray()
        self._want(0, RANGE_BYTES)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        start = self.count
        self.count += len(chunk)
        while self.outcome is None:
            low = max(self._from + len(self._piece) - start, 0)
            high = self._from + self._length - start
            if high > low:
                self._piece += chunk[low:high]
            if len(self._piece) < self._length:
                return
            self._ask(self._total, start)

    def finish(self) -> ImageInfo | Failure:
        """The body has ended, or was read far enough: what is known of it."""
        if self.outcome is None:
            if not self.count:
                self.outcome = Failure(ErrorCode.EMPTY_BODY)
            else:
                self._ask(self.count, self.count)
        if self.outcome is None:
            self.outcome = Failure(ErrorCode.TRUNCATED_IMAGE, f"it ends at byte {self.count}")
        return self.outcome

    def _ask(self, total: int | None, passed: int) -> None:
        piece = bytes(self._piece)
        if self._from == 0:
            self._head = piece
        elif piece:
            self._more.append((self._from, piece))
        self._kept += len(piece)
        self._end = self._from + len(piece)
        answer = header.inspect(self._head, total=total, more=self._more)
        if not isinstance(answer, header.Need):
            self.outcome = answer
        elif self._kept > _MAX_KEPT or len(self._more) >= _MAX_PIECES[answer.otherwise is None]:
            self._give_up(answer, "its header has too many parts")
        elif answer.offset < passed:
            self._give_up(answer, "its header cannot be read in one pass")
        elif len(self._more) < FURTHER_RANGES or answer.offset < self._end + RANGE_BYTES:
            self._want(answer.offset, further(answer.length))
        else:  # far on: the next step may be as far
            self._want(answer.offset, step(answer.length))

    def _give_up(self, need: header.Need, message: str) -> None:
        self.outcome = need.otherwise or Failure(ErrorCode.CORRUPT_IMAGE, message)
        self.lost = need.otherwise is None

    def _want(self, start: int, length: int) -> None:
        left = length if self._total is None else max(self._total - start, 0)
        self._from, self._length, self._piece = start, min(length, left), bytearray()
