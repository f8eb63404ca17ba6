"""What the demo starts: processes that end with it, a picture host that keeps its port; and where
they log.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
#: In CENSUS_VAR.
PORT_FILE = "picture_port"
LOG_FILE = "run.log"
#: A log that is larger than this begins anew with the next start.
LOG_BYTES = 16 << 20
#: Of what was logged, where something ends that should not.
TAIL_LINES = 5
#: Beyond the grace of the server and, behind it, of its consumer.
STOP_SECONDS = 30.0


def end_on_signals(code: int) -> None:
    """Have the first signal end this process with *code*; what it started is waited for, then."""
    numbers = [signal.SIGTERM, signal.SIGINT]  # SIGINT too: a shell's & has it ignored
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)

    def end(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        sys.exit(code)

    for number in numbers:
        signal.signal(number, end)


PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with(parent: int) -> None:
    """In a new process: be sent SIGTERM when the one that started it is gone (Linux only)."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


class Log:
    """What the processes of the demo log: in a file, so that a terminal has what is for people.

    Without a folder it is this process's stderr.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = None if folder is None else folder / LOG_FILE
        self.file: IO[bytes] | None = None
        self._begins = 0
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Appended to: another demo that has the same folder may be writing to it.
            self.file = self.path.open("ab")
            if self.file.tell() > LOG_BYTES:
                self.file.truncate(0)
            self._begins = self.path.stat().st_size

    def tail(self) -> str:
        """Its last lines since this began, and where there are more; empty without a file."""
        if self.path is None:
            return ""
        with self.path.open("rb") as file:
            file.seek(self._begins)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join([*lines[-TAIL_LINES:], f"the whole log: {self.path}"])


@contextmanager
def running(
    command: list[str], env: dict[str, str], log: Log, **given: Any
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A program of ours and the JSON line it says when it is ready; ended on the way out.

    One that does not become ready ends this process, with its exit code and what it logged.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=log.file,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends it
        **given,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = process.stdout.readline()
        if not line:
            code = process.wait() or 1
            print(log.tail(), file=sys.stderr, flush=True)
            sys.exit(code)
        yield process, json.loads(line)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS + 2 * float(env.get("CENSUS_SHUTDOWN_GRACE") or 25))
        except (subprocess.TimeoutExpired, ValueError):
            process.kill()
            process.wait()


def read_port(kept: Path) -> int | None:
    """The port the picture host had before; None where there was none."""
    with suppress(OSError, ValueError):
        port = int(kept.read_text(encoding="ascii"))
        return port if 1024 <= port <= 65535 else None
    return None


def keep_port(kept: Path, port: int) -> None:
    """For the next start."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{port}\n", encoding="ascii")


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def pictures(env: dict[str, str], log: Log, port: int | None) -> Iterator[tuple[str, int]]:
    """A picture host, on *port* where that is free: its base URL, and a descriptor.

    It ends as well when all processes that hold the descriptor are gone.
    """
    wanted = port if port is not None and is_free(port) else 0
    command = [sys.executable, "scripts/picture_host.py", "--until-stdin-closes"]
    command += ["--port", str(wanted)]
    ours, theirs = os.pipe()
    with ExitStack() as stack:
        stack.callback(os.close, theirs)
        with os.fdopen(ours) as stdin:
            _, ready = stack.enter_context(running(command, env, log, stdin=stdin))
        yield ready["url"], theirs
