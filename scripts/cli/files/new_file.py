"""A file that has its name when all of it is there: until then it stands beside, hidden."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from scripts.cli.exits import Refused

__all__ = ["NewFile"]

_BUFFERED = 1024 * 1024


class NewFile:
    """What is written into `file` becomes *path* by `settle`, at once; `discard` leaves no trace.

    What a killed process left behind is written over.
    """

    def __init__(self, path: Path) -> None:
        """Raises Refused where it cannot be made, or another process makes it."""
        self.path = path
        self.beside = path.with_name(f".{path.name}.new")
        try:
            self.file: IO[bytes] = os.fdopen(self._locked(), "wb", buffering=_BUFFERED)
        except OSError as exc:
            raise Refused(f"cannot write {self.beside}: {exc.strerror}") from exc

    def settle(self) -> None:
        """Have the disk keep it, and give it its name. Raises OSError."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.beside.replace(self.path)
        self.file.close()
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Remove what there is of it, unless it has its name. Does not raise."""
        if self.file.closed:
            return
        with suppress(OSError):
            self.beside.unlink()
        with suppress(OSError):  # of a full disk
            self.file.close()

    def _locked(self) -> int:
        """An empty file that is nobody else's."""
        while True:
            descriptor = os.open(self.beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                if self._ours(descriptor):
                    os.ftruncate(descriptor, 0)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _ours(self, descriptor: int) -> bool:
        """Lock it; False where it got its name, or was removed, in the meantime."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"{self.path} is being written by another process") from None
        except OSError:  # a file system without locks
            return True
        try:
            return os.path.samestat(os.fstat(descriptor), self.beside.stat())
        except FileNotFoundError:
            return False
