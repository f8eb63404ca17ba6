"""A manifest in a file below the data root, walked to without following a link."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path

from workers.errors import ManifestError, ManifestNotFound
from workers.manifest.inflate import Inflater

__all__ = ["FileSource", "open_below"]

_BLOCK = 64 * 1024
_WALK = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def open_below(root: Path, filepath: str) -> int:
    """Open *filepath*, relative to *root* or absolute below it; the caller closes it.

    Raises:
        ManifestNotFound: it is not there, not a regular file, outside the root, reached through
            a link, or a component of it begins with a dot. The message does not say which.
    """
    missing = ManifestNotFound(f"there is no manifest {filepath[:200]!r} below CENSUS_DATA_ROOT")
    base = os.path.abspath(root)  # noqa: PTH100 - the root itself may be a link; what is below may not
    if filepath.startswith("/"):
        if not filepath.startswith(base.rstrip("/") + "/"):
            raise missing
        filepath = filepath[len(base) :]
    parts = [part for part in filepath.split("/") if part]
    if not parts or "\0" in filepath or any(part.startswith(".") for part in parts):
        raise missing
    opened = -1
    try:
        opened = os.open(base, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        for part in parts[:-1]:
            below = os.open(part, _WALK | os.O_DIRECTORY, dir_fd=opened)
            os.close(opened)
            opened = below
        file = os.open(parts[-1], _WALK | os.O_NONBLOCK, dir_fd=opened)  # NONBLOCK: a FIFO
    except (OSError, UnicodeError) as exc:
        if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE, errno.EIO):
            raise ManifestError(f"cannot open the manifest: {exc.strerror}") from exc
        raise missing from exc
    finally:
        if opened >= 0:
            os.close(opened)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise missing
    return file


class FileSource:
    """A file's blocks, read in a thread so that a slow disk never stops the event loop."""

    def __init__(self, root: Path, filepath: str, *, max_bytes: int) -> None:
        """Opens the file. Raises ManifestNotFound."""
        self.name = filepath
        self._fd = open_below(root, filepath)
        self._max = max_bytes
        self._hash = hashlib.sha256()
        self._whole = False
        self._reading: asyncio.Future[bytes | None] | None = None  # in a thread, until it is done

    @property
    def sha256(self) -> str | None:
        """Of the file as it lies there, once it was read to its end."""
        return self._hash.hexdigest() if self._whole else None

    def close(self) -> None:
        """Close the file; reading it is over."""
        descriptor, self._fd = self._fd, -1
        if descriptor < 0:
            return
        if self._reading is not None and not self._reading.done():
            # A cancelled read: the number of a closed file could be another file's by now.
            self._reading.add_done_callback(partial(_close, descriptor))
        else:
            os.close(descriptor)

    async def whole(self) -> int:
        """The descriptor of the file, which is whole where it lies."""
        return self._fd

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """The file's bytes from its start, inflated."""
        reading = self._read(self._fd)
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._reading = loop.run_in_executor(None, next, reading, None)
                block = await asyncio.shield(self._reading)
                if block is None:
                    return
                yield block
        finally:
            with suppress(ValueError):  # cancelled while the thread still reads
                reading.close()

    def _read(self, descriptor: int) -> Generator[bytes, None, None]:
        inflater = Inflater(self._max)
        self._hash = hashlib.sha256()
        position = 0
        try:
            while data := os.pread(descriptor, _BLOCK, position):
                position += len(data)
                self._hash.update(data)
                yield from inflater.feed(data)
        except OSError as exc:
            raise ManifestError(f"cannot read the manifest: {exc.strerror}") from exc
        yield from inflater.finish()
        self._whole = True


def _close(descriptor: int, reading: asyncio.Future[bytes | None]) -> None:
    """Close the descriptor behind the last read, of which nobody wants to know any more."""
    os.close(descriptor)
    if not reading.cancelled():
        reading.exception()
