"""The end of an append-only file, torn where a machine died or its disk was full: cut off whole.

Redis (seen with 6.2.14 and 7.0.15) starts on a file that ends within a transaction, but leaves the
beginning of that transaction there, and what it writes next follows. The start after that carries
both out together: what was written once is there twice. So the end is looked at before a start, by
the program that comes with Redis, and only an end without anything behind it is taken off.
"""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

from workers.jobs.binary import check_file

__all__ = ["is_torn", "mend"]

logger = logging.getLogger(__name__)

#: No command and no script of ours writes as much at once; what is longer was damaged elsewhere.
LONGEST_TAIL_BYTES = 64 * 1024 * 1024
#: A start waits so long for the check, and for each byte: a slow disk, read once.
CHECK_SECONDS = 30.0
CHECK_SECONDS_A_BYTE = 1 / 20_000_000

_ANALYZED = re.compile(rb"AOF analyzed: .*\bok_up_to=(\d+),")
#: `*3\r\n$4\r\n`: how a command begins in a file, and nothing that was JSON.
_COMMAND = re.compile(rb"\r\n\*\d+\r\n\$\d+\r\n")
_NUMBER = re.compile(rb"(\d{1,18})\r\n")
_NUMBER_CUT = re.compile(rb"(\d{1,18}\r?)?")


async def mend(file: Path, server: Path, lock: int) -> bool:
    """Cut off what is unfinished at the end of *file*, which no Redis may have open.

    *server* is asked under the name of its checking program, with the descriptor *lock* inherited:
    also when this process is killed, no Redis starts before that program ends. What cannot be
    checked is told in the log, and left to Redis.

    Returns:
        False where the file is damaged otherwise. Then nothing was changed, and Redis must not cut
        it off at the damage either.
    """
    try:
        size = _size(file)
        if not size:
            return True
        seconds = CHECK_SECONDS + size * CHECK_SECONDS_A_BYTE
        code, said = await check_file(server, file, lock=lock, seconds=seconds)
        found = _ANALYZED.search(said)
        if found is None:
            return _unchecked(file, _last_line(said))
        if code == 0:
            return True
        good = int(found[1])
        if not await asyncio.to_thread(_ends_torn, file, good):
            extra = {"action": "aof_damaged", "file": str(file), "reason": _first_line(said)}
            logger.warning("the append-only file is damaged before its end", extra=extra)
            return False
        _, said = await check_file(server, file, fix=True, lock=lock, seconds=seconds)
        if _size(file) != good:
            return _unchecked(file, _last_line(said))
    except TimeoutError:
        return _unchecked(file, "it takes too long")
    except OSError as exc:
        return _unchecked(file, str(exc))
    logger.warning(
        "an unfinished end was cut off the append-only file",
        extra={"action": "aof_repaired", "file": str(file), "bytes": size - good},
    )
    return True


def is_torn(tail: bytes) -> bool:
    """Whether *tail* is the beginning of one command or one transaction, and nothing else.

    Zeros may follow: file systems show them where a length was written before the data. Source for
    the format: the RESP specification of Redis, arrays of bulk strings.
    """
    tail = tail.rstrip(b"\0")
    at, whole = 0, 0
    try:
        while at < len(tail):
            name, at = _command(tail, at)
            if (name == b"MULTI") is not (whole == 0) or name == b"EXEC":
                return False  # whole outside of a transaction, or another one
            whole += 1
    except EOFError:
        return True
    except ValueError:
        return False
    return True


def _command(tail: bytes, at: int) -> tuple[bytes, int]:
    """Its name, and where it ends. EOFError: beyond *tail*. ValueError: it is none."""
    count, at = _number(tail, at, b"*")
    name = b""
    for number in range(count):
        length, at = _number(tail, at, b"$")
        end = at + length
        if end + 2 > len(tail):
            if _COMMAND.search(tail, at):
                raise ValueError  # a length that is wrong: commands follow
            raise EOFError
        if tail[end : end + 2] != b"\r\n":
            raise ValueError
        if not number:
            name = tail[at:end].upper()
        at = end + 2
    return name, at


def _number(tail: bytes, at: int, sign: bytes) -> tuple[int, int]:
    if at == len(tail):
        raise EOFError
    if tail[at : at + 1] != sign:
        raise ValueError
    if found := _NUMBER.match(tail, at + 1):
        return int(found[1]), found.end()
    if _NUMBER_CUT.fullmatch(tail, at + 1):
        raise EOFError
    raise ValueError


def _ends_torn(file: Path, good: int) -> bool:
    with file.open("rb") as opened:
        opened.seek(good)
        tail = opened.read(LONGEST_TAIL_BYTES + 1)
    return len(tail) <= LONGEST_TAIL_BYTES and is_torn(tail)


def _size(file: Path) -> int:
    return file.stat().st_size


def _unchecked(file: Path, reason: str) -> bool:
    extra = {"action": "aof_unchecked", "file": str(file), "reason": reason}
    logger.warning("the append-only file cannot be checked", extra=extra)
    return True


def _first_line(said: bytes) -> str:
    return said.strip().partition(b"\n")[0].decode(errors="replace")[:200]


def _last_line(said: bytes) -> str:
    return said.strip().rpartition(b"\n")[2].decode(errors="replace")[:200] or "nothing was said"
