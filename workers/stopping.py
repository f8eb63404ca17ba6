"""Signals that ask a server or a consumer for its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["asked_to_end"]


@contextmanager
def asked_to_end(stop: Callable[[], object]) -> Iterator[None]:
    """SIGTERM, SIGINT and, but for `nohup`, SIGHUP have the event loop that runs call *stop*.

    Behind it they are ignored: what ends has its own exit code and takes away what it has made,
    however often it is asked. (The loop's own handlers are gone before its process is; a second
    signal would kill it on the last steps.) To be used in the main thread.
    """
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    loop = asyncio.get_running_loop()

    def ask(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(stop)

    for number in numbers:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
