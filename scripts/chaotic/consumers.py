"""Consumers as processes: `python -m workers`, started, killed, frozen, asked to end.

Each is the first of a session of its own, so that what it leaves behind is found by that. Standard
input is a pipe they end with: not even a chaos that is killed leaves them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["Consumer", "Crew"]

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0
LEFT_SECONDS = 5.0


class Consumer:
    """One process, and where it writes."""

    def __init__(self, program: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._told = log.with_suffix(".out")
        self.frozen = False
        with log.open("wb") as errors, self._told.open("wb") as told:
            self.process = subprocess.Popen(
                [sys.executable, *program, "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=errors,
                env=dict(env),
                cwd=ROOT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process, and of its session."""
        return self.process.pid

    @property
    def ready(self) -> bool:
        """Whether Redis knows of it."""
        return self._told.stat().st_size > 0

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """A signal; to one that is gone, nothing."""
        self.frozen = number == signal.SIGSTOP or (self.frozen and number != signal.SIGCONT)
        if not self.ended:
            self.process.send_signal(number)

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.send(signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Crew:
    """Some consumers. Those that were killed on purpose are replaced; others should not end."""

    def __init__(self, env: Mapping[str, str], folder: Path, program: Sequence[str]) -> None:
        self._env = env
        self._folder = folder
        self._program = program
        self._sessions: list[int] = []
        self.members: list[Consumer] = []
        self.died = 0  #: of themselves

    def hire(self, count: int, *, wait: bool = True, **census: str) -> list[Consumer]:
        """Start *count* more, with other settings if wanted, and wait until they consume."""
        env = {**self._env, **{f"CENSUS_{name.upper()}": value for name, value in census.items()}}
        hired = []
        for _ in range(count):
            log = self._folder / f"consumer-{len(self._sessions)}.log"
            hired.append(Consumer(self._program, env, log))
            self._sessions.append(hired[-1].pid)
        self.members += hired
        if wait:
            self.await_ready()
        return hired

    def await_ready(self) -> None:
        """Until all consume."""
        end = time.monotonic() + READY_SECONDS
        while not all(member.ready for member in self.members):
            self.tend()
            if time.monotonic() > end:
                raise TimeoutError(f"a consumer does not get ready: {self.members[-1].log}")
            time.sleep(0.02)

    def kill(self, member: Consumer) -> None:
        """End it at once, and start another in its place."""
        member.end()
        self.members.remove(member)
        self.hire(1, wait=False)

    def dismiss(self, member: Consumer) -> None:
        """It ended as it should."""
        member.end()
        self.members.remove(member)

    def tend(self) -> None:
        """Replace those that died of themselves, and count them."""
        for member in [one for one in self.members if one.ended]:
            self.died += 1
            self.kill(member)

    def of_pid(self, pid: int) -> Consumer | None:
        """The member that is this process."""
        return next((one for one in self.members if one.pid == pid), None)

    def close(self) -> None:
        """End all."""
        for member in self.members:
            member.end()
        self.members.clear()

    def left_behind(self) -> int:
        """Processes that outlived the consumer they belong to, some seconds after its end."""
        end = time.monotonic() + LEFT_SECONDS
        while (left := self._orphans()) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(left)

    def _orphans(self) -> list[int]:
        gone = set(self._sessions) - {member.pid for member in self.members}
        found = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if os.getsid(process.pid) in gone and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found
