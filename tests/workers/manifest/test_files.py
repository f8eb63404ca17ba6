"""Files below the data root: read whole, and nothing else opened."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import socket
import threading
from pathlib import Path

import psutil
import pytest
import zstandard

from tests.asserts import wait_until
from workers.errors import ManifestError, ManifestNotFound, ManifestTooLarge
from workers.manifest.files import FileSource, open_below, upload_source
from workers.manifest.reading import read_rows

TEXT = b"id\turl\n" + b"".join(b"%d\thttp://h/%d\n" % (n, n) for n in range(30_000))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with a manifest, one in a folder, and everything that must not be opened."""
    root = tmp_path / "data"
    (root / "shop").mkdir(parents=True)
    (root / "images.tsv").write_bytes(TEXT)
    (root / "shop" / "images.tsv").write_bytes(b"http://h/shop\n")
    (root / "ü b.tsv").write_bytes(b"http://h/spelled\n")
    (root / ".hidden").write_bytes(b"http://h/hidden\n")
    (root / ".uploads").mkdir()
    (root / ".uploads" / "spool").write_bytes(b"http://h/spool\n")
    (tmp_path / "secret.tsv").write_bytes(b"http://h/secret\n")
    (tmp_path / "data-other").mkdir()
    (tmp_path / "data-other" / "images.tsv").write_bytes(b"http://h/other\n")
    (root / "link.tsv").symlink_to(root / "images.tsv")
    (root / "out.tsv").symlink_to(tmp_path / "secret.tsv")
    (root / "zero").symlink_to("/dev/zero")
    (root / "etc").symlink_to("/etc")
    (root / "folder").symlink_to(root / "shop")
    (root / "gone.tsv").symlink_to(root / "nowhere")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
    return root


def read(root: Path, filepath: str) -> bytes:
    """The whole file that a path opens."""
    with os.fdopen(open_below(root, filepath), "rb") as file:
        return file.read()


@pytest.mark.parametrize(
    ("filepath", "content"),
    [
        ("images.tsv", TEXT),
        ("shop/images.tsv", b"http://h/shop\n"),
        ("shop//images.tsv/", b"http://h/shop\n"),  # empty parts mean nothing
        ("ü b.tsv", b"http://h/spelled\n"),
        ("{root}/images.tsv", TEXT),
        ("{root}//shop/images.tsv", b"http://h/shop\n"),
    ],
)
def test_paths_below_the_root_are_opened(root: Path, filepath: str, content: bytes) -> None:
    """Relative to the root or absolute below it."""
    assert read(root, filepath.format(root=root)) == content


@pytest.mark.parametrize(
    "filepath",
    [
        "../secret.tsv",
        "shop/../images.tsv",
        "shop/../../secret.tsv",
        "./images.tsv",
        ".",
        "..",
        "",
        "/",
        "/etc/passwd",
        "/dev/zero",
        "{root}",
        "{root}/",
        "{root}/../secret.tsv",
        "{root}-other/images.tsv",
        "nowhere.tsv",
        "nowhere/images.tsv",
        "images.tsv/x",
        "link.tsv",
        "out.tsv",
        "zero",
        "etc/passwd",
        "folder/images.tsv",
        "gone.tsv",
        "fifo",
        "socket",
        "shop",
        "shop/",
        ".hidden",
        ".uploads/spool",
        "{root}/.uploads/spool",
        "images.tsv\0",
        "\0",
        "images\0.tsv",
        "x" * 300,
        "x/" * 5000 + "y",
        "\ud800",
        "images.tsv\n",
        "C:\\images.tsv",
        "file:///etc/passwd",
        "~/images.tsv",
    ],
)
def test_everything_else_is_not_there(root: Path, filepath: str) -> None:
    """One answer for all of them, which gives nothing away; no descriptor stays behind."""
    filepath = filepath.format(root=root) if "{root}" in filepath else filepath
    before = psutil.Process().num_fds()
    with pytest.raises(ManifestNotFound) as caught:
        open_below(root, filepath)
    assert str(caught.value) == f"there is no manifest {filepath[:200]!r} below CENSUS_DATA_ROOT"
    assert psutil.Process().num_fds() == before


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """The operator may lay it where he wants; below it no link is followed all the same."""
    (tmp_path / "linked").symlink_to(root)
    assert read(tmp_path / "linked", "shop/images.tsv") == b"http://h/shop\n"
    assert read(tmp_path / "linked", f"{tmp_path}/linked/images.tsv") == TEXT
    with pytest.raises(ManifestNotFound):
        read(tmp_path / "linked", "folder/images.tsv")


