"""The result file of a run, held by one run at a time: written on at its end, or anew beside it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

from scripts.cli.exits import Refused

__all__ = ["CannotWrite", "ResultFile", "is_there", "put_whole"]

_COPIED = 1024 * 1024


class CannotWrite(Exception):
    """The file takes no more: a full disk, mostly. The message says which, and why."""


class ResultFile:
    """An open file of lines. What is written is whole lines, and stands there at once."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._fd = descriptor
        self._end = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new one. Raises Refused where there is one, or it cannot be made."""
        return cls._opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    @classmethod
    def open(cls, path: Path, *, reading: bool = False) -> Self:
        """One that is there, only for *reading* if so. Raises Refused where it is not, or another
        run writes it.
        """
        return cls._opened(path, os.O_RDONLY if reading else os.O_RDWR)

    @classmethod
    def _opened(cls, path: Path, flags: int) -> Self:
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        except FileExistsError:
            told = f"{path} is there already: --resume goes on with it, or name another"
            if not os.path.exists(path):  # noqa: PTH110 - says no where one may not look
                told = f"{path} is a link to what is not there"
            raise Refused(told) from None
        except OSError as exc:
            verb = "read" if flags == os.O_RDONLY else "write"
            raise Refused(f"cannot {verb} {path}: {exc.strerror}") from exc
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(f"{path} is no regular file; for a pipe leave -o out")
            with _without_locks():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(descriptor, path):  # the run that wrote it put another in its place
                raise BlockingIOError
        except BlockingIOError:
            os.close(descriptor)
            raise Refused(f"{path} is being written by another run") from None
        except Refused:
            os.close(descriptor)
            raise
        with suppress(OSError):  # of a run that was killed while it wrote all of it anew
            _beside(path).unlink()
        return cls(path, descriptor)

    def reading(self) -> IO[bytes]:
        """The file from its beginning, for reading; to be closed."""
        file = os.fdopen(os.dup(self._fd), "rb", buffering=_COPIED)
        file.seek(0)
        return file

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self._end

    async def write(self, lines: bytes) -> None:
        """Add whole lines. Raises CannotWrite; those that still went in are whole then."""
        await asyncio.to_thread(self._write, lines)

    def cut(self, end: int) -> None:
        """Keep the first *end* bytes. Raises CannotWrite."""
        try:
            os.ftruncate(self._fd, end)
        except OSError as exc:
            raise CannotWrite(f"cannot write {self.path}: {exc.strerror}") from exc
        self._end = end

    async def settle(self) -> None:
        """Have the disk keep it. Raises CannotWrite."""
        try:
            await asyncio.to_thread(os.fsync, self._fd)
        except OSError as exc:
            raise CannotWrite(f"cannot write {self.path}: {exc.strerror}") from exc
        self._check_place()

    def replace(self, lines: Iterable[bytes]) -> None:
        """Put *lines* in the place of all there is, at once: whoever looks sees the old or the new.

        Raises:
            CannotWrite: the old ones are still there then.
        """
        self._check_place()
        descriptor = _put(self.path, lines, os.fstat(self._fd).st_mode & 0o777)
        os.close(self._fd)
        self._fd, self._end = descriptor, os.fstat(descriptor).st_size

    def _check_place(self) -> None:
        """Raises CannotWrite where the name leads to another file by now, or to none."""
        if not _is_at(self._fd, self.path):
            raise CannotWrite(f"{self.path} was moved, removed or replaced while it was written")

    def remove(self) -> None:
        """It has served; it is closed all the same."""
        with suppress(OSError):
            self.path.unlink()

    def remove_empty(self) -> None:
        """Leave nothing where nothing was written."""
        if not self._end and _is_at(self._fd, self.path):
            self.remove()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def _write(self, lines: bytes) -> None:
        view, at = memoryview(lines), self._end
        try:
            while view:
                count = os.pwrite(self._fd, view, at)
                view, at = view[count:], at + count
        except OSError as exc:
            self._end += lines.rfind(b"\n", 0, at - self._end) + 1
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise CannotWrite(f"cannot write {self.path}: {exc.strerror}") from exc
        self._end = at


def is_there(path: Path) -> bool:
    """Whether something has that name, be it a link to nothing. False where one may not look."""
    return os.path.lexists(path)


def put_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Have *lines* in a new file at *path*: all of them, or there is none.

    Raises:
        CannotWrite: there is none.
    """
    os.close(_put(path, lines, None))


def _put(path: Path, lines: Iterable[bytes], mode: int | None) -> int:
    """Write *lines* beside *path*, then put them there; returns their descriptor, locked."""
    beside = _beside(path)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(beside, flags, 0o666)
        try:
            with _without_locks():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if mode is not None:
                os.fchmod(descriptor, mode)
            with os.fdopen(os.dup(descriptor), "wb", buffering=_COPIED) as file:
                file.writelines(lines)
            os.fsync(descriptor)
            beside.replace(os.path.realpath(path))
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                beside.unlink()
            raise
    except OSError as exc:
        raise CannotWrite(f"cannot write {beside}: {exc.strerror}") from exc
    return descriptor


def _beside(path: Path) -> Path:
    """Where what is to be at *path* is written first: in the folder of the file itself, which a
    link may lead to.
    """
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.new")


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


@contextmanager
def _without_locks() -> Iterator[None]:
    """Whoever holds a lock is heard; a file system that has none is taken as it is."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError:
        pass
