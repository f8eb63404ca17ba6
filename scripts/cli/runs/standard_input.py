"""A manifest that comes through a pipe."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import sys
import tempfile
from collections.abc import AsyncGenerator
from typing import IO

from workers.errors import ManifestError
from workers.manifest.inflate import Inflater
from workers.manifest.parquet import PARQUET_MAGIC

__all__ = ["StandardInput"]

_BLOCK = 64 * 1024
_LOOK_SECONDS = 0.2


class StandardInput:
    """What comes on standard input, once: a `Source` of `workers.manifest.rows`."""

    name = "-"
    stamp = None
    size = None
    plain = False

    def __init__(self) -> None:
        """Raises ManifestError where there is none."""
        if sys.stdin is None:
            raise ManifestError("standard input is closed")
        self._digest = hashlib.sha256()
        self._sha256: str | None = None
        self._kept: IO[bytes] | None = None
        self._closed = False

    @property
    def sha256(self) -> str | None:
        """Of what came, once it ended."""
        return self._sha256

    async def blocks(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        """What comes, inflated, from offset *start*; of Parquet only how it begins."""
        inflater = Inflater(sys.maxsize, start=start)
        data = await self.read()
        while data and len(data) < len(PARQUET_MAGIC) and (more := await self.read()):
            data += more
        if data.startswith(PARQUET_MAGIC):
            await self._keep(data)
            yield data
            return
        while data:
            self._digest.update(data)
            for piece in inflater.feed(data):
                yield piece
            data = await self.read()
        for piece in inflater.finish():
            yield piece
        self._sha256 = self._digest.hexdigest()

    async def whole(self) -> int:
        """A descriptor of all of it: for Parquet, which says at its end what is in it."""
        if self._kept is None:
            raise ManifestError("what came on standard input is no Parquet")
        return self._kept.fileno()

    def close(self) -> None:
        """Nothing is read any more."""
        self._closed = True
        if self._kept is not None:
            self._kept.close()

    async def _keep(self, data: bytes) -> None:
        try:
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the source
            while data:
                self._digest.update(data)
                await asyncio.to_thread(self._kept.write, data)
                data = await self.read()
            self._kept.flush()
        except OSError as exc:
            raise ManifestError(f"cannot keep what comes: {exc.strerror}") from exc
        self._sha256 = self._digest.hexdigest()

    async def read(self) -> bytes:
        """What came, as it came; nothing at the end. Raises ManifestError."""
        return await asyncio.to_thread(self._take)

    def _take(self) -> bytes:
        """Some bytes, none at the end. Looks up now and then: a pipe may stay silent for ever."""
        descriptor = sys.stdin.fileno()
        try:
            while not self._closed:
                if select.select([descriptor], (), (), _LOOK_SECONDS)[0]:
                    return os.read(descriptor, _BLOCK)
        except OSError as exc:
            raise ManifestError(f"cannot read the manifest: {exc.strerror}") from exc
        return b""
