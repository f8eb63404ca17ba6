"""Every command of the README, run as it stands there (but for the port)."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
CURLS = [command for command in COMMANDS if command.startswith("curl")]


def environment(data_root: Path, **given: str) -> dict[str, str]:
    """The demo's, with everything it writes below a folder of the test's."""
    places = {"CENSUS_DATA_ROOT": str(data_root), "CENSUS_VAR": str(data_root / ".var")}
    return {**os.environ, **places, **given}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, list[bytes]]]:
    """`./scripts/run` serving on a free port: the port, where data/ is, the sample's lines."""
    folder = tmp_path_factory.mktemp("readme")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = environment(folder / "data", CENSUS_PORT=str(port))
    with subprocess.Popen(["./scripts/run"], cwd=ROOT, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if json.loads(line)["type"] == "summary":
                break
        yield port, folder, lines
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_the_readme_has_the_two_commands() -> None:
    """Both are there, and both can be executed."""
    for command in ("./scripts/run", "./scripts/test"):
        assert command in COMMANDS
        assert os.access(ROOT / command, os.X_OK)
    assert len(COMMANDS) == 2 + len(CURLS)


def test_run_prints_a_line_per_sample_row_and_a_complete_summary(
    demo: tuple[int, Path, list[bytes]],
) -> None:
    """`./scripts/run` shows the sample's census on stdout, nothing else."""
    _, folder, lines = demo
    rows = (folder / "data" / "sample.tsv").read_text(encoding="utf-8").splitlines()[1:]
    said = [json.loads(line) for line in lines]

    assert [line["type"] for line in said] == ["start", *["image"] * len(rows), "summary"]
    assert said[-1]["complete"] is True
    assert {line["index"] for line in said[1:-1]} == set(range(len(rows)))


@pytest.mark.parametrize("command", CURLS)
def test_curl_of_the_readme_answers_with_a_whole_stream(
    command: str, demo: tuple[int, Path, list[bytes]]
) -> None:
    """Each curl prints a record per row, then a complete summary."""
    port, folder, _ = demo
    asked = command.replace("127.0.0.1:5000", f"127.0.0.1:{port}")

    answer = subprocess.run(  # noqa: S602 - the README's own words
        asked, shell=True, cwd=folder, capture_output=True, timeout=60, check=True
    )

    said = [json.loads(line) for line in answer.stdout.splitlines()]
    assert said[0]["type"] == "start"
    assert said[-1]["type"] == "summary"
    assert said[-1]["complete"] is True
    assert said[-1]["rows"] == len(said) - 2 > 0


def test_run_once_ends_by_itself_and_well(tmp_path: Path) -> None:
    """`./scripts/run --once` stops after the sample, exit code 0."""
    env = environment(tmp_path)

    answer = subprocess.run(
        ["./scripts/run", "--once"], cwd=ROOT, env=env, capture_output=True, timeout=60, check=True
    )

    assert json.loads(answer.stdout.splitlines()[-1])["complete"] is True


def test_a_sample_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """A manifest that happens to have the sample's name is not written over."""
    mine = tmp_path / "sample.tsv"
    mine.write_text("id\turl\n7\thttps://h.example/a.jpg\n")
    env = environment(tmp_path)

    answer = subprocess.run(
        ["./scripts/run", "--once"], cwd=ROOT, env=env, capture_output=True, timeout=60, check=False
    )

    assert answer.returncode == 1
    assert b"left alone" in answer.stderr
    assert "h.example" in mine.read_text()
