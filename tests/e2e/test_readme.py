"""Every command of the README, run as it stands there (but for the port)."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.asserts import eventually
from tests.e2e.demo import Demo, environment
from tests.e2e.reading import Printed, read
from tests.pages import ROOT, blocks
from tests.redis_servers import RedisServer, folder

README = ROOT / "README.md"
PORT_FILE = "picture_port"
BUILD = ("./scripts/run", "./scripts/test")
#: How a command begins that prints the lines of a census.
CENSUS = ("curl -N", "job=")
#: Lines that the README may have, that it is read by who meets it for the first time.
LINES = 150


@pytest.fixture(scope="module")
def printed(demo: Demo) -> Printed:
    """What each command of the README printed, one after the other, in a clone of their own."""
    return read(README, demo)


def test_the_readme_is_short_and_has_the_two_commands() -> None:
    """Both are there, and both can be executed; the others are run below."""
    commands = [block.text.strip() for block in blocks(README)]

    for command in BUILD:
        assert command in commands
        assert os.access(ROOT / command, os.X_OK)
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES


def answered(lines: list[dict[str, Any]]) -> list[int]:
    """The rows that the records of a census are of, in the order of the manifest."""
    batches = [row for line in lines if line["type"] == "batch" for row in line["rows"]]
    return sorted(row["index"] for row in [*lines, *batches] if "index" in row)


def test_run_prints_the_sample_as_two_streams_and_as_a_job(demo: Demo) -> None:
    """One after the other on stdout, each with an answer to each row and a summary."""
    ends = [at + 1 for at, line in enumerate(demo.lines) if line["type"] == "summary"]
    begins = [0, *ends[:-1]]
    info, batches, job = (demo.lines[a:b] for a, b in zip(begins, ends, strict=True))

    assert [line["type"] for line in info] == ["start", *["image"] * demo.rows, "summary"]
    assert {line["type"] for line in batches[1:-1]} == {"batch"}
    assert sum(line["batch_dimension"][0] for line in batches[1:-1]) == batches[-1]["ok"] >= 20
    for said in (info, batches, job):
        assert said[0]["type"] == "start"
        assert answered(said) == list(range(demo.rows))
        assert said[-1]["complete"] is True
    assert info[-1]["errors"] == batches[-1]["errors"]
    assert [said[0]["job"] is None for said in (info, batches, job)] == [True, True, False]


def test_what_run_says_to_go_on_with_works(demo: Demo) -> None:
    """Each command it prints for people can be pasted; last is the page, and no log among them."""
    eventually(lambda: "page: " in demo.told.read_text(encoding="utf-8"))
    told = demo.told.read_text(encoding="utf-8").splitlines()
    log = demo.folder / "data" / ".var" / "run.log"
    assert told[-2:] == [
        f"log: {log}",
        f"page: http://127.0.0.1:{demo.port}/ (open it in a browser)",
    ]
    assert not [line for line in told if line.startswith("{") or "[info" in line]
    assert '"action":"serving"' in log.read_text(encoding="utf-8")
    commands = [line.strip() for line in told if line.startswith("  ")]

    *censuses, submission, follow, read = commands
    assert len(censuses) == 2
    for census in censuses:
        assert json.loads(demo.shell(census).splitlines()[-1])["complete"] is True
    assert re.fullmatch(r"\d+-\d+\n", demo.shell(submission))
    assert json.loads(demo.shell(follow).splitlines()[-1])["complete"] is True
    assert demo.shell(read).count('{"type":"image"') == demo.rows


def test_every_census_of_the_readme_is_whole(printed: Printed) -> None:
    """Each answers every row, with a complete summary behind."""
    censuses = [told for block, told in printed if block.text.startswith(CENSUS)]

    assert len(censuses) == 4  # a list of one's own, facts, predictions, and a job
    for told in censuses:
        said = [json.loads(line) for line in told.splitlines()]
        assert said[0]["type"] == "start"
        assert said[-1]["type"] == "summary"
        assert said[-1]["complete"] is True
        assert said[-1]["rows"] == len(answered(said)) > 0


def test_the_commands_of_the_readme_make_whole_files(printed: Printed, demo: Demo) -> None:
    """They are where the README has them written, with a record for each row of the list."""
    with (demo.folder / "README" / "facts.csv").open(encoding="utf-8", newline="") as table:
        indexes = sorted(int(row["index"]) for row in csv.DictReader(table))
    assert indexes == list(range(demo.rows))
    text = (demo.folder / "README" / "facts.ndjson").read_text(encoding="utf-8")
    said = [json.loads(line) for line in text.splitlines()]

    assert answered(said) == list(range(demo.rows))
    assert said[-1]["complete"] is True


def test_run_once_beside_another_leaves_all_as_it_was(demo: Demo) -> None:
    """`./scripts/run --once`: exit code 0, nothing of it is left, nothing of others is touched."""
    jobs = demo.shell("./scripts/redis-cli ZCARD '{census:jobs}:index'")
    sample = ROOT / "data" / "sample.tsv"
    before = sample.stat().st_mtime_ns if sample.exists() else None

    with folder() as place:
        answer = subprocess.run(
            ["./scripts/run", "--once"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(place), "CENSUS_PORT": ""},
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert list(place.iterdir()) == []
        assert of_environment(str(place)) == []

    said = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [line["complete"] for line in said if line["type"] == "summary"] == [True] * 3
    assert (sample.stat().st_mtime_ns if sample.exists() else None) == before
    assert demo.shell("./scripts/redis-cli ZCARD '{census:jobs}:index'") == jobs


def of_environment(text: str) -> list[psutil.Process]:
    """Living processes that were given an environment with *text* in it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if any(text in value for value in process.environ().values()):
                found.append(process)
    return found


