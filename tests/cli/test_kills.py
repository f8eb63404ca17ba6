"""Runs killed at random moments, gone on with by the same command each time.

`KILLS` is how many there are of each kind of run: `KILLS=100 pytest tests/cli/test_kills.py`.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import picture_hosts
from tests.asserts import eventually
from tests.cli.programs import answers, lines_of, started, whole_file
from tests.picture_hosts import PictureHost
from workers.results.survey import survey

pytestmark = pytest.mark.lengthy

KILLS = int(os.environ.get("KILLS", "3"))
ROWS = 120
#: A kill takes off some hundredths of a second: the rows are to last for all of them.
LATENCY_MS = 40


@pytest.fixture
def host() -> Iterator[PictureHost]:
    """A host that takes its time."""
    options = ("--made", "16", "--latency-ms", str(LATENCY_MS))
    with picture_hosts.started(*options) as host:
        yield host


@pytest.mark.timeout(60 + 10 * KILLS)
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("info", ()),
        ("predict", ("--batch-size=7", "--size=8x8", "--predictor=none")),
    ],
)
def test_killed_again_and_again(
    host: PictureHost, tmp_path: Path, command: str, options: tuple[str, ...]
) -> None:
    """What stood there whole when it was killed stays; in the end every row is there once."""
    dice = random.Random(2024)
    rows = ROWS + 20 * KILLS
    manifest, out = tmp_path / "images.tsv", tmp_path / "out.ndjson"
    urls = [f"{row}\t{host}/{'status/404/' if row % 9 == 4 else ''}{row}\n" for row in range(rows)]
    manifest.write_text("".join(urls), encoding="utf-8")
    again = (command, manifest, "-o", out, "--resume", "--connections=4", *options)
    kept, killed = b"", 0
    while True:
        with started(*again, stderr=subprocess.DEVNULL) as run:
            eventually(_begun(run, out))
            with suppress(subprocess.TimeoutExpired):
                run.wait(dice.uniform(0.0, 0.15) if killed < KILLS else 60)
            run.kill()
        if run.returncode == 0:
            break
        killed += 1
        text = out.read_bytes()
        assert text.startswith(kept)
        with out.open("rb") as file:
            kept = text[: survey(file).end]
        if dice.random() < 0.5:  # as a machine leaves it that lost its power
            out.write_bytes(text[: dice.randrange(len(kept), len(text) + 1)] + b"\0" * 9)
    assert killed >= min(KILLS, 3)
    lines = whole_file(out, rows)
    assert out.read_bytes().startswith(kept)
    found = {row["index"]: row for row in answers(lines)}
    assert all((found[row].get("error") is not None) == (row % 9 == 4) for row in range(rows))
    if command == "predict":
        assert [len(line["rows"]) for line in lines if line["type"] == "batch"].count(
            7
        ) == rows // 7
    assert len(lines_of(out)) == len(lines)


def _begun(run: subprocess.Popen[bytes], out: Path) -> Callable[[], bool]:
    """Whether it has cut or written something, or is at its end."""
    before = out.stat().st_size if out.exists() else -1
    return lambda: run.poll() is not None or (out.exists() and out.stat().st_size != before)