def test_a_relative_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the default is: relative to the working directory."""
    monkeypatch.chdir(root.parent)
    assert read(Path("data"), "images.tsv") == TEXT
    assert read(Path("data"), str(root / "images.tsv")) == TEXT
    with pytest.raises(ManifestNotFound):
        open_below(Path("nowhere"), "images.tsv")


async def test_file_is_read_whole_and_hashed(root: Path) -> None:
    """The hash is known at the end, not before."""
    source = FileSource(root, "images.tsv", max_bytes=1 << 30)
    pieces: list[bytes] = []
    async for block in source.blocks():
        assert source.sha256 is None
        pieces.append(block)
    assert b"".join(pieces) == TEXT
    assert source.sha256 == hashlib.sha256(TEXT).hexdigest()
    source.close()
    source.close()


async def test_gzip_file_is_inflated_and_hashed_as_it_lies(root: Path) -> None:
    """Offsets are those of the inflated bytes, the hash that of the file."""
    packed = gzip.compress(TEXT[:100_000]) + gzip.compress(TEXT[100_000:])
    (root / "packed").write_bytes(packed)
    source = FileSource(root, "packed", max_bytes=1 << 30)
    rows = [row async for row in read_rows(source)]
    assert len(rows) == 30_000
    assert rows[-1].end == len(TEXT)
    assert source.sha256 == hashlib.sha256(packed).hexdigest()
    source.close()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (gzip.compress(TEXT)[:-1], ManifestError),
        (gzip.compress(TEXT)[:-9] + b"x" * 9, ManifestError),
        (gzip.compress(TEXT + bytes(1_000_000)), ManifestTooLarge),
        (TEXT + bytes(1_000_000), ManifestTooLarge),
    ],
)
async def test_rows_before_damage_are_given(
    root: Path, content: bytes, error: type[ManifestError]
) -> None:
    """Truncated, damaged or too large: told behind the rows that could be read."""
    (root / "broken").write_bytes(content)
    source = FileSource(root, "broken", max_bytes=1_000_000)
    seen: list[int] = []

    async def read_all() -> None:
        async for row in read_rows(source):
            seen.append(row.index)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(error):
        await read_all()
    assert seen == list(range(len(seen)))
    assert 25_000 < len(seen) <= 30_000
    assert source.sha256 is None
    source.close()


async def test_reading_may_be_left_at_any_block(root: Path) -> None:
    """A reader that has enough leaves nothing open, and no thread that reads on."""
    before = psutil.Process().num_fds()
    source = FileSource(root, "images.tsv", max_bytes=1 << 30)
    async for row in read_rows(source, limit=2):
        assert row.url
    source.close()
    assert psutil.Process().num_fds() == before
    assert source.sha256 is None


async def test_a_second_reading_that_is_left_spoils_no_hash(root: Path) -> None:
    """It is of the whole file, whatever was read since."""
    source = FileSource(root, "images.tsv", max_bytes=1 << 30)
    rows = [row async for row in read_rows(source)]
    assert [row async for row in read_rows(source, limit=2)] == rows[:2]
    assert source.sha256 == hashlib.sha256(TEXT).hexdigest()
    source.close()


@pytest.mark.parametrize(
    ("content", "plain"),
    [
        (TEXT, True),
        (b"http://h/a", True),
        (gzip.compress(TEXT), False),
        (zstandard.ZstdCompressor().compress(TEXT), False),
        (b"PAR1\n", False),  # rows end at rows there
        (b"", None),
    ],
)
async def test_what_is_known_of_a_file(root: Path, content: bytes, plain: bool | None) -> None:
    """Size and stamp from its opening, whether it is plain from its first block."""
    path = root / "file"
    path.write_bytes(content)
    source = FileSource(root, "file", max_bytes=1 << 30)
    assert source.size == len(content)
    assert source.stamp == f"{path.stat().st_mtime_ns}:{len(content)}"
    assert source.plain is None
    async for _ in source.blocks():
        assert source.plain is plain
    assert source.plain is plain
    source.close()
    os.utime(path, ns=(1, 1))
    again = FileSource(root, "file", max_bytes=1 << 30)
    assert again.stamp == f"1:{len(content)}"
    again.close()


async def test_whole_hash_of_what_was_read_in_part(root: Path) -> None:
    """From the file where it is not known, and only then."""
    content = TEXT * 5  # more than one step
    (root / "images.tsv").write_bytes(content)
    source = FileSource(root, "images.tsv", max_bytes=1 << 30)
    assert b"".join([block async for block in source.blocks(700_000)]) == content[700_000:]
    assert source.sha256 is None
    assert await source.whole_sha256() == hashlib.sha256(content).hexdigest()
    assert source.sha256 == hashlib.sha256(content).hexdigest()
    source.close()
    assert await source.whole_sha256() == source.sha256


async def test_cancelled_hashing_closes_the_file_behind_the_thread(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that hangs: the loop goes on, the number of the file stays taken until then."""
    go, met = threading.Event(), threading.Event()
    pread, numbers = os.pread, []

    def slow_disk(number: int, count: int, position: int) -> bytes:
        met.set()
        assert go.wait(5)
        os.fstat(number)
        numbers.append(number)
        return pread(number, count, position)

    before = psutil.Process().num_fds()
    source = FileSource(root, "images.tsv", max_bytes=1 << 30)
    monkeypatch.setattr(os, "pread", slow_disk)
    hashing = asyncio.create_task(source.whole_sha256())
    await wait_until(met.is_set)
    hashing.cancel()
    await asyncio.gather(hashing, return_exceptions=True)
    source.close()
    assert psutil.Process().num_fds() == before + 1
    go.set()
    await wait_until(lambda: psutil.Process().num_fds() == before)
    assert len(numbers) == 1
    with pytest.raises(ManifestError, match="Bad file descriptor"):
        await source.whole_sha256()


