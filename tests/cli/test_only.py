"""`--only`: rows of a result file that failed, looked at again and put in their place."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from scripts.cli.files.result_file import ResultFile
from scripts.cli.runs.merging import merged
from tests import picture_hosts
from tests.asserts import eventually
from tests.cli.programs import answers, count, lines_of, started, summed, whole_file
from tests.picture_hosts import PictureHost
from tests.workers.results.made import BATCHES, START, batch
from workers.batches.records import BatchRecord
from workers.results.survey import survey
from workers.summary import Summary

ROWS = 24
#: Of these 503 comes once, and then the picture.
FLAKY = (2, 9, 17)
MISSING = (4, 18)


@pytest.fixture
def host() -> Iterator[PictureHost]:
    """A host of the test's own: it remembers how often it was asked."""
    with picture_hosts.started("--made", "8") as host:
        yield host


@pytest.fixture
def manifest(host: PictureHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows of which some fail in passing, some for good; they are asked for once."""
    monkeypatch.setenv("CENSUS_RETRIES", "0")
    urls = []
    for row in range(ROWS):
        manner = "flaky/1/" if row in FLAKY else "status/404/" if row in MISSING else ""
        urls.append(f"{row}\t{host}/{manner}only/{row}\n")
    path = tmp_path / "images.tsv"
    path.write_text("".join([*urls, "bad row with\ttwo tabs\n"]), encoding="utf-8")
    return path


@pytest.fixture
def facts(manifest: Path) -> Path:
    """What a first run found."""
    out = manifest.with_name("facts.ndjson")
    assert count("info", manifest, "-o", out).code == 0
    assert failed(out) == {*FLAKY, *MISSING, ROWS}
    return out


def failed(path: Path) -> set[int]:
    """The rows that failed, of a whole file."""
    rows = answers(whole_file(path, ROWS + 1))
    return {row["index"] for row in rows if row.get("error")}


def records_of(path: Path) -> list[bytes]:
    """Its records as they stand there."""
    return path.read_bytes().splitlines(keepends=True)[1:-1]


def test_what_may_pass(facts: Path, host: PictureHost) -> None:
    """Only these rows are asked for; the others stand as they stood, and where they stood."""
    before, start = records_of(facts), facts.read_bytes().partition(b"\n")[0]
    sha256 = lines_of(facts)[-1]["manifest_sha256"]
    host.reset()
    told = count("info", facts, "--only", "retryable")

    assert told.code == 0, told.err
    assert f"{ROWS + 1} rows" in told.err
    asked = {request["target"].rpartition("/")[2] for request in host.requests()}
    assert asked == {str(row) for row in FLAKY}
    after = records_of(facts)
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        index = json.loads(old)["index"]
        assert json.loads(new)["index"] == index
        assert (old == new) == (index not in FLAKY)
    assert facts.read_bytes().partition(b"\n")[0] == start
    assert lines_of(facts)[-1]["manifest_sha256"] == sha256
    assert [entry.name for entry in facts.parent.glob("*facts*")] == [facts.name]


def test_all_that_failed_into_another_file(facts: Path, host: PictureHost) -> None:
    """The old one stays; a new one is not written over."""
    before, new = facts.read_bytes(), facts.with_name("new.ndjson")
    host.reset()  # so that its flaky pictures fail once more
    assert count("info", facts, "--only", "failed", "-o", new).code == 0
    assert failed(new) == {*FLAKY, *MISSING, ROWS}
    assert count("info", new, "--only", "failed", "-o", new).code == 0
    assert failed(new) == {*MISSING, ROWS}
    assert facts.read_bytes() == before
    refused = count("info", facts, "--only", "failed", "-o", new)
    assert (refused.code, "is there already" in refused.err) == (2, True)
    assert not list(facts.parent.glob("*.redo"))


def test_whole_batches(manifest: Path, host: PictureHost) -> None:
    """A batch with a row that failed is made again as a whole, with the arrays it has."""
    out = manifest.with_name("batches.ndjson")
    options = ("--batch-size", "5", "--size", "8x8", "--pixels", "npy", "--predictor", "none")
    assert count("predict", manifest, "-o", out, *options, "--ordered").code == 0
    assert failed(out) == {*FLAKY, *MISSING, ROWS}
    before = records_of(out)
    told = count("predict", out, "--only", "failed", "--size", "8x8", "--limit", "3")
    assert told.code == 0, told.err
    assert failed(out) == {*FLAKY[1:], *MISSING, ROWS}
    after = records_of(out)
    assert before[1:] == after[1:]  # the limit ends with the batch that it is in
    assert count("predict", out, "--only", "failed").code == 0
    assert failed(out) == {*MISSING, ROWS}
    after = records_of(out)
    assert [_indexes(line) for line in after] == [_indexes(line) for line in before]
    assert [json.loads(line)["batch_dimension"][0] for line in after] == [4, 5, 5, 4, 4]
    refused = count("predict", out, "--only", "failed", "--size", "9x9")
    assert (refused.code, "begun with size [8, 8], not [9, 9]" in refused.err) == (2, True)


def _indexes(line: bytes) -> list[int]:
    return [row["index"] for row in json.loads(line)["rows"]]


def test_a_file_that_was_cut(facts: Path) -> None:
    """What it has is brought up, and it is still not complete: `--resume` goes on with it."""
    lines = facts.read_bytes().splitlines(keepends=True)
    cancelled = json.loads(lines[7]) | {"image_info": None}
    cancelled["error"] = {"code": "cancelled", "stage": "control", "message": "", "retryable": True}
    twice = lines[5]
    facts.write_bytes(b"".join([*lines[:7], json.dumps(cancelled).encode(), b"\n", twice, b"{"]))
    assert count("info", facts, "--only", "failed").code == 0
    found = lines_of(facts)
    summary = summed(found)
    assert (summary["complete"], summary["reason"]) == (False, "it was cut")
    assert len(found) == 1 + 7 + 1
    assert "cancelled" not in summary["errors"]
    assert count("info", facts, "--only", "failed").code == 0
    assert summed(lines_of(facts))["reason"] == "it was cut"
    manifest = facts.with_name("images.tsv")
    assert count("info", manifest, "-o", facts, "--resume").code == 0
    whole_file(facts, ROWS + 1)


REFUSED = (
    (("facts.ndjson", "--only", "broken"), "--only takes failed or retryable, not 'broken'"),
    (("images.tsv", "--only", "failed"), "not a result file"),
    (("nothing.ndjson", "--only", "failed"), "No such file"),
    (("facts.ndjson", "--only", "failed", "--depth", "full"), "begun with depth 'header'"),
    (("facts.ndjson", "--only", "failed", "--changes"), "no --changes"),
    (("facts.ndjson", "--only", "failed", "-o", "x.parquet"), "no table"),
    (("-", "--only", "failed"), "a result file that lies here"),
    (("http://a.test/x", "--only", "failed"), "a result file that lies here"),
    (("empty", "--only", "failed"), "not even its first line is whole"),
)


def test_what_cannot_be_done(facts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, and nothing is touched."""
    monkeypatch.chdir(facts.parent)
    (facts.parent / "empty").touch()
    before = {path: path.read_bytes() for path in facts.parent.iterdir()}
    for arguments, told in REFUSED:
        refused = count("info", *arguments)
        assert refused.code == 2
        assert told in refused.err
        assert {path: path.read_bytes() for path in facts.parent.iterdir()} == before
    assert count("predict", facts, "--only", "failed").code == 2


def test_what_another_run_left(facts: Path) -> None:
    """Records of another question, or of what the file was before, are not mixed in."""
    beside = facts.with_name("facts.ndjson.redo")
    lines = facts.read_bytes().splitlines(keepends=True)
    stamp = facts.stat()
    now = json.loads(lines[0]) | {"manifest_stamp": f"{stamp.st_mtime_ns}:{stamp.st_size}"}
    of_another = json.dumps(now | {"redo": "retryable"}).encode() + b"\n"
    other = lines[3].replace(b'"index":', b'"index": ')
    for text, told in (
        (lines[0] + other, f"{beside} is of what {facts} was before"),
        (of_another + other, f"{beside} is of another run over {facts}"),
    ):
        beside.write_bytes(text)
        refused = count("info", facts, "--only", "failed")
        assert (refused.code, beside.read_bytes()) == (2, text)
        assert told in refused.err
    assert "--force begins anew" in refused.err
    assert count("info", facts, "--only", "failed", "--force").code == 0
    assert failed(facts) == {*MISSING, ROWS}
    whole_file(facts, ROWS + 1)
    assert not beside.exists()


def test_interrupted(host: PictureHost, facts: Path) -> None:
    """What came by then is in its place, exit 130; the same command goes on."""
    lines = facts.read_bytes().splitlines(keepends=True)
    slow = [
        line.replace(b"status/404/", b"slow/60000/") if b'"index":18,' in line else line
        for line in lines
    ]
    facts.write_bytes(b"".join(slow))
    with started("info", facts, "--only", "failed", RETRIES="0") as again:
        beside = facts.with_name("facts.ndjson.redo")
        eventually(lambda: beside.exists() and beside.read_bytes().count(b"\n") >= 1 + 4)
        again.send_signal(signal.SIGINT)
        err = again.communicate(timeout=20)[1].decode()
    assert again.returncode == 130
    assert "not complete: interrupted; the same command goes on" in err
    assert failed(facts) <= {*FLAKY, *MISSING, ROWS}
    assert not beside.exists()


def test_killed_at_any_moment(host: PictureHost, facts: Path) -> None:
    """The file is whole whenever it is killed, and the same command finishes in the end."""
    dice = random.Random(5)
    before = {json.loads(line)["index"]: line for line in records_of(facts)}
    beside = facts.with_name("facts.ndjson.redo")
    for seconds in (0.0, dice.uniform(0.0, 0.05), dice.uniform(0.0, 0.1), 20.0):
        with started("info", facts, "--only", "failed", RETRIES="0") as one:
            eventually(lambda: beside.exists() or one.poll() is not None)
            with suppress(subprocess.TimeoutExpired):
                one.wait(seconds)
            one.kill()
        whole_file(facts, ROWS + 1)
    assert one.returncode == 0
    assert failed(facts) == {*MISSING, ROWS}
    kept = {json.loads(line)["index"]: line for line in records_of(facts)}
    assert all(kept[row] == before[row] for row in kept if row not in {*FLAKY, *MISSING, ROWS})
    assert not beside.exists()


def test_what_does_not_answer_the_same_rows(tmp_path: Path) -> None:
    """Takes no record's place: of a batch all rows or none."""
    short = BatchRecord(1, (8, 8), "none", batch(1).rows[:2])
    other = BatchRecord(2, (9, 9), "none", batch(2).rows)
    paths = [tmp_path / "base", tmp_path / "beside"]
    paths[0].write_bytes(BATCHES)
    paths[1].write_bytes(b"".join([START, short.line(), other.line()]))
    with closing(ResultFile.open(paths[0])) as base, closing(ResultFile.open(paths[1])) as beside:
        summary = Summary()
        found = list(merged(base, survey(io.BytesIO(BATCHES)), beside, summary))
    assert found == [batch(1).line(), batch(0).line(), other.line()]
    assert (summary.rows, summary.failed) == (12, 4)


def test_killed_at_the_very_end(facts: Path) -> None:
    """Between the moment the file is whole and the one its leavings are removed."""
    new, beside = facts.with_name("new.ndjson"), facts.with_name("new.ndjson.redo")
    assert count("info", facts, "--only", "failed", "-o", new).code == 0
    start = json.loads(facts.read_bytes().partition(b"\n")[0]) | {"redo": "failed"}
    again = [line for line in records_of(new) if b'"error"' in line]
    leavings = json.dumps(start).encode() + b"\n" + b"".join(again)
    beside.write_bytes(leavings)
    told = count("info", facts, "--only", "failed", "-o", new)
    assert (told.code, told.err) == (0, f"{new} has it all, nothing is left to do\n")
    assert not beside.exists()

    facts.with_name("new.ndjson.redo").write_bytes(leavings)
    assert count("info", new, "--only", "failed").code == 0
    assert failed(new) <= {*FLAKY, *MISSING, ROWS}
    assert not beside.exists()
