"""Runs of `imagecensus info` and `predict`: in this process, or as people start them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scripts.cli.commands import app
from tests.cli.asking import PROGRAM, environment

__all__ = ["ALLOWED", "Told", "answers", "count", "lines_of", "started", "summed", "whole_file"]

#: The picture host is on this machine.
ALLOWED = "127.0.0.0/8"


@dataclass(frozen=True)
class Told:
    """How a run ended."""

    code: int
    err: str


def count(command: str, *arguments: str | Path) -> Told:
    """Run a command in this process, to its end. What it says on standard output is not caught."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err), _process_kept():
        given = [command, *map(str, arguments), "--allow", ALLOWED]
        code = app(given, standalone_mode=False)
    return Told(code or 0, err.getvalue())


@contextmanager
def _process_kept() -> Iterator[None]:
    """The logs and the signals of a run are those of a whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for number, handler in signals.items():
            signal.signal(number, handler)


def started(
    *arguments: str | Path,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    cwd: Path | str = "/",
    before: Callable[[], None] | None = None,
    **settings: str,
) -> subprocess.Popen[bytes]:
    """The program, as a process of its own; *before* is called in it first."""
    return subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=cwd,
        env=environment(**({"ALLOW_NETWORKS": ALLOWED} | settings)) | {"PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        preexec_fn=before,
    )


def lines_of(text: bytes | Path) -> list[dict[str, Any]]:
    """The lines of a result file. It ends with a whole one."""
    found = text.read_bytes() if isinstance(text, Path) else text
    assert found.endswith(b"\n")
    return [json.loads(line) for line in found.splitlines()]


def answers(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What stands in the records among *lines* for each row, in their order."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if line["type"] == "image":
            found.append(line)
        elif line["type"] == "batch":
            assert line["rows"]
            found += line["rows"]
    return found


def summed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The summary, of which the counts are those of the records; one, the last line."""
    assert [line["type"] for line in lines].count("start") == 1
    assert [line["type"] for line in lines].count("summary") == 1
    assert {line["type"] for line in lines[1:-1]} <= {"image", "batch"}
    assert lines[0]["type"] == "start"
    summary = lines[-1]
    assert summary["type"] == "summary"
    rows = answers(lines[1:-1])
    failed = [row["error"]["code"] for row in rows if row.get("error") is not None]
    assert (summary["rows"], summary["failed"]) == (len(rows), len(failed))
    assert summary["ok"] == len(rows) - len(failed)
    assert summary["errors"] == {code: failed.count(code) for code in set(failed)}
    return summary


def whole_file(path: Path, rows: int) -> list[dict[str, Any]]:
    """The lines of a file that is complete: each row once, nothing else."""
    lines = lines_of(path)
    summary = summed(lines)
    assert sorted(row["index"] for row in answers(lines[1:-1])) == list(range(rows))
    assert summary["complete"] is True
    assert "reason" not in summary
    left = {entry.name for entry in os.scandir(path.parent) if entry.name.startswith(".")}
    assert not {name for name in left if path.name in name}
    return lines
