"""What was recorded of a shard: an entry of a job's results, read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Shard", "read_shard"]

_LONGEST_NUMBER = 10


class Shard(NamedTuple):
    """One entry of a job's results."""

    cursor: str
    shard: int | None  #: None: not an entry of ours
    rows: int
    lines: bytes


def read_shard(cursor: str, fields: Mapping[bytes, bytes] | None) -> Shard:
    """An entry. Its lines are given out as they are, so it is looked at whether they are lines."""
    found = fields or {}
    shard, rows = found.get(b"shard", b""), found.get(b"rows", b"")
    lines = found.get(b"lines", b"")
    ours = (
        all(said.isdigit() and len(said) <= _LONGEST_NUMBER for said in (shard, rows))
        and lines.startswith(b'{"type":')
        and lines.endswith(b"}\n")
        and lines.count(b"\n") == lines.count(b'\n{"type":') + 1
    )
    return Shard(cursor, int(shard), int(rows), lines) if ours else Shard(cursor, None, 0, b"")
