"""What a name of a manifest opens: for clients, and for whoever sits at the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workers.manifest.elsewhere import lines
from workers.errors import ManifestError, ManifestNotFound
from workers.manifest.opening import open_source
from workers.manifest.reading import read_rows
from workers.settings import WorkSettings


async def count(settings: WorkSettings, name: str, *, anywhere: bool) -> int:
    """How many rows are in it."""
    async with open_source(settings, name, anywhere=anywhere) as source:
        assert source.name == name
        assert source.stamp
        rows = [row async for row in read_rows(source)]
        assert source.sha256 == await source.whole_sha256()
        assert source.plain
        return len(rows)


async def test_any_file_may_be_named_at_the_command_line(
    settings: WorkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a path from here or from the root, through links, with dots; also one with a colon."""
    (tmp_path / "here" / ".hidden").mkdir(parents=True)
    (tmp_path / "images.tsv").write_bytes(lines(3))
    (tmp_path / "here" / "link.tsv").symlink_to("../images.tsv")
    (tmp_path / "here" / ".hidden" / "s3:x.tsv").write_bytes(lines(4))
    monkeypatch.chdir(tmp_path / "here")
    for name in ("../images.tsv", "link.tsv", str(tmp_path / "images.tsv")):
        assert await count(settings, name, anywhere=True) == 3
        with pytest.raises(ManifestNotFound):
            await count(settings, name, anywhere=False)
    assert await count(settings, ".hidden/s3:x.tsv", anywhere=True) == 4


async def test_below_the_data_root(settings: WorkSettings, tmp_path: Path) -> None:
    """As ever."""
    (tmp_path / "data" / "images.tsv").write_bytes(lines(3))
    assert await count(settings, "images.tsv", anywhere=False) == 3
    with pytest.raises(ManifestNotFound):
        await count(settings, "images.tsv", anywhere=True)  # it is not in this folder


async def test_what_is_no_file_says_so(settings: WorkSettings, tmp_path: Path) -> None:
    """And nobody waits for a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        (str(tmp_path / "nothing.tsv"), "there is no manifest"),
        (str(tmp_path / "pipe" / "x"), "there is no manifest"),
        ("x\0", "there is no manifest"),
        (str(tmp_path), "is not a file"),
        (str(tmp_path / "pipe"), "is not a file; what comes by a pipe is named -"),
        ("ftp://h/images.tsv", "ftp:// is not read"),
        ("https://name:secret@/x", "no host|cannot be read"),
    ):
        with pytest.raises(ManifestError, match=said) as caught:
            await count(settings, name, anywhere=True)
        assert "secret" not in str(caught.value)