@pytest.mark.parametrize("packed", [False, True])
async def test_a_file_that_is_shortened_is_told(root: Path, packed: bool) -> None:
    """Rows are gone then: no end, and no hash."""
    path = root / "file"
    path.write_bytes(gzip.compress(TEXT) if packed else TEXT)
    size = path.stat().st_size
    told = f"the manifest had {size} bytes and was shortened to {size - 1}"
    source = FileSource(root, "file", max_bytes=1 << 30)
    os.truncate(path, size - 1)
    for start in (0, len(TEXT) - 100, len(TEXT)):
        with pytest.raises(ManifestError, match=told):
            async for _ in source.blocks(start):
                pass
    with pytest.raises(ManifestError, match=told):
        await source.whole_sha256()
    assert source.sha256 is None
    source.close()


KEPT = "0123456789abcdef" * 2


async def test_a_kept_upload_is_opened_by_its_name(root: Path) -> None:
    """Which no client has: to them it is their upload."""
    (root / ".uploads" / f"{KEPT}.tsv").write_bytes(b"http://h/kept\n")
    source = upload_source(root, f"{KEPT}.tsv", max_bytes=1 << 30)
    assert source.name == "upload"
    assert [row.url async for row in read_rows(source)] == ["http://h/kept"]
    source.close()


@pytest.mark.parametrize(
    "name",
    [
        f"{KEPT}.csv",
        f"{KEPT}.tsv\n",
        f"{KEPT}.TSV",
        f"{KEPT}.",
        KEPT,
        f"{KEPT[:-1]}.tsv",
        f"{KEPT[:-1]}A.tsv",
        f"{KEPT}0.tsv",
        f"../{KEPT}.tsv",
        f"x/{KEPT}.tsv",
        f"/{KEPT}.tsv",
        "spool",
        "",
        "..",
        f"{KEPT}.tsv\0",
        f"{KEPT}.link",
        f"{KEPT}.folder",
        f"{KEPT}.fifo",
    ],
)
def test_nothing_else_is_a_kept_upload(root: Path, name: str) -> None:
    """Whatever lies there under such a name."""
    folder = root / ".uploads"
    for kept in ("x", "..", "."):
        (folder / "x").mkdir(exist_ok=True)
        (folder / kept / f"{KEPT}.tsv").write_bytes(b"http://h/kept\n")
    for odd in (f"{KEPT}.", KEPT, f"{KEPT}.TSV", f"{KEPT}0.tsv", f"{KEPT[:-1]}A.tsv"):
        (folder / odd).write_bytes(b"http://h/odd\n")
    (folder / f"{KEPT}.link").symlink_to(folder / f"{KEPT}.tsv")
    (folder / f"{KEPT}.folder").mkdir()
    os.mkfifo(folder / f"{KEPT}.fifo")
    before = psutil.Process().num_fds()
    with pytest.raises(ManifestNotFound) as caught:
        upload_source(root, name, max_bytes=1 << 30)
    assert str(caught.value) == "the uploaded manifest is not below CENSUS_DATA_ROOT"
    assert psutil.Process().num_fds() == before


def test_no_link_leads_to_uploads(root: Path) -> None:
    """The folder itself is walked to as every other."""
    (root / ".uploads").rename(root / "elsewhere")
    (root / "elsewhere" / f"{KEPT}.tsv").write_bytes(b"http://h/kept\n")
    (root / ".uploads").symlink_to(root / "elsewhere")
    with pytest.raises(ManifestNotFound):
        upload_source(root, f"{KEPT}.tsv", max_bytes=1 << 30)
