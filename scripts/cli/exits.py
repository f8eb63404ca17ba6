"""What an exit code of the command means, for scripts."""

from __future__ import annotations

__all__ = [
    "BROKEN_PIPE",
    "DONE",
    "FAILED",
    "INTERRUPTED",
    "PARTIAL",
    "REFUSED",
    "ROWS_FAILED",
    "TERMINATED",
    "Finished",
    "Refused",
]

DONE = 0  #: done, and complete; rows that failed have their reason
FAILED = 1  #: it could not be completed: a manifest that cannot be read on, a full disk, no server
REFUSED = 2  #: asked wrongly, or a file that is not what it should be; nothing was done
PARTIAL = 3  #: ended early on purpose, by a budget or cancelled; `--resume` goes on
ROWS_FAILED = 4  #: with `--strict`: complete, and rows failed
INTERRUPTED = 130  #: Ctrl-C
BROKEN_PIPE = 141  #: whoever read the output is gone
TERMINATED = 143  #: SIGTERM


class Refused(Exception):
    """What was asked for cannot be done so; the message tells why, and what can."""


class Finished(Exception):
    """There is nothing left to do; the message says so."""
