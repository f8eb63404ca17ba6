"""Lines to whoever reads standard output, who may stop reading, or be gone."""

from __future__ import annotations

import asyncio
import os
import select
import stat

from scripts.cli.result_file import CannotWrite

__all__ = ["BrokenOutput", "StandardOutput"]

_LOOK_SECONDS = 0.2
#: What a pipe takes without blocking once it takes anything (POSIX: PIPE_BUF).
_PIPE_BYTES = select.PIPE_BUF


class BrokenOutput(Exception):
    """Nobody reads any more: `head` has had enough."""


class StandardOutput:
    """Writes in a thread, and looks up now and then: a reader that stops stops the census only."""

    def __init__(self, descriptor: int = 1) -> None:
        self._fd = descriptor
        self._closed = False
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._step = 1024 * 1024 if regular else _PIPE_BYTES

    async def write(self, lines: bytes) -> None:
        """Write all of them. Raises BrokenOutput, CannotWrite."""
        await asyncio.to_thread(self._write, lines)

    def close(self) -> None:
        """Give up what is being written."""
        self._closed = True

    def _write(self, lines: bytes) -> None:
        view = memoryview(lines)
        try:
            while view and not self._closed:
                if select.select((), [self._fd], (), _LOOK_SECONDS)[1]:
                    view = view[os.write(self._fd, view[: self._step]) :]
        except BrokenPipeError:
            raise BrokenOutput from None
        except OSError as exc:
            raise CannotWrite(f"cannot write to standard output: {exc.strerror}") from exc
