"""An upload that becomes the manifest of a job: a file with a name, which it has when whole."""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO

from workers.manifest.files import KEPT_NAME, UPLOADS
from workers.manifest.kinds import Kind
from workers.manifest.spool import Spool, SpoolFull, SpoolRoom

__all__ = ["KeptUpload", "remove_upload"]


class KeptUpload(Spool):
    """One upload, under a name of its own while it comes. Closed without `keep` nothing is left.

    A process that dies leaves the part behind; consumers remove what is old and named by no job.
    """

    def __init__(self, room: SpoolRoom, *, max_bytes: int, kind: Kind) -> None:
        """Raises SpoolFull where the disk takes no file."""
        self.kind = kind
        self._part = room.folder / f"{uuid.uuid4().hex}.{kind}.part"
        room.unfinished.add(self._part.name)  # it is counted as it is claimed
        try:
            super().__init__(room, max_bytes=max_bytes)
        except SpoolFull:
            room.unfinished.discard(self._part.name)
            raise

    async def keep(self, stem: str) -> str:
        """Give the file, which is whole, its name for good: *stem*, a dot, the kind; returned.

        Raises SpoolFull where the disk does not take it.
        """
        name = f"{stem}.{self.kind}"
        try:
            await asyncio.to_thread(self._settle, name)
        except OSError as exc:
            raise SpoolFull(f"cannot keep the upload: {exc.strerror}") from exc
        return name

    def close(self) -> None:
        """As of any spool; what was not kept is removed."""
        super().close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._room.unfinished.discard(self._part.name)

    def _opened(self) -> IO[bytes]:
        descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return open(descriptor, "r+b", buffering=0)  # noqa: PTH123 - it is open

    def _settle(self, name: str) -> None:
        os.fsync(self._file.fileno())
        self._part.rename(self._part.with_name(name))
        folder = os.open(self._part.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_upload(root: Path, name: str | None) -> None:
    """Remove an upload that was kept, if it is still there and the *name* is one of ours."""
    if name is not None and KEPT_NAME.fullmatch(name):
        with suppress(OSError):
            (root / UPLOADS / name).unlink(missing_ok=True)
