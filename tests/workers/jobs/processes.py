"""`python -m workers` as the process that people start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.asserts import wait_until

__all__ = ["WorkerProcess", "run", "started"]

ROOT = Path(__file__).parents[3]


def _environment(settings: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CENSUS_")}
    return kept | {f"CENSUS_{name}": value for name, value in settings.items()}


def run(
    *arguments: str, module: str = "workers", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Start it where it is meant to end by itself."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *arguments],
        cwd=ROOT,
        env=_environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class WorkerProcess:
    """A consumer in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, log: Path) -> None:
        self.process = process
        self._out, self._log = out, log

    async def ready(self) -> str:
        """Wait for its line; the name of the consumer."""
        line: str = await wait_until(self._said, 30)
        told: dict[str, Any] = json.loads(line)
        assert told["ready"] is True
        name: str = told["consumer"]
        return name

    def _said(self) -> str:
        assert self.process.poll() is None, self.log_text()
        text = self._out.read_text(encoding="utf-8")
        return text if text.endswith("\n") else ""

    def is_ready(self) -> bool:
        """Whether it said its line."""
        return bool(self._said())

    def log_text(self) -> str:
        """The log as it stands."""
        return self._log.read_text(encoding="utf-8")

    def actions(self) -> list[str]:
        """What it logged, each line of which must be JSON."""
        return [json.loads(line).get("action", "") for line in self.log_text().splitlines()]

    def end(self, number: int = signal.SIGTERM, timeout: float = 20) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout)


@contextmanager
def started(folder: Path, *arguments: str, **settings: str) -> Iterator[WorkerProcess]:
    """A consumer with its log in *folder*; whatever happens, it is gone afterwards."""
    chosen = {
        "DATA_ROOT": str(folder / "data"),
        "VAR": str(folder / "var"),
        "ALLOW_NETWORKS": "127.0.0.0/8",
        "LOG_FORMAT": "json",
        "LEASE_SECONDS": "0.5",
        "MAX_CONNECTIONS": "1",
        "SHARD_ROWS": "4",
        "RETRIES": "0",
        "POOL_SLOTS": "1",
    }
    (folder / "data").mkdir(exist_ok=True)
    out, log = folder / "worker.out", folder / "worker.log"
    with out.open("wb") as output, log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "workers", *arguments],
            cwd=ROOT,
            env=_environment(chosen | settings),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
        )
    with process:
        try:
            yield WorkerProcess(process, out, log)
        finally:
            process.kill()
