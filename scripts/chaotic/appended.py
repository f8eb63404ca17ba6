"""What a Redis wrote to its append-only file: each delivery of an entry, with its count."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from workers.jobs import keys

__all__ = ["Delivery", "commands", "cut", "deliveries", "newest", "recovered_rows", "repair"]

_SHARDS = {keys.shards(kind).encode() for kind in keys.KINDS}
_RESULTS = keys.results("").encode()


class Delivery(NamedTuple):
    """An entry given to a consumer, kept by it, or given back."""

    stream: bytes  #: entries of two streams may have the same id
    entry: bytes
    consumer: bytes
    at_ms: int  #: since when it is idle: a day ago where it was given back
    count: int


def newest(folder: Path) -> Path:
    """The file that grows. Redis 7 has it in a folder, beside those it began with."""
    files = sorted(
        (folder / "appendonlydir").glob("*.incr.aof"), key=lambda file: file.stat().st_mtime
    )
    return files[-1] if files else folder / "appendonly.aof"


def cut(folder: Path, count: int) -> int:
    """Take so many bytes off its end; returns how many there were to take."""
    file = newest(folder)
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.truncate(max(0, size - count))
    return min(size, count)


def repair(folder: Path, server: Path) -> None:
    """Take off what is left of a transaction that was cut, as `redis-check-aof --fix` does.

    A Redis that starts on such a file leaves it there: the next start carries it out by halves
    (seen with 6.2.14 and 7.0.15). The server is that program, too, where it is called so.
    """
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    file = manifest if manifest.exists() else newest(folder)
    subprocess.run(
        ["redis-check-aof", "--fix", str(file)],  # noqa: S607 - the server, by that name
        executable=server,
        input=b"y\n",
        capture_output=True,
        check=True,
    )


def commands(folder: Path) -> Iterator[list[bytes]]:
    """Every command, up to the first that is not whole."""
    data, at = newest(folder).read_bytes(), 0
    while at < len(data):
        parts = []
        if data[at : at + 1] != b"*":
            return
        line = data.find(b"\r\n", at)
        for _ in range(int(data[at + 1 : line])):
            at = line + 2
            line = data.find(b"\r\n", at)
            if line < 0:
                return
            end = line + 2 + int(data[at + 1 : line])
            if end + 2 > len(data):
                return
            parts.append(data[line + 2 : end])
            line = end
        at = line + 2
        yield parts


def deliveries(folder: Path) -> Iterator[Delivery]:
    """Of shards of all kinds, in order."""
    for command in commands(folder):
        if command[0].upper() == b"XCLAIM" and command[1] in _SHARDS:
            told = dict(zip(command[6::2], command[7::2], strict=False))
            at_ms, count = int(told[b"TIME"]), int(told[b"RETRYCOUNT"])
            yield Delivery(command[1], command[5], command[3], at_ms, count)


def recovered_rows(folder: Path) -> int:
    """Rows of shards that were given to more than one consumer before they were recorded."""
    places: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
    again: set[tuple[bytes, bytes]] = set()
    rows = 0
    for command in commands(folder):
        name = command[0].upper()
        if name == b"XADD" and command[1] in _SHARDS and b"shard" in command:
            fields = dict(zip(command[-4::2], command[-3::2], strict=False))
            places[command[1], _entry_id(command)] = (
                fields.get(b"job", b""),
                fields.get(b"shard", b""),
            )
        elif name == b"XCLAIM" and command[1] in _SHARDS:
            count, entry = command[command.index(b"RETRYCOUNT") + 1], (command[1], command[5])
            if int(count) > 1 and entry in places:
                again.add(places[entry])
        elif name == b"XADD" and command[1].startswith(_RESULTS):
            fields = dict(zip(command[-6::2], command[-5::2], strict=False))
            if (command[1].removeprefix(_RESULTS), fields.get(b"shard", b"")) in again:
                rows += int(fields[b"rows"])
    return rows


def _entry_id(command: list[bytes]) -> bytes:
    return next(part for part in command[2:] if part.partition(b"-")[0].isdigit() and b"-" in part)
