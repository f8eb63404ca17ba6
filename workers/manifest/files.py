"""A manifest in a file below the data root, walked to without following a link."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import stat
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from workers.errors import ManifestError, ManifestNotFound
from workers.manifest.gunzip import GZIP_MAGIC
from workers.manifest.inflate import Inflater
from workers.manifest.parquet import PARQUET_MAGIC
from workers.manifest.unzstd import ZSTD_MAGICS

__all__ = ["KEPT_NAME", "UPLOADS", "FileSource", "open_below", "upload_source"]

P = ParamSpec("P")
T = TypeVar("T")

#: The folder below the data root where uploads lie; no path of a client leads there.
UPLOADS = ".uploads"

_BLOCK = 64 * 1024
_HASHED_BLOCK = 1024 * 1024
KEPT_NAME = re.compile(r"[0-9a-f]{32}\.[a-z]+")
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
    return _walk(base, parts, missing)


def upload_source(root: Path, name: str, *, max_bytes: int) -> FileSource:
    """The upload kept as *name*, 32 hexadecimal digits, a dot and its kind, below *root*.

    Raises:
        ManifestNotFound: it is not there, or not under such a name, or reached through a link.
    """
    missing = ManifestNotFound("the uploaded manifest is not below CENSUS_DATA_ROOT")
    if KEPT_NAME.fullmatch(name) is None:
        raise missing
    base = os.path.abspath(root)  # noqa: PTH100 - as in `open_below`
    source = FileSource.opened(_walk(base, [UPLOADS, name], missing), "upload", max_bytes=max_bytes)
    # The name is of what is in it: the same upload sent again is another file, and the same.
    source.stamp = f"{name}:{source.size}"
    return source


def _walk(base: str, parts: list[str], missing: ManifestNotFound) -> int:
    """Open the regular file *parts* lead to below *base*, or raise *missing*."""
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

    size: int  #: bytes as stored, when it was opened
    #: When it was opened, time of the last change in ns (of an upload, its name) and size: another
    #: is another file.
    stamp: str
    #: Whether offsets of rows are offsets in the file as stored; None until it was read.
    plain: bool | None

    def __init__(self, root: Path, filepath: str, *, max_bytes: int) -> None:
        """Opens the file. Raises ManifestNotFound."""
        self._begin(open_below(root, filepath), filepath, max_bytes)

    @classmethod
    def opened(cls, descriptor: int, name: str, *, max_bytes: int) -> Self:
        """A regular file that is open; *descriptor* is closed with the source."""
        source = cls.__new__(cls)
        source._begin(descriptor, name, max_bytes)  # noqa: SLF001 - of its own class
        return source

    def _begin(self, descriptor: int, name: str, max_bytes: int) -> None:
        self.name = name
        self._fd = descriptor
        self._max = max_bytes
        self._sha256: str | None = None
        self._under_way: set[asyncio.Future[Any]] = set()  # in threads, until each is done
        found = os.fstat(descriptor)
        self.size, self.stamp = found.st_size, f"{found.st_mtime_ns}:{found.st_size}"
        self.plain = None

    @property
    def sha256(self) -> str | None:
        """Of the file as it lies there, once it was read from its start to its end."""
        return self._sha256

    async def whole_sha256(self) -> str:
        """As `sha256`, reading the file once more where that does not know it.

        Raises:
            ManifestError: the file cannot be read, or was shortened.
        """
        if self._sha256 is None:
            digest, position = hashlib.sha256(), 0
            while count := await self._in_thread(self._hash, digest, position):
                position += count
            self._sha256 = digest.hexdigest()
        return self._sha256

    def close(self) -> None:
        """Close the file; reading it is over."""
        descriptor, self._fd = self._fd, -1
        if descriptor < 0:
            return
        if under_way := [step for step in self._under_way if not step.done()]:
            # A cancelled read: the number of a closed file could be another file's by now.
            ending = asyncio.gather(*under_way, return_exceptions=True)
            ending.add_done_callback(lambda _: os.close(descriptor))
        else:
            os.close(descriptor)

    async def whole(self) -> int:
        """The descriptor of the file, which is whole where it lies."""
        return self._fd

    async def blocks(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The file's bytes, inflated, from offset *start*, which plain ones are not read up to."""
        reading = self._read(start)
        try:
            while (block := await self._in_thread(next, reading, None)) is not None:
                yield block
        finally:
            with suppress(ValueError):  # cancelled while the thread still reads
                reading.close()

    async def _in_thread(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(step, *args, **kwargs)
        future = asyncio.get_running_loop().run_in_executor(None, call)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return await asyncio.shield(future)

    def _read(self, start: int) -> Generator[bytes, None, None]:
        inflater = Inflater(self._max, start=start)
        digest, position, skipped = hashlib.sha256(), 0, False
        while data := self._pread(_BLOCK, position):
            if not position:
                packed = data.startswith((GZIP_MAGIC, *ZSTD_MAGICS, PARQUET_MAGIC))
                self.plain = not packed
            position += len(data)
            digest.update(data)
            came = False
            for piece in inflater.feed(data):
                if piece:
                    came = True
                    yield piece
            if not came:  # so that a reader who left is noticed while much is skipped
                yield b""
            after = inflater.reach(position)
            position, skipped = after, skipped or after != position
        yield from inflater.finish()
        if not skipped:
            self._sha256 = digest.hexdigest()

    def _hash(self, digest: hashlib._Hash, position: int) -> int:
        data = self._pread(_HASHED_BLOCK, position)
        digest.update(data)
        return len(data)

    def _pread(self, count: int, position: int) -> bytes:
        """Up to *count* bytes; none at the end only. Raises ManifestError."""
        try:
            data = os.pread(self._fd, count, position)
            if not data and (left := os.fstat(self._fd).st_size) < self.size:
                told = f"the manifest had {self.size} bytes and was shortened to {left}"
                raise ManifestError(told)
        except OSError as exc:
            raise ManifestError(f"cannot read the manifest: {exc.strerror}") from exc
        return data
