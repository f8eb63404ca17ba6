"""gzip and zstd, told by their first bytes whatever a name or a header claims, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.gunzip import GZIP_MAGIC, Gunzip
from workers.manifest.unzstd import ZSTD_MAGICS, Unzstd

__all__ = ["Inflater"]

_MAGIC_BYTES = 4


class Codec(Protocol):
    """One way to be compressed."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* inflates to, in pieces; empty ones where much was read for nothing.

        Raises:
            ManifestError: damaged.
        """
        ...

    def finish(self) -> Iterator[bytes]:
        """What is left at the end. Raises ManifestError where that comes in the middle."""
        ...


class Inflater:
    """Passes plain bytes on and inflates what is compressed, up to a cap."""

    def __init__(self, max_bytes: int, *, coding: str | None = None, start: int = 0) -> None:
        """With a *coding*, `gzip` or `zstd`, nothing else is taken.

        Of the inflated bytes those from offset *start* come out; what is before is passed over.
        """
        self._max = max_bytes
        self._coding = coding
        self._start = start
        self._total = 0
        self._head = b""
        self._told = False
        self._codec: Codec | None = None  # None: plain bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* inflates to, in pieces of at most 64 KiB where it was compressed.

        Pieces may be empty: each is a place to let others have their turn.

        Raises:
            ManifestTooLarge: beyond the cap.
            ManifestError: damaged, or not the coding that was announced.
        """
        if not self._told:
            data = self._head = self._head + data
            if len(data) < _MAGIC_BYTES and not self._plain(data):
                return
            self._tell()
        if self._codec is None:
            yield self._counted(data)
            return
        for piece in self._codec.feed(data):
            yield self._counted(piece)

    def reach(self, position: int) -> int:
        """Where to read on when all bytes before *position* were fed.

        Plain bytes before the start need not be fed: only the last of them, which proves that
        there are so many.
        """
        if self._told and self._codec is None and self._total < self._start:
            position = self._total = self._start - 1
        return position

    def finish(self) -> Iterator[bytes]:
        """What is left at the end. Raises as `feed`, and ManifestError for an end too early."""
        if not self._told and (head := self._head):
            self._tell()
            for piece in self._codec.feed(head) if self._codec is not None else (head,):
                yield self._counted(piece)
        if self._codec is not None:
            for piece in self._codec.finish():
                yield self._counted(piece)
        if self._total < self._start:
            told = f"the manifest has fewer than {self._start} bytes, where it was to be read on"
            raise ManifestError(told)

    @staticmethod
    def _plain(head: bytes) -> bool:
        """Whether so few bytes already rule compression out."""
        return not any(magic.startswith(head) for magic in (GZIP_MAGIC, *ZSTD_MAGICS))

    def _tell(self) -> None:
        self._told, head, self._head = True, self._head, b""
        found = None
        if head.startswith(GZIP_MAGIC):
            found, self._codec = "gzip", Gunzip()
        elif head.startswith(ZSTD_MAGICS):
            found, self._codec = "zstd", Unzstd()
        if self._coding not in (None, found):
            raise ManifestError(f"the bytes are not {self._coding}, as they were said to be")

    def _counted(self, piece: bytes) -> bytes:
        before = self._total
        self._total += len(piece)
        if self._total > self._max:
            msg = f"the manifest is larger than {self._max} bytes"
            raise ManifestTooLarge(msg)
        return piece if before >= self._start else piece[self._start - before :]
