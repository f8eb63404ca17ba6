"""`imagecensus convert`: a result file becomes a table, whole or not at all."""

from __future__ import annotations

import gzip
import json
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import zstandard
from pyarrow import parquet

from scripts.cli.files import converting
from scripts.cli.files.new_file import NewFile
from tests.asserts import eventually
from tests.cli.asking import PROGRAM, environment
from workers.tables.columns import COLUMNS

START: dict[str, Any] = {
    "type": "start",
    "schema": 1,
    "kind": "images_info",
    "job": None,
    "manifest": "images.tsv",
    "options": {},
}
Run = Callable[..., str]
FORMS = pytest.mark.parametrize("form", ["parquet", "csv"])


def text_of(line: dict[str, Any]) -> bytes:
    """A line of a result file."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def record(index: int) -> dict[str, Any]:
    """An image record; each tenth row is not there."""
    said: dict[str, Any] = {"type": "image", "index": index, "id": str(index)}
    said["url"] = f"https://h/{index}.jpg"
    if index % 10 == 3:
        error = {"code": "http_status", "stage": "fetch", "message": "404 Not Found"}
        said |= {"image_info": None, "error": {**error, "http_status": 404, "retryable": False}}
    else:
        info = {"image_size": 1000 + index, "image_dimension": [800, 600], "image_format": "JPEG"}
        said["image_info"] = {**info, "image_mode": "RGB", "orientation": 1, "animated": False}
    said["fetch"] = {"status": 206, "bytes": 16384, "attempts": 1, "requests": 1, "ms": 3.25}
    return said


def lines_of(rows: int) -> list[bytes]:
    """The lines of a whole result file."""
    summary = {"type": "summary", "rows": rows, "complete": True}
    return [text_of(START), *(text_of(record(row)) for row in range(rows)), text_of(summary)]


def begun(*arguments: str | Path, **how: Any) -> subprocess.Popen[str]:
    """The program, converting; it is to be waited for."""
    return subprocess.Popen(
        [PROGRAM, "convert", *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Convert, in this process: what it says on standard error, ending with *code*."""

    def convert(source: Path, out: Path, *, code: int = 0, **options: bool) -> str:
        capsys.readouterr()
        found = converting.convert(source, out, **{"force": False, "quiet": False, **options})
        told, said = capsys.readouterr()
        assert found == code, said
        assert told == ""
        return said

    return convert


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What the program says, to its end."""
    with process:
        told, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert (told, "Traceback" in said) == ("", False)
    return said


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def indexes(path: Path) -> list[int]:
    """The rows in a table, as pandas opens it."""
    types = {column.name: column.dtype for column in COLUMNS["images_info"]}
    opened = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=types)
    assert [str(dtype) for dtype in opened.dtypes] == list(types.values())
    return sorted(opened["index"])


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """A result file of 50 rows."""
    path = tmp_path / "facts.ndjson"
    path.write_bytes(b"".join(lines_of(50)))
    return path


@FORMS
@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_a_result_file_becomes_a_table(run: Run, facts: Path, form: str, packing: str) -> None:
    """Packed or not, told by its bytes; pandas and DuckDB open it in one line."""
    body = facts.read_bytes()
    packed = {"": body, ".gz": gzip.compress(body), ".zst": zstandard.compress(body)}[packing]
    source = facts.with_name(f"in.ndjson{packing}")
    source.write_bytes(packed)
    out = facts.with_name(f"facts.{form}")

    said = run(source, out)

    assert said == f"{out}: 50 rows, 5 failed: http_status 5\n"
    assert indexes(out) == list(range(50))
    counted = "select error, http_status, count(*) from '{}' group by all order by all"
    assert duckdb.sql(counted.format(out)).fetchall() == [("http_status", 404, 5), (None, None, 45)]
    assert names(out.parent) == sorted([facts.name, source.name, out.name])


def test_predictions_and_progress_lines(run: Run, tmp_path: Path) -> None:
    """A row for each row of a batch; what is no record has no row. It says nothing with -q."""
    rows = [{"index": row, "id": str(row), "url": "u", "prediction": {"x": row}} for row in (0, 1)]
    source, out = tmp_path / "in", tmp_path / "out.parquet"
    source.write_bytes(
        text_of({**START, "kind": "batch_predict"})
        + text_of({"type": "progress", "done": 0, "failed": 0})
        + text_of({"type": "batch", "batch": 0, "predictor": "p", "rows": rows})
        + text_of({"type": "summary", "rows": 2, "complete": True})
    )

    assert run(source, out, quiet=True) == ""

    frame = pd.read_parquet(out)
    assert frame["prediction"].tolist() == ['{"x":0}', '{"x":1}']
    told = parquet.read_metadata(out).metadata
    assert json.loads(told[b"imagecensus.summary"])["rows"] == 2


@FORMS
def test_of_a_cut_file_the_whole_lines_become_the_table(run: Run, facts: Path, form: str) -> None:
    """Wherever it was cut: exit code 1, and a sentence that says so."""
    lines = lines_of(50)
    out = facts.with_name(f"facts.{form}")
    for body, rows, told in [
        (b"".join(lines[:-1]), 50, "it was cut: there is no summary"),
        (b"".join(lines[:31]) + lines[31][:-20], 30, "it was cut within line 32"),
        (b"".join(lines[:31]) + b"\0" * 100 + b"\n", 30, "it was cut within line 32"),
        (b"".join(lines[:-1]) + lines[-1][:-5], 50, "it was cut within line 52"),
        (lines[0], 0, "it was cut: there is no summary"),
    ]:
        facts.write_bytes(body)
        said = run(facts, out, force=True, code=1)
        assert told in said
        assert f"{out} has the {rows} rows that are whole" in said
        assert indexes(out) == list(range(rows))
    if form == "parquet":
        assert b"imagecensus.summary" not in parquet.read_metadata(out).metadata


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_of_a_packed_file_that_was_cut_too(run: Run, facts: Path, packing: str) -> None:
    """As much as can be inflated."""
    body = b"".join(lines_of(20_000))
    packed = gzip.compress(body, 1) if packing == "gz" else zstandard.compress(body)
    facts.write_bytes(packed[: len(packed) * 3 // 4])
    out = facts.with_name("facts.csv")

    assert "it was cut" in run(facts, out, code=1)

    found = indexes(out)
    assert found == list(range(len(found)))
    assert 5_000 < len(found) < 20_000


def test_a_file_that_does_not_add_up_is_told(run: Run, facts: Path) -> None:
    """Not complete by its own words, fewer rows than its summary counts, a row twice."""
    lines = lines_of(50)
    out = facts.with_name("facts.parquet")
    ended = {"type": "summary", "rows": 50, "complete": False, "reason": "interrupted"}
    for body, told in [
        ([*lines[:-1], text_of(ended)], "it is not complete: interrupted"),
        ([*lines[:9], *lines[10:]], "its summary counts 50 rows"),
        ([*lines[:9], lines[3], *lines[9:]], "row 2 has more than one record"),
    ]:
        facts.write_bytes(b"".join(body))
        assert told in run(facts, out, force=True, code=1)
        assert len(set(indexes(out))) == len(indexes(out))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([b"id\turl\n", b"1\thttps://h/\n"], "not a result file: line 1: not JSON"),
        ([b'{"url":"https://h/"}\n'] * 2, "not a result file: line 1: not a line of a result file"),
        ([text_of(record(0))], "its first line is no start line"),
        ([text_of({**START, "kind": "other"})], "its first line is no start line"),
        ([text_of({**START, "schema": 2})], "written by another version"),
        ([b'{"type":"sta'], "there is no first line that is whole"),
        ([], "there is no first line that is whole"),
        ([b"\x00" * 5000], "there is no first line that is whole"),
        ([*lines_of(9)[:4], b"garbage\n", *lines_of(9)[5:]], "line 5: not JSON"),
        ([*lines_of(9)[:4], b'{"type":"image"}\n', *lines_of(9)[5:]], "line 5: a record without"),
        ([*lines_of(9)[:4], b'{"type":"batch","rows":[]}\n'], "line 5: a line of the type 'batch'"),
        ([*lines_of(9), text_of(record(9))], "line 12: there is more behind the summary"),
    ],
)
def test_no_result_file_is_refused(run: Run, facts: Path, lines: list[bytes], told: str) -> None:
    """Naming the line; nothing is written."""
    facts.write_bytes(b"".join(lines))
    out = facts.with_name("facts.parquet")

    said = run(facts, out, code=2)

    assert told in said
    assert names(out.parent) == [facts.name]


def test_asked_wrongly(run: Run, facts: Path) -> None:
    """Each with a sentence and exit code 2."""
    folder = facts.parent
    (folder / "folder.csv").mkdir()
    (folder / "there.csv").write_text("mine", encoding="utf-8")
    for source, out, told in [
        (facts, folder / "facts.xlsx", "ends in .parquet or .csv"),
        (facts, folder / "folder.csv", "is a folder"),
        (facts, folder / "there.csv", "--force puts the new one in its place"),
        (facts, folder / "none" / "facts.csv", "cannot write"),
        (folder / "missing", folder / "facts.csv", "No such file"),
        (folder, folder / "facts.csv", "Is a directory"),
    ]:
        assert told in run(source, out, code=2)
    assert (folder / "there.csv").read_text(encoding="utf-8") == "mine"
    run(facts, folder / "there.csv", force=True)
    assert indexes(folder / "there.csv") == list(range(50))


def test_the_program_makes_one(facts: Path) -> None:
    """As it is called: words on standard error, the exit code."""
    out = facts.with_name("facts.csv")

    assert ended(begun(facts, out)) == f"{out}: 50 rows, 5 failed: http_status 5\n"
    assert "--force" in ended(begun(facts, out), code=2)
    assert ended(begun(facts, out, "--force", "-q")) == ""
    assert indexes(out) == list(range(50))


@FORMS
def test_a_full_disk_is_told_and_leaves_nothing(facts: Path, form: str) -> None:
    """A sentence, exit code 1, the old table as it was."""
    facts.write_bytes(b"".join(lines_of(5000)))
    out = facts.with_name(f"facts.{form}")
    out.write_text("old", encoding="utf-8")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    said = ended(begun(facts, out, "--force", preexec_fn=full), code=1)

    assert said.endswith(f"cannot write {out.with_name(f'.{out.name}.new')}: File too large\n")
    assert out.read_text(encoding="utf-8") == "old"
    assert names(out.parent) == sorted([facts.name, out.name])


def test_killed_at_any_moment_there_is_the_old_one_or_a_whole_one(run: Run, facts: Path) -> None:
    """kill -9 here and there; then a run left alone, which replaces what was left behind."""
    rows = 12_000
    facts.write_bytes(b"".join(lines_of(rows)))
    out = facts.with_name("facts.parquet")
    beside = out.with_name(f".{out.name}.new")
    beside.write_bytes(b"x" * 10_000_000)
    left = 0
    for most in (0.1, 0.6, 1.0, 1.4):
        out.write_text("old", encoding="utf-8")
        process = begun(facts, out, "--force", "-q")
        eventually(lambda: beside.exists() and beside.stat().st_size < 10_000_000)
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(most / 2, most))  # a moment, whatever it does then
        process.kill()
        process.communicate()
        left += beside.exists()
        assert out.read_bytes() == b"old" or len(indexes(out)) == rows
    assert left

    run(facts, out, force=True)

    assert indexes(out) == list(range(rows))
    assert names(out.parent) == sorted([facts.name, out.name])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_nothing(facts: Path, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM: the codes of these, no traceback, no file."""
    facts.write_bytes(b"".join(lines_of(40_000)))
    out = facts.with_name("facts.csv")
    beside = out.with_name(f".{out.name}.new")

    process = begun(facts, out)
    eventually(lambda: beside.exists() and beside.stat().st_size)
    process.send_signal(number)

    ended(process, code)
    assert names(out.parent) == [facts.name]


def test_two_at_once_do_not_mix(run: Run, facts: Path) -> None:
    """The second is refused while the first writes."""
    out = facts.with_name("facts.csv")
    first = NewFile(out)
    first.file.write(b"first")

    assert "is being written by another process" in run(facts, out, code=2)

    first.settle()
    first.discard()
    assert out.read_bytes() == b"first"
    run(facts, out, force=True)
    assert indexes(out) == list(range(50))


def test_without_the_extra_it_is_said_what_to_install(facts: Path) -> None:
    """Exit code 2, before anything is read."""
    out = facts.with_name("facts.parquet")
    blocked = "import sys; sys.modules.update(pandas=None, pyarrow=None);"
    program = f"{blocked} from scripts.cli.entry import main; main()"
    told = subprocess.run(
        [sys.executable, "-c", program, "convert", facts, out],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == "tables need the extra parquet: pip install 'imagecensus[parquet]'\n"
    assert not out.exists()
