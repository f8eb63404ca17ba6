"""One child process as its parent sees it: start, submit, kill, and what it left behind.

A `ProcessPoolExecutor` of one process, with a shared last word and a pipe for its traceback.
`workers.pool.supervisor` keeps one at a time. `start` and `reap` block and belong in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import forkserver, process, resource_tracker
from typing import Any

from workers.pool import child
from workers.pool.blame import Death

__all__ = ["ChildProcess"]

#: A child is up in a tenth of a second; the first waits for the forkserver's imports as well.
START_SECONDS = 60.0

# A forkserver has neither threads nor sockets to inherit, whatever the parent does by then.
_forkserver = multiprocessing.get_context("forkserver")


def _begin(helper: Callable[[], None]) -> None:
    """Start a process of Python's own, if there is none, deaf to what asks our group for its end.

    It ends with its parent. Until it ignores such a signal by itself (the tracker of semaphores,
    all but SIGHUP; `preload` for the forkserver), one would end it, with a traceback for nobody.
    """
    asking = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, asking)
    try:
        helper()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ChildProcess:
    """A process of its own for chunks. Never reused once killed or dead."""

    def __init__(self, memory_bytes: int, *, quiet: bool) -> None:
        self.items = 0  #: items answered so far
        self.pid = 0
        self.sentinel = -1  #: a descriptor that becomes readable when the process ends
        self.burial: asyncio.Task[Death] | None = None  #: arranged by the supervisor
        self._position = _forkserver.RawValue("i", -1)
        self._reader, self._writer = _forkserver.Pipe(duplex=False)
        # A child full of words must not wait for a reader, nor a reader for a child.
        os.set_blocking(self._reader.fileno(), False)
        os.set_blocking(self._writer.fileno(), False)
        _begin(resource_tracker.ensure_running)
        self._executor = ProcessPoolExecutor(
            1,
            mp_context=_forkserver,
            initializer=child.initialize,
            initargs=(self._position, self._writer, memory_bytes, quiet),
        )
        self._process: process.BaseProcess | None = None
        self._killed = threading.Event()

    def start(self) -> None:
        """Start the process and wait until it answers. Blocks; raises when it does not come up."""
        try:
            self._start()
        except BaseException:
            self.reap()
            raise

    def _start(self) -> None:
        if self._killed.is_set():
            raise BrokenExecutor("killed before it was born")
        _forkserver.set_forkserver_preload(["workers.pool.preload"])
        _begin(forkserver.ensure_running)
        greeting = self._executor.submit(child.hello)
        self._writer.close()
        (self._process,) = self._executor._processes.values()  # noqa: SLF001 - no public way
        # Any start of any process polls all those listed, and of two threads that poll one process
        # (the executor's does) only one reads its exit code.
        process._children.discard(self._process)  # type: ignore[attr-defined]  # noqa: SLF001
        # The parent's copy of the writing end would keep a half-written answer of a killed child
        # from ever ending, and with it the executor's thread and the interpreter's exit.
        self._executor._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001
        if self._killed.is_set():
            self._process.kill()
        self.sentinel = self._process.sentinel
        self.pid = greeting.result(START_SECONDS)

    def submit(
        self,
        entry: Callable[..., Any],
        items: Sequence[Any],
        args: tuple[Any, ...],
        item_timeout: float,
    ) -> Future[child.Answer]:
        """Send a chunk. Raises BrokenExecutor when the process is known to be dead."""
        self._position.value = -1
        return self._executor.submit(child.run_chunk, entry, items, args, item_timeout)

    def kill(self) -> None:
        """End the process now, also one that is still starting. Does not block."""
        self._killed.set()
        if self._process is not None:
            with contextlib.suppress(ValueError):  # reaped and closed already
                self._process.kill()

    def reap(self) -> Death:
        """Wait for the end of a killed or dead process and read what it left. Blocks."""
        self.kill()
        self._executor.shutdown(wait=True)
        self._writer.close()
        with self._reader:
            traceback = _read_all(self._reader.fileno())
        exit_code = None
        if self._process is not None:
            exit_code = self._process.exitcode
            self._process.close()  # its descriptors would wait for the garbage collector
        return Death(
            position=self._position.value,
            # 255 says that the forkserver itself was gone, and nobody knows.
            exit_code=None if exit_code == 255 else exit_code,
            traceback=traceback.decode(errors="replace"),
        )


def _read_all(descriptor: int) -> bytes:
    """Everything a non-blocking pipe holds now."""
    parts: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while part := os.read(descriptor, 65536):
            parts.append(part)
    return b"".join(parts)
