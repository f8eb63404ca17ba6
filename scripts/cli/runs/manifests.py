"""The manifest of a run: a file, a URL, or what comes on standard input."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from scripts.cli.exits import Refused
from scripts.cli.runs.standard_input import StandardInput
from scripts.cli.saying import say
from workers.errors import ManifestAway, ManifestError
from workers.manifest.files import FileSource
from workers.manifest.opening import open_source
from workers.settings import WorkSettings

__all__ = ["opened"]


@asynccontextmanager
async def opened(settings: WorkSettings, name: str, *, again: bool = False) -> AsyncIterator[Any]:
    """The manifest *name* as a `Source`; with *again* it can be read more than once.

    Raises:
        Refused: it is not there, or none that can be read.
        ManifestError: it cannot be had just now.
    """
    if name != "-":
        async with AsyncExitStack() as stack:
            opening = open_source(settings, name, anywhere=True)
            try:
                named = await stack.enter_async_context(opening)
            except ManifestAway:
                raise
            except ManifestError as exc:
                raise Refused(str(exc)) from exc
            yield named
        return
    coming = StandardInput()
    source: StandardInput | FileSource = coming
    if stat.S_ISREG(os.fstat(0).st_mode):
        source = FileSource.opened(os.dup(0), name, max_bytes=sys.maxsize)
    else:
        if sys.stdin.isatty():
            say("reading rows from the terminal, until Ctrl-D")
        if again:
            source = FileSource.opened(await _spooled(coming), name, max_bytes=sys.maxsize)
            source.stamp = ""  # of no use: it is another at every run
    try:
        yield source
    finally:
        source.close()


async def _spooled(coming: StandardInput) -> int:
    """A descriptor of a file of all that comes."""
    try:
        with tempfile.TemporaryFile() as kept:
            while data := await coming.read():
                await asyncio.to_thread(kept.write, data)
            kept.flush()
            return os.dup(kept.fileno())
    except OSError as exc:
        raise ManifestError(f"cannot keep what comes: {exc.strerror}") from exc
    finally:
        coming.close()
