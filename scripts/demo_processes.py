"""What the demo starts: processes that end with it, and a picture host that keeps its port."""

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
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: In CENSUS_VAR.
PORT_FILE = "picture_port"
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


@contextmanager
def running(
    command: list[str], env: dict[str, str], **given: Any
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A program of ours and the JSON line it says when it is ready; ended on the way out."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends it
        **given,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = process.stdout.readline()
        if not line:
            sys.exit(process.wait() or 1)
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
def pictures(env: dict[str, str], port: int | None) -> Iterator[tuple[str, int]]:
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
            _, ready = stack.enter_context(running(command, env, stdin=stdin))
        yield ready["url"], theirs
