"""The manifest of a run: a file, a URL, or what comes on standard input."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from scripts.cli.standard_input import StandardInput
from workers.manifest.files import FileSource
from workers.manifest.opening import open_source
from workers.settings import WorkSettings

__all__ = ["opened"]


@asynccontextmanager
async def opened(settings: WorkSettings, name: str, *, again: bool = False) -> AsyncIterator[Any]:
    """The manifest *name* as a `Source`; with *again* it can be read more than once.

    Raises:
        ManifestError: it is not there, or cannot be had.
    """
    if name != "-":
        async with open_source(settings, name, anywhere=True) as named:
            yield named
        return
    source: StandardInput | FileSource
    if stat.S_ISREG(os.fstat(0).st_mode):
        source = FileSource.opened(os.dup(0), name, max_bytes=sys.maxsize)
    elif again:
        source = FileSource.opened(await asyncio.to_thread(_spooled), name, max_bytes=sys.maxsize)
        source.stamp = ""  # of no use: it is another at every run
    else:
        if sys.stdin.isatty():
            print("reading rows from the terminal, until Ctrl-D", file=sys.stderr)
        source = StandardInput()
    try:
        yield source
    finally:
        source.close()


def _spooled() -> int:
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        return os.dup(kept.fileno())
