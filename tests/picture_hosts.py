"""The picture host as a process, and what it counted: for every test that downloads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["PictureHost", "started"]

_PROGRAM = Path(__file__).parents[1] / "scripts" / "picture_host.py"


class PictureHost:
    """A running picture host: its base `url`, its `ready` line, and what it says of itself."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.url: str = ready["url"]
        self.port = int(self.url.rpartition(":")[2])

    def __str__(self) -> str:
        return self.url

    def ask(self, path: str, *, method: str = "GET") -> tuple[dict[str, str], bytes]:
        """One request on a connection of its own: headers in lower case, and the body."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def counts(self) -> dict[str, Any]:
        """What was served since the last `reset`: `requests`, `bytes`, `in_flight_peak`, …"""
        told: dict[str, Any] = json.loads(self.ask("/_count")[1])
        return told

    def requests(self) -> list[dict[str, Any]]:
        """The last requests: `method`, `target`, `headers` (lower case), oldest first."""
        told: list[dict[str, Any]] = json.loads(self.ask("/_requests")[1])
        return told

    def reset(self) -> None:
        """Forget everything counted, and what its misbehaviours remember."""
        self.ask("/_reset", method="POST")

    def change(self, path: str) -> None:
        """Put another picture where *path* has one, without a manner before it."""
        self.ask(f"/_change{path}", method="POST")

    def remove(self, path: str) -> None:
        """Put a 404 there."""
        self.ask(f"/_remove{path}", method="POST")

    def body(self, path: str) -> bytes:
        """The whole picture a path answers with."""
        return self.ask(path)[1]


@contextmanager
def started(*options: str) -> Iterator[PictureHost]:
    """A picture host in a process of its own on a free port of 127.0.0.1."""
    command = [sys.executable, str(_PROGRAM), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield PictureHost(json.loads(process.stdout.readline()))
        finally:
            process.kill()
