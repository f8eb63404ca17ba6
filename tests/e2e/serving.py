"""`python -m server` as the process that people start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil

__all__ = ["INFO", "ServerProcess", "family", "put_an_end", "run", "started"]

ROOT = Path(__file__).parents[2]
INFO = "/api/v1/images_info"


def _environment(settings: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CENSUS_")}
    return kept | {f"CENSUS_{name}": value for name, value in settings.items()}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start the server where it is meant to end by itself."""
    command = [sys.executable, "-W", "error", "-m", "server", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=_environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class ServerProcess:
    """A running server: where it listens, what it logs, which processes are its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, log.read_text(encoding="utf-8")
        self.ready = json.loads(said)
        self.port = int(self.ready["url"].rpartition(":")[2])
        self.itself = psutil.Process(process.pid)
        self.children = self.itself.children(recursive=True)

    def logs(self) -> list[dict[str, Any]]:
        """Every line logged so far; each must be JSON."""
        return [json.loads(line) for line in self.log_text().splitlines()]

    def log_text(self) -> str:
        """The log as it stands."""
        return self._log.read_text(encoding="utf-8")

    def connect(self, timeout: float = 20) -> HTTPConnection:
        """A connection, which its maker closes."""
        return HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    @contextmanager
    def asking(self, asked: object, **headers: str) -> Iterator[HTTPResponse]:
        """POST a JSON request and read its answer as it comes; `X_Request_ID` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connect()
        try:
            body = json.dumps(asked).encode()
            connection.request("POST", INFO, body, {"Content-Type": "application/json", **named})
            yield connection.getresponse()
        finally:
            connection.close()

    def lines(self, asked: object, **headers: str) -> list[dict[str, Any]]:
        """The whole NDJSON answer to a JSON request."""
        with self.asking(asked, **headers) as response:
            assert response.status == 200
            return [json.loads(line) for line in response]

    def end(self, number: int = signal.SIGTERM, timeout: float = 15) -> int:
        """Send a signal and wait for the exit code."""
        self.children = family(self.process, self.children)
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def left(self, timeout: float = 10) -> list[psutil.Process]:
        """Children that are still there when they should be gone, waited for a while."""
        return _left(self.children, timeout)


def family(
    process: subprocess.Popen[bytes], known: Iterable[psutil.Process]
) -> list[psutil.Process]:
    """What it started and what those started, besides those that are known."""
    found = dict.fromkeys(known)
    if process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            found |= dict.fromkeys(psutil.Process(process.pid).children(recursive=True))
    return list(found)


def put_an_end(process: subprocess.Popen[bytes], known: Iterable[psutil.Process] = ()) -> None:
    """Kill it, and see that nothing of its family is left: a Redis would stay for ever."""
    children = family(process, known)
    process.kill()
    process.wait()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            if child.name().startswith(("redis", "valkey")):
                child.kill()
    for child in _left(children, timeout=5):  # the others end by themselves, and clean up
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _left(children: list[psutil.Process], timeout: float) -> list[psutil.Process]:
    end = time.monotonic() + timeout
    while (alive := [child for child in children if _lives(child)]) and time.monotonic() < end:
        psutil.wait_procs(alive, timeout=0.05)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:  # a zombie of an init that does not reap is gone as well
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[ServerProcess]:
    """A server with its data and its log in *folder*; whatever happens, it is gone afterwards.

    Without `REDIS_URL` it brings a Redis and a consumer, with files in *folder* as well.
    """
    chosen = {
        "PORT": "0",
        "DATA_ROOT": str(folder / "data"),
        "VAR": str(folder / "var"),
        "ALLOW_NETWORKS": "127.0.0.0/8",
        "MAX_CONNECTIONS": "16",
        "POOL_SLOTS": "1",
        **settings,
    }
    (folder / "data").mkdir(exist_ok=True)
    log = folder / "server.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "server"],
            cwd=ROOT,
            env=_environment(chosen),
            stdout=subprocess.PIPE,
            stderr=file,
        ) as process,
    ):
        server: ServerProcess | None = None
        try:
            server = ServerProcess(process, log)
            yield server
        finally:
            put_an_end(process, server.children if server else ())
