"""Parquet → rows. A process of its own reads the file: what is in it may be meant to crash or
exhaust a C++ library, and costs that process then, not the service.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import orjson

from workers.errors import ManifestError
from workers.manifest.lines import LineCutter
from workers.manifest.rows import Row, Source, bad_row

__all__ = ["PARQUET_MAGIC", "parquet_rows"]

PARQUET_MAGIC = b"PAR1"

#: The process gives no row for so long, and is given up.
STALLED_SECONDS = 60.0

_BLOCK = 64 * 1024


async def parquet_rows(
    source: Source, *, limit: int | None = None, extra: bool = False, begin: int = 0
) -> AsyncGenerator[Row, None]:
    """The rows of a Parquet file from the row *begin* on, with the other columns if *extra*.

    Ends before the row *limit*, if given.

    Raises:
        ManifestError: it cannot be read on, or has no column `url`, or less than *begin* rows.
    """
    starting = asyncio.ensure_future(_start(await source.whole(), begin, limit, extra))
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _end(await starting)  # which nobody would end who never saw it start
        raise
    index = begin
    try:
        async for line in _lines(process):
            if isinstance(line, dict):
                if "error" in line:
                    raise ManifestError(f"cannot read the Parquet: {line['error']}")
                break
            index += 1
            yield _row(index - 1, line)
        else:
            raise ManifestError(f"the process reading the Parquet died after {index} rows")
    finally:
        await _end(process)
    if limit is None and source.sha256 is None:
        async for _ in source.blocks():  # read out of order until here, so not hashed
            await asyncio.sleep(0)


def _row(index: int, line: list[Any]) -> Row:
    identity, url, extra, problem = line
    if problem is not None:
        return bad_row(index, index + 1, problem, identity or "")
    passed = extra.encode() if extra is not None else None
    return Row(index, identity or str(index), url, index + 1, None, passed)


async def _start(descriptor: int, begin: int, limit: int | None, extra: bool) -> Process:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CENSUS_")}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    asked = [str(begin), str(-1 if limit is None else limit), *(["extra"] if extra else [])]
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "workers.manifest.parquet_child", *asked),
            stdin=descriptor,
            stdout=PIPE,
            stderr=DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the service, which ends this one
        )
    except OSError as exc:
        raise ManifestError(f"cannot start what reads Parquet: {exc.strerror}") from exc


async def _lines(process: Process) -> AsyncGenerator[Any, None]:
    """What the process says, line by line."""
    cutter = LineCutter()
    out = _out(process)
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                block = await out.read(_BLOCK)
        except TimeoutError:
            told = f"reading the Parquet gave no row for {STALLED_SECONDS:g} seconds"
            raise ManifestError(told) from None
        if not block:
            return
        for line in cutter.feed(block):
            if line.text is not None:
                yield orjson.loads(line.text)
        await asyncio.sleep(0)


def _out(process: Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise ManifestError("the process reading the Parquet has no output")
    return process.stdout


async def _end(process: Process) -> None:
    """End the process, and read what it said meanwhile: only then its pipe is closed."""
    with suppress(ProcessLookupError):
        process.kill()
    while await _out(process).read(_BLOCK):
        pass
    await process.wait()
