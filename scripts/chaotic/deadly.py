"""`python -m workers`, but a row below `/deadly/` kills this process, as a fault in a C library
may, and one picture kills the process of the pool that decodes it, for facts or for a batch.
"""

from __future__ import annotations

import os
import signal
import sys
import zlib
from typing import Any

__all__ = ["DEADLY_PICTURE", "examine_or_die", "prepare_or_die"]

#: The environment says of which picture: its CRC-32.
DEADLY_PICTURE = "CHAOS_DEADLY_PICTURE"


def examine_or_die(data: bytes, *others: Any) -> Any:
    """What a process of the pool does with a picture, but for one."""
    from workers.pool import entries

    _die_of(data)
    return entries.examine_item(data, *others)


def prepare_or_die(data: bytes, *others: Any) -> Any:
    """What it does with one that goes into a batch, but for the same."""
    from workers.pool import entries

    _die_of(data)
    return entries.prepare_item(data, *others)


def _die_of(data: bytes) -> None:
    if zlib.crc32(data) == int(os.environ[DEADLY_PICTURE]):
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Run a consumer; returns the exit code."""
    from scripts.chaotic import deadly  # by its name, as a child of the pool will find it
    from workers import __main__ as program
    from workers import flow, pipeline

    parse = flow.parse_target

    def parse_or_die(url: str) -> Any:
        if "/deadly/" in url:
            os.kill(os.getpid(), signal.SIGKILL)
        return parse(url)

    class Entries:
        prepare_item = staticmethod(deadly.prepare_or_die)
        examine_item = staticmethod(deadly.examine_or_die)

    flow.parse_target = parse_or_die
    pipeline.entries = Entries  # type: ignore[assignment]
    return program.main()


if __name__ == "__main__":
    sys.exit(main())
