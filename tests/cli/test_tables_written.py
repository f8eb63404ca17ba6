"""`info -o` of a table: what is gone on with, and what is not ours to touch."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.programs import count
from tests.picture_hosts import PictureHost

ROWS = 24


@pytest.fixture
def manifest(picture_host: PictureHost, tmp_path: Path) -> Path:
    """A list of pictures."""
    path = tmp_path / "images.tsv"
    path.write_text("".join(f"{picture_host}/table/{row}\n" for row in range(ROWS)))
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_table_that_is_finished(manifest: Path, ending: str) -> None:
    """Cut by a budget, gone on with, and nothing left to do; its lines are gone then."""
    out = manifest.with_name(f"facts.{ending}")
    options = ("-o", out, "--connections", "2", "--resume")
    assert count("info", manifest, *options, "--max-bytes", "1KB").code == 3
    lines = out.with_name(f"{out.name}.ndjson")
    assert lines.exists()
    assert count("info", manifest, *options).code == 0
    assert not lines.exists()
    before = out.read_bytes()
    told = count("info", manifest, *options)
    assert (told.code, told.err) == (0, f"{out} is complete: nothing is left to do\n")
    assert out.read_bytes() == before
    frame = pd.read_parquet(out) if ending == "parquet" else pd.read_csv(out)
    assert sorted(frame["index"]) == list(range(ROWS))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_table_that_is_none_of_ours(manifest: Path, ending: str) -> None:
    """It is not taken for finished."""
    out = manifest.with_name(f"facts.{ending}")
    out.write_text("id,url\n1,http://a.test/\n")
    told = count("info", manifest, "-o", out, "--resume")
    assert told.code == 2
    assert f"{out} is no table of" in told.err
    assert out.read_text() == "id,url\n1,http://a.test/\n"


def test_a_table_of_another_run(manifest: Path) -> None:
    """With another limit, or depth: what there is is not what is asked for."""
    out = manifest.with_name("facts.parquet")
    assert count("info", manifest, "-o", out, "--limit", "3").code == 0
    for other, said in (((), "limit 3, not None"), (("--depth", "full", "--limit", "3"), "depth")):
        told = count("info", manifest, "-o", out, "--resume", *other)
        assert told.code == 2
        assert said in told.err


def test_what_is_no_table_or_no_census_of_changes(manifest: Path) -> None:
    """Is refused before there is a file."""
    out = manifest.with_name("seen.parquet")
    told = count("predict", manifest, "--pixels", "npy", "-o", out)
    assert (told.code, told.err) == (
        2,
        "--pixels: a table has no place for arrays; name a file .ndjson\n",
    )
    told = count("info", manifest, "--changes", "-o", out.with_name("today.ndjson"))
    assert told.code == 2
    assert told.err.startswith("--changes takes a result file, which ")
    assert {path.name for path in manifest.parent.iterdir()} == {manifest.name}
