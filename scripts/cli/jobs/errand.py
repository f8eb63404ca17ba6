"""One thing done at a server, from its beginning to an exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from scripts.cli import exits
from scripts.cli.exits import Refused
from scripts.cli.files.result_file import CannotWrite
from scripts.cli.files.standard_output import BrokenOutput
from scripts.cli.jobs.door import DEFAULT_URL, Denied, Door, Unanswered, key_of
from scripts.cli.jobs.patience import GoneError
from scripts.cli.saying import say
from scripts.cli.terminating import until_terminated
from workers.errors import WorkError
from workers.interrupts import end_in_order

__all__ = ["run"]

Errand = Callable[[Door], Coroutine[Any, Any, int]]


def run(
    errand: Errand, *, server: str | None, key: str | None, interrupted: str | None = None
) -> int:
    """Do *errand* at *server*; returns the exit code, everything that went wrong told.

    *interrupted* is what to tell whoever presses Ctrl-C.
    """
    try:
        door = Door(server or DEFAULT_URL, key_of(key))
        end_in_order()
        with asyncio.Runner() as runner:
            return runner.run(until_terminated(_do(errand, door)))
    except Refused as exc:
        say(f"imagecensus: {exc}")
        return exits.REFUSED
    except Denied as exc:
        say(f"imagecensus: {exc}")
        return exits.FAILED if exc.status >= 500 else exits.REFUSED
    except (Unanswered, GoneError, CannotWrite, WorkError) as exc:
        say(f"imagecensus: {exc}")
        return exits.FAILED
    except (BrokenOutput, BrokenPipeError):
        _let_go_of_output()
        return exits.BROKEN_PIPE
    except OSError as exc:  # of what is printed; everything else has its own words
        _let_go_of_output()
        say(f"imagecensus: cannot write to standard output: {exc.strerror}")
        return exits.FAILED
    except KeyboardInterrupt:
        if interrupted is not None:
            say(f"\n{interrupted}")
        return exits.INTERRUPTED


async def _do(errand: Errand, door: Door) -> int:
    async with door:
        return await errand(door)


def _let_go_of_output() -> None:
    """Nothing more is written at exit to where nobody reads."""
    with suppress(OSError), open("/dev/null", "wb") as null:  # noqa: PTH123 - a device
        os.dup2(null.fileno(), 1)
