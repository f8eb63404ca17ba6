"""The processes a benchmark starts, what they say, and what they cost by process tree."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

__all__ = [
    "PictureHost",
    "answer_of",
    "cpu_seconds",
    "environment",
    "picture_host",
    "rss",
    "running",
    "settle",
    "started",
]

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
STOP_SECONDS = 40.0


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
def started(
    command: Sequence[str], *, log: Path | None = None, env: dict[str, str] | None = None
) -> Iterator[tuple[psutil.Process, dict[str, Any]]]:
    """A program of ours and what it says when it is ready; it is ended on the way out."""
    with ExitStack() as stack:
        errors = stack.enter_context(log.open("wb")) if log else None
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=env, cwd=ROOT)
        )
        stack.callback(_end, process)
        assert process.stdout is not None  # noqa: S101 - it was asked for
        said = process.stdout.readline()
        if not said:
            if log:
                print(log.read_text(errors="replace"), file=sys.stderr)
            raise SystemExit(f"it did not start: {' '.join(command)}")
        yield psutil.Process(process.pid), json.loads(said)


@contextmanager
def running(
    command: Sequence[str], *, log: Path | None = None, env: dict[str, str] | None = None
) -> Iterator[tuple[psutil.Process, str]]:
    """The same, with nothing but the address of what it said."""
    with started(command, log=log, env=env) as (process, ready):
        yield process, ready["url"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


class PictureHost(NamedTuple):
    """A picture host in a process of its own."""

    url: str

    def bytes_served(self) -> int:
        """Of bodies, since the last `reset`."""
        return self._ask("GET", "/_count")["bytes"]

    def reset(self) -> None:
        """Start counting afresh."""
        self._ask("POST", "/_reset")

    def _ask(self, method: str, path: str) -> dict[str, int]:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, path)
            said: dict[str, int] = json.loads(connection.getresponse().read())
            return said
        finally:
            connection.close()


@contextmanager
def picture_host(folder: Path | None, latency_ms: float) -> Iterator[PictureHost]:
    """Serve the pictures of *folder*, or made ones, each *latency_ms* late."""
    command = [sys.executable, str(SCRIPTS / "picture_host.py"), "--latency-ms", str(latency_ms)]
    if folder:
        command += ["--folder", str(folder.resolve())]
    with running(command) as (_, url):
        yield PictureHost(url)


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
