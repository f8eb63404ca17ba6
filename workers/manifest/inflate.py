"""gzip told by its first bytes, whatever a name or a header claims, and inflated in pieces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from workers.errors import ManifestError, ManifestTooLarge

__all__ = ["Inflater"]

_MAGIC = b"\x1f\x8b"
#: Small enough that a piece of nothing but line breaks does not hold up the event loop.
_PIECE = 64 * 1024


class Inflater:
    """Passes plain bytes on and inflates gzip, members one after the other, up to a cap."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._total = 0
        self._head = b""
        self._started = False
        self._member: zlib._Decompress | None = None  # None: plain bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* inflates to, in pieces of at most 64 KiB where it was compressed.

        Raises:
            ManifestTooLarge: beyond the cap.
            ManifestError: bytes that are not gzip after all.
        """
        if not self._started:
            self._head += data
            if len(self._head) < len(_MAGIC) and _MAGIC.startswith(self._head):
                return
            data, self._head, self._started = self._head, b"", True
            if data.startswith(_MAGIC):
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        if self._member is None:
            yield self._counted(data)
            return
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # padding some tools put between or after members
                if not data:
                    return
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            piece = self._inflated(self._member, data)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                yield self._counted(piece)

    def finish(self) -> Iterator[bytes]:
        """What is left at the end. Raises ManifestError where gzip ends in the middle."""
        if self._head:
            yield self._counted(self._head)
        if self._member is not None:
            # The object may hold output back that the cap on a piece kept from coming out.
            while piece := self._inflated(self._member, b""):
                yield self._counted(piece)
            if not self._member.eof:
                msg = f"the gzip ends in the middle, after {self._total} inflated bytes"
                raise ManifestError(msg)

    def _inflated(self, member: zlib._Decompress, data: bytes) -> bytes:
        try:
            return member.decompress(data, _PIECE)
        except zlib.error as exc:
            msg = f"corrupt gzip after {self._total} inflated bytes: {exc}"
            raise ManifestError(msg) from exc

    def _counted(self, piece: bytes) -> bytes:
        self._total += len(piece)
        if self._total > self._max:
            msg = f"the manifest is larger than {self._max} bytes"
            raise ManifestTooLarge(msg)
        return piece