def test_run_once_with_a_redis_named_leaves_no_job_there(
    tmp_path: Path,
    redis_settings: dict[str, str],
    redis_url: str,
    redis_members: list[RedisServer],
) -> None:
    """The consumer, which a server then does not bring, is the demo's; its job is removed."""
    settings = {f"CENSUS_{name}": value for name, value in redis_settings.items()}
    env = {**os.environ, **settings, "TMPDIR": str(tmp_path)}

    subprocess.run(
        ["./scripts/run", "--once"], cwd=ROOT, env=env, capture_output=True, timeout=60, check=True
    )

    left = {key for member in redis_members for key in member.call("KEYS", "*")}
    assert not [key for key in left if b":job:" in key or b":results:" in key]
    assert b"{census:jobs}:index" not in left


def test_a_second_run_on_a_busy_port_leaves_the_sample_alone(demo: Demo) -> None:
    """It fails, with advice; the pictures of the one that serves stay where they are."""
    sample, port = demo.folder / "data" / "sample.tsv", demo.folder / "data" / ".var" / PORT_FILE
    before = sample.stat().st_mtime_ns, sample.read_text(), port.read_text()

    answer = subprocess.run(
        ["./scripts/run"], cwd=ROOT, env=demo.env, capture_output=True, timeout=60, check=False
    )

    assert answer.returncode == 1
    assert f"port {demo.port} is taken".encode() in answer.stderr
    assert b"CENSUS_PORT=5071 ./scripts/run" in answer.stderr
    assert (sample.stat().st_mtime_ns, sample.read_text(), port.read_text()) == before
    assert f"http://127.0.0.1:{port.read_text().strip()}/" in sample.read_text()


def test_a_server_that_cannot_serve_says_why_and_where_its_log_is(demo: Demo) -> None:
    """What it logged in the end, though logs go to a file."""
    with folder() as place:
        env = environment(place / "data", CENSUS_HOST="127.0.0.1", CENSUS_PORT=str(demo.port))
        answer = subprocess.run(
            ["./scripts/run"], cwd=ROOT, env=env, capture_output=True, timeout=60, check=False
        )
        *logged, last = answer.stderr.decode().splitlines()

        assert answer.returncode == 1
        assert "cannot_serve" in logged[-1]
        assert last == f"the whole log: {place / 'data' / '.var' / 'run.log'}"
        assert not (place / "data" / "sample.tsv").exists()


def begun(env: dict[str, str], told: Path) -> subprocess.Popen[bytes]:
    """A demo whose sample is done; what it tells people is in a file."""
    with told.open("wb") as stderr:
        process = subprocess.Popen(
            ["./scripts/run"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=stderr
        )
    eventually(lambda: b"until Ctrl-C" in told.read_bytes() or process.poll() is not None, 60)
    return process


def test_nothing_of_a_demo_outlives_it_and_the_next_goes_on() -> None:
    """Ended by a closed terminal or killed; the pictures are where they were at the next start."""
    with folder() as place:
        env = environment(place / "data", CENSUS_PORT="0")
        samples = []
        for number, code in ((signal.SIGHUP, 0), (signal.SIGKILL, -signal.SIGKILL)):
            try:
                with begun(env, place / "told") as process:
                    samples.append((place / "data" / "sample.tsv").read_text())
                    process.send_signal(number)
                    assert process.wait(60) == code
                eventually(lambda: of_environment(str(place)) == [], 60)
            finally:
                for left in of_environment(str(place)):
                    left.kill()
            kept = f"ending; jobs are kept in {place / 'data' / '.var'}: run it again to go on"
            assert (kept in (place / "told").read_text()) == (code == 0)
        assert samples[0] == samples[1]


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
