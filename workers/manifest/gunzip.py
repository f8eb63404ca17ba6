"""gzip (RFC 1952), members one after the other."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from workers.errors import ManifestError

__all__ = ["GZIP_MAGIC", "Gunzip"]

GZIP_MAGIC = b"\x1f\x8b"

#: Small enough that a piece of nothing but line breaks does not hold up the event loop.
_PIECE = 64 * 1024
#: What a member leaves unread is copied: of so many bytes at a time.
_STEP = 16 * 1024
#: Members without content, until others have their turn.
_EMPTY_MEMBERS = 200


class Gunzip:
    """Inflates a stream of members; zeros may stand between and behind them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._total = 0
        self._empty = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* inflates to, in pieces of at most 64 KiB. Raises ManifestError."""
        for start in range(0, len(data), _STEP):
            yield from self._feed(data[start : start + _STEP])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # padding some tools put between or after members
                if not data:
                    return
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                self._empty += 1
            piece = self._inflated(data)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece or self._empty >= _EMPTY_MEMBERS:
                self._empty = 0
                yield piece

    def finish(self) -> Iterator[bytes]:
        """What is left at the end. Raises ManifestError where a member ends in the middle."""
        # The object may hold output back that the cap on a piece kept from coming out.
        while piece := self._inflated(b""):
            yield piece
        if not self._member.eof:
            raise ManifestError(f"the gzip ends in the middle, after {self._total} inflated bytes")

    def _inflated(self, data: bytes) -> bytes:
        try:
            piece = self._member.decompress(data, _PIECE)
        except zlib.error as exc:
            msg = f"corrupt gzip after {self._total} inflated bytes: {exc}"
            raise ManifestError(msg) from exc
        self._total += len(piece)
        return piece
