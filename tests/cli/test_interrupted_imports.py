"""Ctrl-C while a program is still being loaded: it is gone, without a word and without a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.asking import PROGRAM, ROOT, environment

_SERVER = (sys.executable, "-m", "server")
_CONSUMER = (sys.executable, "-m", "workers")
_DEMO = (sys.executable, str(ROOT / "scripts" / "demo.py"))
_START = '{"type":"start","schema":1,"kind":"images_info"}\n'
#: A library that Ctrl-C comes in the midst of. An exception there is what some do not bear.
_INTERRUPTED = """
import os, signal
try:
    signal.raise_signal(signal.SIGINT)
    os._exit(98)
except BaseException:
    os._exit(99)
"""
#: Python imports it by itself, before anything of a program. Of `python -m server`, say, only.
_STARTED = "import signal, sys\nif '-m' in sys.orig_argv:\n    signal.raise_signal(signal.SIGINT)\n"


def _exit_code(
    command: tuple[str, ...],
    library: str,
    folder: Path,
    *,
    ignored: bool = False,
    text: str = _INTERRUPTED,
) -> int:
    """That of *command*, of which *library* is interrupted, and which says nothing."""
    (folder / f"{library}.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment() | {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    return done.returncode


@pytest.mark.parametrize(
    ("command", "library"),
    [
        ((PROGRAM, "info", "images.tsv"), "uvloop"),
        ((PROGRAM, "info", "images.tsv"), "orjson"),
        ((PROGRAM, "status"), "aiohttp"),
        ((PROGRAM, "info", "images.tsv", "-o", "facts.parquet"), "pandas"),
        ((PROGRAM, "convert", "facts.ndjson", "facts.csv"), "pandas"),
        (_SERVER, "uvloop"),
        (_SERVER, "pydantic"),
        (_SERVER, "argparse"),
        (_CONSUMER, "uvloop"),
        (_CONSUMER, "pydantic"),
        (_CONSUMER, "argparse"),
        (_DEMO, "argparse"),
        (_DEMO, "subprocess"),
    ],
)
def test_it_leaves_at_once(command: tuple[str, ...], library: str, tmp_path: Path) -> None:
    (tmp_path / "facts.ndjson").write_text(_START, encoding="utf-8")

    assert _exit_code(command, library, tmp_path) == 130
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"facts.ndjson", f"{library}.py"}


@pytest.mark.parametrize(
    "command", [(PROGRAM, "info", "images.tsv"), _SERVER, _CONSUMER], ids=["info", "server", "work"]
)
def test_ignored_it_stays_ignored(command: tuple[str, ...], tmp_path: Path) -> None:
    """As behind `nohup`, or in the background of a script."""
    assert _exit_code(command, "uvloop", tmp_path, ignored=True) == 98


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_command_that_becomes_another_program(command: str, tmp_path: Path) -> None:
    """Also while Python starts once more."""
    assert _exit_code((PROGRAM, command), "sitecustomize", tmp_path, text=_STARTED) == 130
