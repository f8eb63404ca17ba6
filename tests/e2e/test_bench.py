"""The benchmark, run small: that all its parts measure and tell. Never how fast anything is."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.page.browsers import MISSING, find_chromium

pytestmark = pytest.mark.lengthy

SCRIPTS = Path(__file__).parents[2] / "scripts"
ROWS = 30


def bench(*arguments: str, seconds: float = 100) -> subprocess.CompletedProcess[str]:
    """Run the benchmark with this interpreter."""
    command = [sys.executable, str(SCRIPTS / "bench.py"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one small run printed and wrote: two latencies, two turns."""
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    ended = bench(
        *("info", "--rows", str(ROWS), "--runs", "2", "--latency-ms", "0", "2"),
        *("--connections", "3", "--predecessor-rows", "7", "--json", str(file)),
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, json.loads(file.read_text())


def test_everyone_has_a_turn_and_loses_no_row(told: tuple[str, dict[str, Any]]) -> None:
    """In turns; the predecessor once, with fewer rows, where the host is late."""
    runs = told[1]["runs"]
    asked = [(run["turn"], run["latency_ms"], run["who"], run["rows"]) for run in runs]
    both = [("census", ROWS), ("bare loop", ROWS)]
    before, late = ("predecessor", ROWS), ("predecessor", 7)
    assert asked == [
        *((0, 0, who, rows) for who, rows in [*both, before]),
        *((0, 2, who, rows) for who, rows in [*both, late]),
        *((1, 0, who, rows) for who, rows in [*both, before]),
        *((1, 2, who, rows) for who, rows in both),
    ]
    assert [run["lost"] for run in runs] == [0] * len(runs)
    assert told[1]["lost"] == 0
    assert "no row was lost" in told[0]


def test_figures_are_those_of_the_work(told: tuple[str, dict[str, Any]]) -> None:
    """Bytes are what the host served, times are in order, and a process has its size."""
    for run in told[1]["runs"]:
        assert run["seconds"] > 0
        assert run["bytes"] > 0
        assert run["cpu"] >= 0
        if run["who"] == "census":
            assert run["served"] == run["bytes"]
            assert 0 < run["start_ms"] <= run["first_ms"] <= 1000 * run["seconds"]
            assert 0 < run["rss"] <= run["rss_tree"]


def test_each_aim_is_told_with_its_spread(told: tuple[str, dict[str, Any]]) -> None:
    """In the table and in the file; whether it is met is not judged here."""
    printed, figures = told
    assert {aim["latency_ms"] for aim in figures["aims"]} == {0, 2}
    for aim in figures["aims"]:
        middle, least, most = aim["spread"]
        assert least <= middle <= most
        assert aim["met"] in ((None,) if aim["wanted"] is None else (True, False))
        assert aim["name"] in printed
    assert figures["machine"]["rows"] == ROWS


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one small run of batches printed and wrote: two sizes, two latencies, one turn."""
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    ended = bench(
        *("predict", "--rows", str(ROWS), "--runs", "1", "--sizes", "16", "24"),
        *("--latency-ms", "0", "2", "--connections", "3", "--predecessor-rows", "7"),
        *("--json", str(file)),
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, json.loads(file.read_text())


def test_everyone_makes_batches_and_loses_no_row(predicted: tuple[str, dict[str, Any]]) -> None:
    """Fetching once for each latency, decoding once for each size, the whole for each of both."""
    printed, figures = predicted
    runs = figures["runs"]
    whole = [("census", ROWS), ("predecessor", 7)]
    assert [(run["size"], run["latency_ms"], run["who"], run["rows"]) for run in runs] == [
        *((None, latency, "bare GET", ROWS) for latency in (0, 2)),
        *(
            asked
            for size in (16, 24)
            for asked in [
                (size, None, "loop, one core", ROWS),
                (size, None, "loop, all cores", ROWS),
                *((size, latency, who, rows) for latency in (0, 2) for who, rows in whole),
            ]
        ),
    ]
    assert [run["lost"] for run in runs] == [0] * len(runs)
    assert "no row was lost" in printed
    assert "img2dataset" not in printed


def test_everyone_had_the_same_pictures(predicted: tuple[str, dict[str, Any]]) -> None:
    """From the host or from memory: as many bytes, row for row."""
    runs = predicted[1]["runs"]
    received = {run["bytes"] for run in runs if run["rows"] == ROWS}
    assert len(received) == 1
    for run in runs:
        if run["who"] == "census":
            assert run["served"] == run["bytes"]
            assert 0 <= run["cpu_own"] <= run["cpu"]
            assert 0 < run["start_ms"] <= run["first_ms"] <= 1000 * run["seconds"]


def test_each_aim_of_batches_is_told(predicted: tuple[str, dict[str, Any]]) -> None:
    """Beside everyone at each place; and of each size how far its pixels are from a full decode."""
    printed, figures = predicted
    places = {(aim["size"], aim["latency_ms"]) for aim in figures["aims"]}
    assert places == {(size, latency) for size in (16, 24) for latency in (0, 2, None)}
    for aim in figures["aims"]:
        assert aim["name"] in printed
    for size in ("16", "24"):
        told = figures["differences"][size]
        assert told["pictures"] == 32
        assert 0 <= told["mean"] <= told["p95"] <= told["most"] < 255


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        ([{"prediction": {}}, {"prediction": {}}], 0),
        ([{"prediction": {}}, {"error": {"code": "timeout"}}], 1),
        ([{"prediction": {}}], 1),
        ([{"prediction": {}}, {"prediction": {}}, {"prediction": {}, "index": 1}], 1),
    ],
)
def test_row_without_a_prediction_or_with_two_is_lost(
    lines: list[dict[str, Any]], lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two rows asked for."""
    monkeypatch.syspath_prepend(SCRIPTS)
    import bench_answers

    rows = [{"index": index, "id": str(index)} | line for index, line in enumerate(lines)]
    summary = {"type": "summary", "complete": True, "bytes": 9}
    told = [{"type": "start"}, {"type": "batch", "batch": 0, "rows": rows}, summary]
    answer = "".join(json.dumps(line) + "\n" for line in told).encode()
    question = bench_answers.predict(Path("images.tsv"), rows=2, size=64)
    assert question.judge(answer).lost == lost
    assert question.judge(answer.rpartition(b'{"type": "summary"')[0]).lost >= 1


def test_profile_names_functions_of_both() -> None:
    """Ours and the client library's."""
    ended = bench("profile-info", "--rows", str(ROWS), "--runs", "1", "--connections", "3")
    assert ended.returncode == 0, ended.stderr
    assert "fetch/turns.py" in ended.stdout
    assert "aiohttp/client.py" in ended.stdout


def test_missing_environment_is_told(tmp_path: Path) -> None:
    """The wrapper says what makes it and ends."""
    (tmp_path / "scripts").mkdir()
    wrapper = shutil.copy(SCRIPTS / "bench", tmp_path / "scripts")
    ended = subprocess.run([wrapper, "info"], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "./scripts/venv test" in ended.stderr


def test_jobs_are_measured(tmp_path: Path) -> None:
    """One consumer and two, a small job alone and behind a large one, the memory of each."""
    file = tmp_path / "figures.json"
    ended = bench(
        *("jobs", "--rows", "40", "--runs", "1", "--latency-ms", "1", "--times", "1"),
        *("--large-rows", "300", "--json", str(file)),
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(file.read_text())
    assert set(told["rows_per_second"]) == {"1", "2"}
    assert told["first_ms_idle"] > 0
    assert told["first_ms_behind"] > 0
    assert set(told["peak_MiB"]) == {"redis", "consumer"}


@pytest.mark.timeout(400)  # some forty seconds where nothing else runs
def test_the_page_is_measured(tmp_path: Path) -> None:
    """Its weight, records as they come, choices, scrolling and memory; no row is lost."""
    if find_chromium() is None:
        pytest.skip(MISSING)
    file = tmp_path / "figures.json"
    ended = bench("page", "--rows", "300", "--runs", "1", "--json", str(file), seconds=380)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(file.read_text())
    assert told["lost"] == 0
    weight = told["weight"]
    assert weight["all"]["requests"] == sum(weight[kind]["requests"] for kind in weight) / 2
    assert 0 < weight["javascript"]["sent"] < weight["javascript"]["plain"]
    (figures,) = told["turns"]
    assert figures["click to the first record, ms"] > 0
    assert figures["scrolling through all: frames a second"] > 0
    assert figures["buffers of the worker, MB"] > 0
    assert all(name in ended.stdout for name in figures)
