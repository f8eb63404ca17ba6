"""Ctrl-C before anything is under way.

Python raises it as an exception wherever it is; in the midst of an import, that may be within the
initialisation of an extension module, and not all bear that: uvloop 0.23 and orjson on CPython 3.11
crashed the interpreter in one start of eight that was interrupted while they were loaded.
"""

from __future__ import annotations

import os
import signal

__all__ = ["end_in_order", "hold_back", "leave_at_once"]

#: What shells call a program that Ctrl-C ended.
_INTERRUPTED = 130


def leave_at_once() -> None:
    """Ctrl-C ends the process with exit code 130 and no word, until `end_in_order` or a handler
    of somebody else: while there is nothing that would have to be ended. Where it is ignored, as
    in the background of a script, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def hold_back() -> None:
    """Ctrl-C waits for `leave_at_once`: of the program that this process becomes by `exec`, where
    Python itself would else take it while it starts.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def end_in_order() -> None:
    """Ctrl-C is `KeyboardInterrupt` from here on, if it was to leave at once."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: object) -> None:
    os._exit(_INTERRUPTED)
