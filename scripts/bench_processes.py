"""The processes a benchmark starts, what they say, and what they cost by process tree."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

__all__ = ["ROOT", "PictureHost", "answer_of", "cpu_seconds", "environment", "picture_host", "rss"]

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"


def environment(**census: str) -> dict[str, str]:
    """This environment, without the user's own settings and with *census* as `CENSUS_…`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CENSUS_")}
    return kept | {"PYTHONPATH": str(ROOT)} | {f"CENSUS_{k}": v for k, v in census.items()}


def cpu_seconds(process: psutil.Process) -> float:
    """User and system seconds of a process and all it started, those that ended included."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def rss(process: psutil.Process) -> tuple[int, int]:
    """Resident bytes of a process, and of it with all it started (shared pages count twice)."""
    own = total = process.memory_info().rss
    for each in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return own, total


def answer_of(program: str, *arguments: object) -> dict[str, float]:
    """Run a sibling program to its end; returns the line of JSON it prints."""
    command = [sys.executable, str(SCRIPTS / program), *map(str, arguments)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment())
    said: dict[str, float] = json.loads(ended.stdout)
    return said


@contextmanager
def ending(process: subprocess.Popen[Any], seconds: float = 10) -> Iterator[None]:
    """End a process with SIGTERM, and with SIGKILL if that does not help."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class PictureHost(NamedTuple):
    """A picture host in a process of its own."""

    url: str
    pictures: int
    process: psutil.Process

    def bytes_served(self) -> int:
        """Of bodies, since the last `reset`."""
        return int(self._ask("GET", "/_count")["bytes"])

    def reset(self) -> None:
        """Start counting afresh."""
        self._ask("POST", "/_reset")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, path)
            said: dict[str, Any] = json.loads(connection.getresponse().read())
            return said
        finally:
            connection.close()


@contextmanager
def picture_host(folder: Path | None, latency_ms: float) -> Iterator[PictureHost]:
    """Serve the pictures of *folder*, or made ones, each *latency_ms* late."""
    options: Sequence[str] = ["--folder", str(folder)] if folder else []
    command = [sys.executable, str(SCRIPTS / "picture_host.py"), *options]
    command += ["--latency-ms", str(latency_ms)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        ending(process),
    ):
        assert process.stdout is not None  # noqa: S101 - it was asked for
        said = process.stdout.readline()
        if not said:
            raise SystemExit("bench: the picture host did not start")
        ready = json.loads(said)
        yield PictureHost(ready["url"], ready["pictures"], psutil.Process(process.pid))


def settle(process: psutil.Process, *, share: float = 0.02, seconds: float = 10) -> None:
    """Wait until a process tree uses next to no CPU: what it does on starting is over."""
    deadline = time.monotonic() + seconds
    before = cpu_seconds(process)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = cpu_seconds(process)
        if now - before <= share * 0.5:
            return
        before = now
