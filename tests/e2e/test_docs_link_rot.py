"""docs/how-to/link-rot.md: what its script says when it saw everything, and when it saw nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pages import ROOT, Use, blocks
from tests.picture_hosts import PictureHost, started

PAGE = ROOT / "docs" / "how-to" / "link-rot.md"
LOOPBACK = "127.0.0.0/8"
ROWS = 8


def run(folder: Path, *command: str, networks: str = LOOPBACK) -> subprocess.CompletedProcess[str]:
    """One command in the folder of the script."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "CENSUS_ALLOW_NETWORKS": networks},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def watched(folder: Path) -> Iterator[PictureHost]:
    """A host whose pictures have had their first census, and the script of the page beside it."""
    (script,) = (block for block in blocks(PAGE) if block.use is Use.FILE)
    (folder / script.word).write_text(script.text, encoding="utf-8")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    with started() as host:
        rows = "".join(f"{number}\t{host}/demo/{number}\n" for number in range(1, ROWS + 1))
        (folder / "list.tsv").write_text(rows, encoding="utf-8")
        made = run(folder, ".venv/bin/imagecensus", "info", "list.tsv", "-o", "census.ndjson")
        assert made.returncode == 0, made.stderr
        yield host


def look(folder: Path, networks: str = LOOPBACK) -> tuple[int, str, str]:
    """The script once more: exit code, what it printed, and what it printed on standard error."""
    done = run(folder, "bash", "look-again.sh", networks=networks)
    return done.returncode, done.stdout, done.stderr


def test_a_host_that_refuses_connections_is_told_and_nothing_is_gone(tmp_path: Path) -> None:
    """Exit code 2, what happened in plain words, and not a row on stdout."""
    with watched(tmp_path) as host:
        assert look(tmp_path) == (0, "", "")

    for _ in range(2):  # a row that was not judged is no result that could be "unchanged"
        code, printed, said = look(tmp_path)
        assert (code, printed) == (2, "")
        assert f"{ROWS} of {ROWS} rows could not be judged; errors: {{'connect': {ROWS}}}" in said
        assert f"127.0.0.1:{host.port}" in said


def test_nothing_seen_today_hides_nothing_from_tomorrow(tmp_path: Path) -> None:
    """Where addresses are not allowed it says so; then what changed meanwhile is told."""
    with watched(tmp_path) as host:
        host.remove("/demo/3")
        host.change("/demo/5")
        code, printed, said = look(tmp_path, networks="")
        assert (code, printed) == (2, "")
        assert "CENSUS_ALLOW_NETWORKS" in said

        code, printed, said = look(tmp_path)
        assert code == 1
        told = sorted(line.split("\t")[:2] for line in printed.splitlines())
        assert told == [["changed", "5"], ["gone", "3"]]
        assert said.startswith(f"0 of {ROWS} rows could not be judged")

        assert look(tmp_path) == (0, "", "")


def test_a_census_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As where it never began."""
    with watched(tmp_path):
        (tmp_path / "census.ndjson").unlink()
        code, printed, said = look(tmp_path)

    assert (code, printed) == (2, "")
    assert "census.ndjson" in said
