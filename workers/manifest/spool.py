"""A manifest that arrives: written to disk as fast as it comes, read behind the writer.

So a client that sends everything before it reads is never kept waiting by the reader of the
answer, and memory stays flat. The file has no name: it is gone with its last descriptor,
however the process ends.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import IO

from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.files import UPLOADS
from workers.manifest.inflate import Inflater

__all__ = ["Spool", "SpoolFull", "SpoolRoom"]

_BLOCK = 64 * 1024


class SpoolFull(ManifestError):
    """No room for more spooled manifests, by the setting or on the disk."""


class SpoolRoom:
    """Where spools lie and what all of them together may hold, manifests kept for jobs included."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.folder = root / UPLOADS
        self.unfinished: set[str] = set()  #: names in the folder that are claimed as they grow
        self.size = max_bytes
        self._free = max_bytes
        self._kept = 0

    @property
    def held(self) -> int:
        """Bytes claimed now, and those kept when it was last looked."""
        return self.size - self._free + self._kept

    async def look(self) -> None:
        """See how much lies in the folder: consumers remove what jobs no longer need."""
        self._kept = await asyncio.to_thread(_size_of, self.folder, frozenset(self.unfinished))

    def take(self, count: int) -> None:
        """Claim *count* bytes. Raises SpoolFull."""
        if count > self._free - self._kept:
            raise SpoolFull("the room for uploaded manifests is used up")
        self._free -= count

    def give(self, count: int) -> None:
        """Hand *count* bytes back."""
        self._free += count


class Spool:
    """One upload. `write` and `finish` (or `fail`) on one side, `blocks` on the other."""

    name = "upload"

    def __init__(self, room: SpoolRoom, *, max_bytes: int) -> None:
        """Raises SpoolFull where the disk takes no file."""
        self._room = room
        self._max = max_bytes
        self._hash = hashlib.sha256()
        self._claimed = 0  # of the room, also by a write that was cancelled
        self._written = 0
        self._writing: asyncio.Future[None] | None = None
        self._ended = False
        self.error: ManifestError | None = None  #: what ended it early
        self._grown = asyncio.Event()
        try:
            room.folder.mkdir(parents=True, exist_ok=True)
            self._file = self._opened()
        except OSError as exc:
            raise SpoolFull(f"cannot spool the upload: {exc.strerror}") from exc

    @property
    def sha256(self) -> str | None:
        """Of the bytes that came, once all have."""
        return self._hash.hexdigest() if self._ended and self.error is None else None

    async def write(self, data: bytes) -> None:
        """Append *data*.

        Raises:
            ManifestTooLarge: the upload is larger than allowed.
            SpoolFull: no room for it.
        """
        if self._written + len(data) > self._max:
            raise ManifestTooLarge(f"the manifest is larger than {self._max} bytes")
        try:
            self._room.take(len(data))
        except SpoolFull:
            await self._room.look()  # something may have been removed meanwhile
            self._room.take(len(data))
        self._claimed += len(data)
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._append, data))
        try:
            await asyncio.shield(self._writing)  # the thread goes on when we are cancelled
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise SpoolFull(f"cannot spool the upload: {exc.strerror}") from exc
            raise ManifestError(f"cannot spool the upload: {exc.strerror}") from exc
        self._written += len(data)
        self._grown.set()

    def _opened(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._room.folder, buffering=0)

    def _append(self, data: bytes) -> None:
        self._hash.update(data)
        view, position = memoryview(data), self._written
        while view:
            count = os.pwrite(self._file.fileno(), view, position)
            view, position = view[count:], position + count

    def finish(self) -> None:
        """All has come."""
        self._ended = True
        self._grown.set()

    def fail(self, error: ManifestError) -> None:
        """No more will come; the reader gets *error* behind what did."""
        self.error = error
        self.finish()

    def close(self) -> None:
        """Drop the file and hand its room back, after reader and writer ended."""
        if self._writing is not None and not self._writing.done():
            # A cancelled write: the number of a closed file could be another file's by now.
            self._writing.add_done_callback(lambda _: self._file.close())
        else:
            self._file.close()
        self._room.give(self._claimed)
        self._claimed = 0

    @property
    def empty(self) -> bool:
        """Whether not a byte has come."""
        return not self._written

    async def whole(self) -> int:
        """The descriptor of the file, once all of the upload is in it. Raises its error."""
        while not self._ended:
            self._grown.clear()
            await self._grown.wait()
        if self.error is not None:
            raise self.error
        return self._file.fileno()

    async def blocks(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The upload's bytes from *start*, inflated if it is gzip or zstd, as they come."""
        inflater, position = Inflater(self._max, start=start), 0
        while True:
            while position < self._written:
                count = min(_BLOCK, self._written - position)  # beyond that, a write is under way
                data = await asyncio.to_thread(os.pread, self._file.fileno(), count, position)
                position += len(data)
                for piece in inflater.feed(data):
                    yield piece
                    await asyncio.sleep(0)  # pieces without rows must not hold up the event loop
                position = inflater.reach(position)
            if self._ended and position >= self._written:
                break
            self._grown.clear()
            if position >= self._written and not self._ended:
                await self._grown.wait()
        if self.error is not None:
            raise self.error
        for piece in inflater.finish():
            yield piece


def _size_of(folder: Path, besides: frozenset[str]) -> int:
    """Bytes of the files in *folder*, without those of the names *besides*."""
    size = 0
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name not in besides:
                    with suppress(OSError):  # removed meanwhile
                        size += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return size
    return size
