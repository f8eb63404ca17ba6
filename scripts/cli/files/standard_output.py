"""Lines to whoever reads standard output, who may stop reading, or be gone."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from contextlib import suppress

from scripts.cli.files.result_file import CannotWrite

__all__ = ["BrokenOutput", "StandardOutput"]

_LOOK_SECONDS = 0.2
#: What a pipe takes without blocking once it takes anything (POSIX: PIPE_BUF).
_PIPE_BYTES = select.PIPE_BUF


class BrokenOutput(Exception):
    """Nobody reads any more: `head` has had enough."""


class StandardOutput:
    """Writes in a thread, and looks up now and then: a reader that stops stops the census only."""

    def __init__(self, descriptor: int = 1) -> None:
        """Raises CannotWrite where there is none."""
        if sys.stdout is None:
            raise CannotWrite("standard output is closed")
        self._fd = descriptor
        self._closed = False
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._step = 1024 * 1024 if regular else _PIPE_BYTES

    async def write(self, lines: bytes) -> None:
        """Write all of them; also with none it is noticed that nobody reads any more.

        Raises:
            BrokenOutput, CannotWrite: nobody does, or it takes no more.
        """
        if _is_left(self._fd):
            raise BrokenOutput
        if lines:
            await asyncio.to_thread(self._write, lines)

    def close(self) -> None:
        """Give up what is being written."""
        self._closed = True

    def _write(self, lines: bytes) -> None:
        view = memoryview(lines)
        try:
            while view and not self._closed:
                if select.select((), [self._fd], (), _LOOK_SECONDS)[1]:
                    with suppress(BlockingIOError):  # it was told not to wait, by whoever made it
                        view = view[os.write(self._fd, view[: self._step]) :]
        except BrokenPipeError:
            raise BrokenOutput from None
        except OSError as exc:
            raise CannotWrite(f"cannot write to standard output: {exc.strerror}") from exc


def _is_left(descriptor: int) -> bool:
    """Whether it is a pipe that nobody reads."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
