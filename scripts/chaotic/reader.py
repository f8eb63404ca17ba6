"""A program that reads the results of a job into a file, and may be killed at any time.

    reader.py SOCKET JOB FILE

Each entry of results becomes its lines and one with the cursor behind them; whatever stands behind
the last cursor of the file is cut off at the start. What is safe in the file is released.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import redis
from redis import asyncio as aioredis

from workers.jobs import keys
from workers.jobs.ledger import Ledger

__all__ = ["CURSOR", "main"]

CURSOR = b"cursor "
PAUSE_SECONDS = 0.02


def main(socket: str, job: str, file: str) -> int:
    """Read until the job is over; returns the exit code."""
    path = Path(file)
    cursor = _cut(path)
    with redis.Redis(unix_socket_path=socket) as client, path.open("ab") as out:
        while True:
            state = client.hget(keys.job(job), "state")
            found = client.xrange(keys.results(job), f"({cursor.decode()}", "+", count=3)
            for entry, fields in found:
                out.write(fields[b"lines"] + CURSOR + entry + b"\n")
                cursor = entry
            out.flush()
            os.fsync(out.fileno())
            if found:
                asyncio.run(_release(socket, job, cursor.decode()))
            elif state != b"running":
                return 0
            time.sleep(PAUSE_SECONDS)


def _cut(path: Path) -> bytes:
    """The last cursor in the file, with nothing behind it any more."""
    data = path.read_bytes() if path.exists() else b""
    at = data.rfind(CURSOR, 0, data.rfind(b"\n") + 1)
    if at < 0:
        path.write_bytes(b"")
        return b"0-0"
    end = data.index(b"\n", at)
    os.truncate(path, end + 1)
    return data[at + len(CURSOR) : end]


async def _release(socket: str, job: str, cursor: str) -> None:
    async with aioredis.Redis(unix_socket_path=socket) as client:
        await Ledger(client, root=Path("/"), ttl=3600).release(job, cursor)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
