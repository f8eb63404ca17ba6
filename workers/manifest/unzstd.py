"""Zstandard (RFC 8878), frames one after the other, within a bounded window."""

from __future__ import annotations

from collections.abc import Iterator

import zstandard

from workers.errors import ManifestError

__all__ = ["MAX_WINDOW_BYTES", "ZSTD_MAGICS", "Unzstd"]

#: What the RFC asks of every decoder, and what levels up to 19 need; a stream holds one window.
MAX_WINDOW_BYTES = 8 * 1024 * 1024

#: Of a frame, and of the sixteen kinds of frame that are there to be skipped.
ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60)))

#: The library puts no bound on output, only input can be: 4 bytes may be a block of 128 KiB, so
#: a step makes 8 MiB at most.
_STEP = 256
_WRITE_BYTES = 16 * 1024
_PIECE = 64 * 1024
#: Steps that gave nothing, until others have their turn.
_EMPTY_STEPS = 200


class Unzstd:
    """Inflates a stream of frames."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._frame: zstandard.ZstdDecompressionObj | None = None  # None: between two frames
        self._total = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* inflates to, in pieces of at most 64 KiB. Raises ManifestError."""
        gathered: list[bytes] = []
        size = empty = 0
        for start in range(0, len(data), _STEP):
            for piece in self._step(data[start : start + _STEP]):
                empty += not piece
                gathered.append(piece)
                size += len(piece)
                if size >= _PIECE or empty >= _EMPTY_STEPS:
                    whole = b"".join(gathered)
                    gathered, size, empty = [], 0, 0
                    for at in range(0, len(whole) or 1, _PIECE):
                        yield whole[at : at + _PIECE]
        if size:
            yield b"".join(gathered)

    def _step(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._frame is None:
                self._frame = self._context.decompressobj(write_size=_WRITE_BYTES)
            try:
                piece = self._frame.decompress(data)
            except zstandard.ZstdError as exc:
                raise self._broken(exc) from exc
            except MemoryError as exc:
                raise ManifestError("no memory to inflate the zstd") from exc
            data = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
            self._total += len(piece)
            yield piece

    def finish(self) -> Iterator[bytes]:
        """Nothing is left at the end. Raises ManifestError where a frame ends in the middle."""
        if self._frame is not None:
            raise ManifestError(f"the zstd ends in the middle, after {self._total} inflated bytes")
        return iter(())

    def _broken(self, exc: zstandard.ZstdError) -> ManifestError:
        if "too much memory" in str(exc):
            return ManifestError(
                f"the zstd needs a window above {MAX_WINDOW_BYTES >> 20} MiB:"
                " compress with a level up to 19 and without --long"
            )
        reason = str(exc).removeprefix("zstd decompressor error: ")
        return ManifestError(f"corrupt zstd after {self._total} inflated bytes: {reason}")
