"""A Redis of the benchmark's own: the real server, on a unix socket, gone with the benchmark."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import redis

from workers.jobs.binary import find_server

__all__ = ["RedisServer", "redis_server"]

START_SECONDS = 30.0


class RedisServer(NamedTuple):
    """One that listens."""

    url: str
    pid: int
    client: "redis.Redis"


@contextmanager
def redis_server(folder: Path, *, append_only: bool) -> Iterator[RedisServer]:
    """Start it with its files in *folder*, whose path must be short: a socket lies there too."""
    socket = folder / "r.sock"
    command = [str(find_server()), "--port", "0", "--unixsocket", str(socket)]
    command += ["--dir", str(folder), "--save", "", "--logfile", str(folder / "redis.log")]
    command += ["--appendonly", "yes" if append_only else "no"]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(socket, process)
            url = f"unix://{socket}"
            with redis.Redis.from_url(url) as client:
                yield RedisServer(url, process.pid, client)
        finally:
            process.terminate()


def _wait_for(socket: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not socket.exists():
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit("bench: its Redis did not start")
        time.sleep(0.02)
