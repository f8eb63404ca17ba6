"""What manifests that lie elsewhere have in common, however their stored bytes are had."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.gunzip import GZIP_MAGIC
from workers.manifest.inflate import Inflater
from workers.manifest.parquet import PARQUET_MAGIC
from workers.manifest.spool import Spool, SpoolRoom
from workers.manifest.unzstd import ZSTD_MAGICS
from workers.settings import WorkSettings

__all__ = ["RemoteSource"]

_MAGIC_BYTES = 4


class RemoteSource(ABC):
    """Streamed as it is read, never held whole; only Parquet comes to the disk first."""

    size: int | None = None  #: bytes as stored, where that is told
    #: Of the version that was opened: another is another manifest. None: versions are not told.
    stamp: str | None = None
    #: Whether offsets of rows are offsets in what is stored; None until its first bytes came.
    plain: bool | None = None

    def __init__(self, settings: WorkSettings, name: str) -> None:
        """*name* as it may be told."""
        self.name = name
        self._settings = settings
        self._sha256: str | None = None
        self._head = b""
        self._spool: Spool | None = None

    @abstractmethod
    def _stored(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The bytes as stored from offset *start*, in blocks, none of them empty.

        Raises:
            ManifestError: they cannot be read on, or are of another version than was opened.
        """

    @abstractmethod
    async def _ranged(self, start: int) -> AsyncGenerator[bytes, None] | None:
        """As `_stored`, begun; None where nothing but the whole of it can be had."""

    @property
    def sha256(self) -> str | None:
        """Of the bytes as stored, once they were read from their start to their end."""
        return self._sha256

    async def whole_sha256(self) -> str | None:
        """As `sha256`, reading all of it once more where that does not know it.

        None where that fails: the rows have all been had.
        """
        if self._sha256 is None:
            digest = hashlib.sha256()
            try:
                async with aclosing(self._stored()) as stored:
                    async for data in stored:
                        digest.update(data)
            except ManifestError:
                return None
            self._sha256 = digest.hexdigest()
        return self._sha256

    async def blocks(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The bytes, inflated, from offset *start*, up to which plain ones are not asked for."""
        inflater, digest = Inflater(sys.maxsize, start=start), hashlib.sha256()
        stored, position, skipped, jump = self._stored(), 0, False, True
        self._head = b""
        try:
            while data := await anext(stored, b""):
                self._look(data)
                position += len(data)
                digest.update(data)
                for piece in inflater.feed(data):
                    yield piece
                    await asyncio.sleep(0)  # pieces without rows must not hold up the event loop
                if jump and self.plain and position < start - 1:
                    jump = False  # the last byte before the start proves that there are so many
                    if (further := await self._ranged(start - 1)) is not None:
                        await stored.aclose()
                        stored, skipped = further, True
                        inflater.reach(position)
            for piece in inflater.finish():
                yield piece
        finally:
            await stored.aclose()
        if not skipped:
            self._sha256 = digest.hexdigest()

    async def whole(self) -> int:
        """A descriptor to read the bytes as stored, in a file without a name.

        Raises:
            ManifestTooLarge: there are more than `MAX_BODY_BYTES`.
            ManifestError: they did not all come.
        """
        if self._spool is None:
            most = int(self._settings.max_body_bytes)
            self._spool = await asyncio.to_thread(_spool, Path(self._settings.data_root), most)
            self._head = b""
            try:
                async with aclosing(self._stored()) as stored:
                    async for data in stored:
                        self._look(data)
                        await self._spool.write(data)
            except ManifestTooLarge as exc:
                told = f"{exc}, which CENSUS_MAX_BODY_BYTES allows of one that is kept to be read"
                self._spool.fail(ManifestTooLarge(told))
            except ManifestError as exc:
                self._spool.fail(exc)
            else:
                self._spool.finish()
                self._sha256 = self._spool.sha256
        return await self._spool.whole()

    def drop(self) -> None:
        """Drop the file, if there is one."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _look(self, data: bytes) -> None:
        """See by the first bytes whether it is compressed, or Parquet."""
        if self.plain is None:
            self._head += data[:_MAGIC_BYTES]
            if len(self._head) >= _MAGIC_BYTES:
                packed = self._head.startswith((GZIP_MAGIC, *ZSTD_MAGICS, PARQUET_MAGIC))
                self.plain = not packed


def _spool(root: Path, most: int) -> Spool:
    """A file of at most so many bytes where uploads are, if there is a data root."""
    room = SpoolRoom(root, most)
    if not root.is_dir():
        room.folder = Path(tempfile.gettempdir())
    return Spool(room, max_bytes=most)
