"""Every command of the README, run as it stands there (but for the port)."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.asserts import eventually
from tests.redis_servers import RedisServer, folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
PORT_FILE = "picture_port"
BUILD = ("./scripts/run", "./scripts/test")
#: Each prints record lines.
CENSUSES = [command for command in COMMANDS if command.startswith(("curl -N", "job="))]
#: Each writes or looks at a result file, one after the other.
RUNS = [command for command in COMMANDS if command.startswith(".venv/bin/imagecensus")]
#: Each prints the id of a job.
SUBMISSIONS = [command for command in COMMANDS if command not in (*BUILD, *CENSUSES, *RUNS)]


def environment(data_root: Path, **given: str) -> dict[str, str]:
    """The demo's, with everything it writes below a folder of the test's."""
    places = {"CENSUS_DATA_ROOT": str(data_root), "CENSUS_VAR": str(data_root / ".var")}
    return {**os.environ, **places, **given}


class Demo:
    """`./scripts/run` serving on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  #: data/ and scripts/ are in it
        for name in ("scripts", ".venv"):
            (folder / name).symlink_to(ROOT / name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.env = environment(folder / "data", CENSUS_PORT=str(self.port))
        self.lines: list[dict[str, Any]] = []  #: of the sample
        self.told = folder / "told"

    @property
    def rows(self) -> int:
        """Of the sample."""
        return (
            len((self.folder / "data" / "sample.tsv").read_text(encoding="utf-8").splitlines()) - 1
        )

    def shell(self, command: str) -> str:
        """What a command prints; one that does not end well is an error."""
        asked = command.replace("127.0.0.1:5000", f"127.0.0.1:{self.port}")
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", asked],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            timeout=60,
            check=True,
            text=True,
        ).stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, its sample done."""
    made = Demo(tmp_path_factory.mktemp("readme"))
    with (
        made.told.open("wb") as told,
        subprocess.Popen(
            ["./scripts/run"], cwd=ROOT, env=made.env, stdout=subprocess.PIPE, stderr=told
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                made.lines.append(json.loads(line))
                if [said["type"] for said in made.lines].count("summary") == 3:
                    break
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def test_the_readme_has_the_two_commands() -> None:
    """Both are there, and both can be executed; the others are run below."""
    for command in BUILD:
        assert command in COMMANDS
        assert os.access(ROOT / command, os.X_OK)
    assert [command.split()[0] for command in SUBMISSIONS] == ["./scripts/redis-cli", "curl"]
    assert len(CENSUSES) == 6
    assert len(RUNS) == 2


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
    """Each command it prints for people can be pasted."""
    eventually(lambda: "XRANGE" in demo.told.read_text(encoding="utf-8"))
    told = demo.told.read_text(encoding="utf-8").splitlines()
    commands = [line.strip() for line in told if line.startswith("  ")]

    *censuses, submission, follow, read = commands
    assert len(censuses) == 2
    for census in censuses:
        assert json.loads(demo.shell(census).splitlines()[-1])["complete"] is True
    assert re.fullmatch(r"\d+-\d+\n", demo.shell(submission))
    assert json.loads(demo.shell(follow).splitlines()[-1])["complete"] is True
    assert demo.shell(read).count('{"type":"image"') == demo.rows


@pytest.mark.parametrize("command", CENSUSES)
def test_a_census_of_the_readme_is_whole(command: str, demo: Demo) -> None:
    """Each answers every row; but for those out of Redis, with a complete summary behind."""
    said = [json.loads(line) for line in demo.shell(command).splitlines()]

    records = len(answered(said))
    if "XRANGE" in command:
        assert records == len(said) == 5
    else:
        assert said[0]["type"] == "start"
        assert said[-1]["type"] == "summary"
        assert said[-1]["complete"] is True
        assert said[-1]["rows"] == records > 0


def test_the_command_of_the_readme_makes_whole_files(demo: Demo) -> None:
    """Both blocks, as they stand, in the order in which they stand."""
    for command in RUNS:
        demo.shell(command)

    for name in ("facts.ndjson", "today.ndjson"):
        said = [json.loads(line) for line in (demo.folder / name).read_text().splitlines()]
        assert answered(said) == list(range(demo.rows))
        assert said[-1]["complete"] is True
    assert said[-1]["changes"]["unchanged"] >= 20


@pytest.mark.parametrize("command", SUBMISSIONS)
def test_a_job_of_the_readme_is_taken(command: str, demo: Demo) -> None:
    """Each prints the id of a job, which is done soon after."""
    (job,) = set(re.findall(r"\b\d{13}-\d+\b", demo.shell(command)))

    def state() -> str:
        return demo.shell(f"./scripts/redis-cli HGET '{{census:jobs}}:job:{job}' state").strip()

    eventually(lambda: state() == "done")


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
    """It fails; the pictures of the one that serves stay where they are."""
    sample, port = demo.folder / "data" / "sample.tsv", demo.folder / "data" / ".var" / PORT_FILE
    before = sample.stat().st_mtime_ns, sample.read_text(), port.read_text()

    answer = subprocess.run(
        ["./scripts/run"], cwd=ROOT, env=demo.env, capture_output=True, timeout=60, check=False
    )

    assert answer.returncode == 1
    assert b"cannot serve" in answer.stderr
    assert (sample.stat().st_mtime_ns, sample.read_text(), port.read_text()) == before
    assert f"http://127.0.0.1:{port.read_text().strip()}/" in sample.read_text()


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
