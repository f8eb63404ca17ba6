"""Budgets: a run ends when its time, its bytes or the requests of a host are used up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.cli.runs.budgets import Spending
from scripts.cli.runs.plan import Budget
from tests.cli.programs import answers, count, lines_of, summed, whole_file
from tests.picture_hosts import PictureHost
from workers.manifest.rows import Row, bad_row
from workers.records import Answered, Fetch


def written(path: Path, urls: list[str]) -> Path:
    """A manifest of them."""
    path.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    return path


def test_time(picture_host: PictureHost, tmp_path: Path) -> None:
    """What came in it stands there; rows under way are asked for again another day."""
    urls = [f"{picture_host}/{'slow/60000/' if row > 3 else ''}time/{row}" for row in range(9)]
    manifest, out = written(tmp_path / "images.tsv", urls), tmp_path / "out.ndjson"
    told = count("info", manifest, "-o", out, "--max-seconds", "0.6")

    assert told.code == 3
    assert f"not complete: budget: 0.6 seconds are over; {out} is kept" in told.err
    summary = summed(lines_of(out))
    assert (summary["rows"], summary["complete"]) == (4, False)
    assert summary["reason"] == "budget: 0.6 seconds are over"
    assert summary["seconds"] < 5


def test_bytes(picture_host: PictureHost, tmp_path: Path) -> None:
    """Day after day, until all of it is there."""
    urls = [f"{picture_host}/bytes/{row}" for row in range(60)]
    manifest, out = written(tmp_path / "images.tsv", urls), tmp_path / "out.ndjson"
    codes, rows = [], [0]
    while not codes or codes[-1] == 3:
        more = ("--max-bytes", "200KB", "--connections", "4", "--resume")
        told = count("info", manifest, "-o", out, *more)
        codes.append(told.code)
        summary = summed(lines_of(out))
        rows.append(summary["rows"])
        # The last row may have been the one too many, before it was seen that it is the last.
        assert rows[-1] > rows[-2] or rows[-1] == 60
        assert (summary["complete"], told.code) in ((True, 0), (False, 3))
        assert summary.get("reason", "budget: ").startswith("budget: ")
    assert len(codes) > 1
    whole_file(out, 60)


@pytest.mark.parametrize("command", ["info", "predict"])
def test_requests_per_host(picture_host: PictureHost, tmp_path: Path, command: str) -> None:
    """One host has its share, the other goes on; batches stay whole."""
    port = urlsplit(str(picture_host)).port
    names = [f"127.0.0.1:{port}", f"localhost:{port}"]
    urls = [f"http://{names[row >= 30]}/{command}/share/{row}" for row in range(35)]
    manifest, out = written(tmp_path / "images.tsv", urls), tmp_path / "out.ndjson"
    batches = ("--batch-size", "5", "--size", "8x8") if command == "predict" else ()
    begun = [10, 20, 30]
    for most in begun:
        told = count(
            command, manifest, "-o", out, "--max-requests-per-host", "10", "--resume", *batches
        )
        lines = lines_of(out)
        summary = summed(lines)
        rows = sorted(row["index"] for row in answers(lines))
        assert rows == [*range(most), *range(30, 35)]
        assert told.code == (3 if most < 30 else 0)
        if most < 30:
            assert f"{30 - most} rows were not asked for: 127.0.0.1:{port} had 10" in told.err
            assert summary["reason"].startswith(f"budget: {30 - most} rows were not asked for")
        assert {len(line["rows"]) for line in lines if line["type"] == "batch"} <= {5}
    whole_file(out, 35)


def test_a_batch_is_begun_whole(picture_host: PictureHost, tmp_path: Path) -> None:
    """Or not at all: fewer requests than a batch has still bring one batch a run."""
    urls = [f"{picture_host}/begun/{row}" for row in range(8)]
    manifest, out = written(tmp_path / "images.tsv", urls), tmp_path / "out.ndjson"
    for rows, code in ((4, 3), (8, 0)):
        options = ("--batch-size", "4", "--size", "8x8", "--max-requests-per-host", "1")
        assert count("predict", manifest, "-o", out, *options, "--resume").code == code
        assert summed(lines_of(out))["rows"] == rows


async def test_what_counts_as_a_request() -> None:
    """A row that is begun is one; redirects are more; a row that had the answer of another none."""

    async def rows() -> AsyncGenerator[Row, None]:
        for index, url in enumerate(["http://a.test/"] * 6 + ["ftp://a", "http://b.test/"]):
            yield Row(index, str(index), url)
        yield bad_row(8, 0, "a bad row")

    spending = Spending(Budget(requests_per_host=3))
    answers = {0: Fetch(requests=1), 1: Fetch(requests=0, same_as=0), 2: Fetch(requests=2)}
    begun = []
    async for row in spending.within(rows()):
        begun.append(row.index)
        if (fetch := answers.get(row.index)) is not None:
            spending.count(Answered(row.index, row.url, None, fetch))
    assert begun == [0, 1, 2, 6, 7, 8]
    assert spending.left_out() == "budget: 3 rows were not asked for: a.test:80 had 3 requests"


def test_one_after_another(picture_host: PictureHost, tmp_path: Path) -> None:
    """Of `--only` as well: what came is in its place, and the same command goes on."""
    urls = [f"{picture_host}/status/503/{row}" for row in range(6)]
    manifest, out = written(tmp_path / "images.tsv", urls), tmp_path / "out.ndjson"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CENSUS_RETRIES", "0")
        assert count("info", manifest, "-o", out).code == 0
        before = out.read_bytes().splitlines()
        told = count("info", out, "--only", "retryable", "--max-requests-per-host", "2")
    assert told.code == 3
    assert "4 rows were not asked for" in told.err
    assert "; the same command goes on" in told.err
    whole_file(out, 6)
    after = out.read_bytes().splitlines()
    assert sum(old != new for old, new in zip(before[1:-1], after[1:-1], strict=True)) <= 2
    assert not list(tmp_path.glob("*.redo"))
