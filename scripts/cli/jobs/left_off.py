"""Where a file of a job's results was left off: its last cursor, looked for from the end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import orjson

from scripts.cli.exits import Refused

__all__ = ["LeftOff", "left_off"]

_BLOCK = 1024 * 1024
#: Of lines that are no records. Options and a manifest's name have some kilobytes.
_LONGEST = 1024 * 1024

_BEGINNING = b'{"type":"start"'
#: A line break never stands within a line of JSON.
_MARK = re.compile(rb'\n\{"type":"(?:progress|summary)"')
_MARK_BYTES = 20
_CURSOR = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LeftOff:
    """What to keep of it, and where to read on."""

    job: str | None = None  #: None where not even the start line is whole
    cursor: str | None = None  #: None: from the beginning
    end: int = 0  #: bytes that the cursor covers
    complete: bool = False  #: its last line says that nothing is missing


def left_off(file: IO[bytes]) -> LeftOff:
    """Look at *file*, open for reading.

    Raises:
        Refused: it holds no results of a job.
    """
    first = file.readline(_LONGEST)
    if not first.endswith(b"\n") and (_BEGINNING.startswith(first) or first.startswith(_BEGINNING)):
        return LeftOff()
    start = _said(first)
    job = start.get("job")
    if start.get("type") != "start" or not isinstance(job, str):
        raise Refused("it holds no results of a job")
    size = file.seek(0, os.SEEK_END)
    for at in _marks(file, size):
        file.seek(at)
        line = file.readline(_LONGEST)
        said = _said(line)
        cursor = said.get("cursor")
        if not line.endswith(b"\n") or not isinstance(cursor, str):
            continue
        if _CURSOR.fullmatch(cursor) is None:
            continue
        if said.get("type") == "progress":
            return LeftOff(job, cursor, at + len(line))
        if at + len(line) == size:
            return LeftOff(job, cursor, at, said.get("complete") is True)
        raise Refused("there is more behind its summary")
    return LeftOff(job, None, len(first))


def _marks(file: IO[bytes], size: int) -> Iterator[int]:
    """Where lines begin that may have a cursor, the last first."""
    end, behind = size, b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        block = file.read(end - begin) + behind
        for found in reversed([match.start() for match in _MARK.finditer(block)]):
            yield begin + found + 1
        end, behind = begin, block[:_MARK_BYTES]


def _said(line: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
