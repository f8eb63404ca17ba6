"""Reading on in the middle: the rows behind any row, as if nobody had stopped there."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.asserts import wait_until
from tests.workers.manifest.cutting import manifest_bytes
from workers.errors import ManifestError
from workers.manifest import files
from workers.manifest import spool as spools
from workers.manifest.files import FileSource
from workers.manifest.inflate import Inflater
from workers.manifest.kinds import Kind
from workers.manifest.lines import MAX_LINE_BYTES
from workers.manifest.reading import read_rows
from workers.manifest.rows import Resume, Row
from workers.manifest.spool import Spool, SpoolRoom

PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data[:9], 1) + gzip.compress(data[9:], 1),
    "zstd": zstandard.ZstdCompressor().compress,
}
PACKED = st.sampled_from(sorted(PACK))
#: Of what arrays are made.
SIGNS = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b" ", b"\n", b"1", b',"x",', b",1.5,", b",{}"]
LONG = b"x" * (MAX_LINE_BYTES + 1)

RECORDS = [
    {"type": "start", "schema": 1, "kind": "images_info"},
    {"type": "image", "index": 0, "id": "17", "url": "http://h/a", "image_info": None},
    {"type": "progress", "done": 1},
    {"type": "image", "index": 1, "id": 1.50, "url": "http://h/b", "extra": {"n": 1}},
    {"type": "summary", "complete": True},
]
LINES = [json.dumps(record).encode() for record in RECORDS]
BATCH = json.dumps(
    {"type": "batch", "batch": 0, "rows": [{"id": n, "url": f"http://h/{n}"} for n in range(3)]},
    separators=(",", ":"),
).encode()
#: Larger than any other line.
LARGE = json.dumps(
    {"type": "batch", "batch": 1, "rows": [{"url": "http://h/" + "x" * 70_000}] * 4},
    separators=(",", ":"),
).encode()

#: What was once wrong, or would be: a name, the bytes, how many rows are in them.
MANIFESTS = [
    ("a.tsv", b"\xef\xbb\xbf\r\n \r\nNote\tURL\tnote\tid\r\na\thttp://h/a\tn\t7\r\n\r\nb\r\n"
     b"c\thttp://h/c\tm\t9\tmore\r\n" + LONG + b"\nid\turl\n\xff\n\0\n", 7),
    ("a.tsv", b"http://h/a\n7\thttp://h/b\tx\ty\nurl\tid\n\n" + LONG, 4),
    ("a.tsv", LONG + b"\n\xef\xbb\xbfhttp://h/b\nid\turl\nc\thttp://h/c\n", 4),
    ("a.csv", b'id;url;n;n;;x\r\n7;"http://h/a;b";1;2;3\r\n\r\n8,http://h/b\r\n"open;http://h/c\r\n'
     b'9;http://h/d;"say ""yes""";2;3;4;5;6\n\x1f\x8b;http://h/e', 5),
    ("a.csv", b'"7","http://h/a,b"\nhttp://h/c,d\nid,url\n"e" f\n(\xb5/\xfd,http://h/e\n', 5),
    ("a.ndjson", b"\xef\xbb\xbf" + b"\r\n".join([*LINES, b"", b"{", b'"http://h/c"', *LINES]), 6),
    ("a.ndjson", b"\n".join([LINES[0], BATCH, LINES[1], LARGE, BATCH, b"[]", *LINES]), 14),
    ("list", LARGE + b"\n" + BATCH, 7),
    ("a.json", b"[" + b",".join([BATCH, *LINES, BATCH]) + b"]", 8),
    ("a.json", b"\xef\xbb\xbf\n[" + b",".join([*LINES, b" ", b"{]}", b'"],["', *LINES]) + b" ]", 6),
    ("a.json", b'["http://h/a", oops, "' + LONG + b'"  , {"url": "http://h/d"},]', 4),
    ("a.json", b'["http://h/a", {"url": ["]"]}] x', 2),
    ("a.json", b'["http://h/a", "http://h/b", "ht', 2),
    ("a.json", b"\n".join([*LINES, b"[", *LINES]), 5),
    ("list", b"\xef\xbb\xbf\n \n" + b"\n".join([*LINES, b"7\thttp://h/a", b"[]", *LINES]), 6),
    ("list", b'\xef\xbb\xbf\n["http://h/a"\n, {"id": 1e2, "url": "http://h/b"}, 7]', 3),
    ("list", b"\n\nid,url,x\n7,http://h/a,1\n8\thttp://h/b\n9,http://h/c,2,3", 3),
    ("list", b'7,http://h/a\n"8","http://h/b"\n{"url": "http://h/c"}\n', 3),
    ("list", b"URL\nhttp://h/a\nid\tx\nhttp://h/b,c\n", 3),
    ("list", b"P\thttp://h/a", 1),
]  # fmt: skip


async def outcome(source: FileSource | Spool, **asked: Any) -> tuple[list[Row], str | None]:
    """The rows, and what ended them."""
    rows: list[Row] = []
    try:
        async for row in read_rows(source, **asked):
            rows.append(row)  # noqa: PERF401 - what came before the error counts
    except ManifestError as error:
        return rows, str(error)
    return rows, None


async def every_cut(source: FileSource | Spool, **asked: Any) -> list[Row]:
    """The rows; read on behind each of them, all is as it was."""
    rows, error = await outcome(source, **asked)
    assert [row.index for row in rows] == list(range(len(rows)))
    for at, row in enumerate(rows, 1):
        on = await outcome(source, after=Resume(row.index + 1, row.end), **asked)
        assert on == (rows[at:], error)
    assert await outcome(source, after=Resume(0, 0), **asked) == (rows, error)
    return rows


def opened(root: Path, name: str, data: bytes) -> FileSource:
    (root / name).write_bytes(data)
    return FileSource(root, name, max_bytes=1 << 30)


@pytest.mark.parametrize("packed", sorted(PACK))
@pytest.mark.parametrize(("name", "data", "count"), MANIFESTS)
async def test_behind_every_row_of_what_is_odd(
    tmp_path: Path, name: str, data: bytes, count: int, packed: str
) -> None:
    """Headers, byte order marks, blank lines, lines too long, reports, bad rows, ends and none."""
    source = opened(tmp_path, name, PACK[packed](data))
    for extra in (False, True):
        rows = await every_cut(source, extra=extra)
        assert len(rows) == count
    assert await every_cut(source, limit=2, extra=True) == rows[:2]
    source.close()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    manifest_bytes() | st.lists(manifest_bytes(), max_size=4).map(b"\n".join),
    st.sampled_from(["x", "x.tsv", "x.csv", "x.ndjson", "x.json"]),
    PACKED,
    st.booleans(),
    st.sampled_from([None, 1, 3]),
    st.sampled_from([7, 1 << 16]),
)
def test_behind_every_row_of_any_bytes(
    tmp_path: Path,
    data: bytes,
    name: str,
    packed: str,
    extra: bool,
    limit: int | None,
    block: int,
) -> None:
    """Whatever it is, however it is compressed and in blocks of any size."""
    with patch.object(files, "_BLOCK", block):
        source = opened(tmp_path, name, PACK[packed](data))
        asyncio.run(every_cut(source, extra=extra, limit=limit))
        source.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(SIGNS), max_size=25).map(b"".join),
    st.sampled_from(["x", "x.json"]),
    PACKED,
)
def test_behind_every_element_of_any_array(
    tmp_path: Path, data: bytes, name: str, packed: str
) -> None:
    """Also of one that is none, or ends twice."""
    source = opened(tmp_path, name, PACK[packed](b' ["http://h/a"' + data))
    asyncio.run(every_cut(source, extra=True))
    source.close()


@pytest.mark.parametrize("packed", sorted(PACK))
async def test_behind_every_row_of_an_upload(tmp_path: Path, packed: str) -> None:
    """A spool reads on as a file does, also behind what has not come yet."""
    data = b"id\turl\n" + b"".join(b"%d\thttp://h/%d\n" % (n, n) for n in range(20))
    spool = Spool(SpoolRoom(tmp_path, 1 << 30), max_bytes=1 << 30)
    stored = PACK[packed](data)
    with patch.object(spools, "_BLOCK", 7):
        late = asyncio.ensure_future(outcome(spool, after=Resume(3, 46)))
        patched, counts = preads()
        with patched:
            await spool.write(stored[:21])  # the first row, where it is plain: then waits for more
            await wait_until(lambda: counts == [7] * (4 if packed == "plain" else 3))
        await spool.write(stored[21:])
        spool.finish()
        rows = await every_cut(spool)
        assert rows[2].end == 46
        assert await late == (rows[3:], None)
        patched, counts = preads()
        with patched:
            _ = [block async for block in spool.blocks(len(data) - 1)]
        assert sum(counts) == (7 + 2 if packed == "plain" else len(stored))
        beyond = len(data) + 9
        told = f"the manifest has fewer than {beyond} bytes, where it was to be read on"
        assert await outcome(spool, after=Resume(21, beyond)) == ([], told)
    spool.close()


def preads() -> tuple[Any, list[int]]:
    """A patch that counts what is read of files, and the counts."""
    counts: list[int] = []
    pread = os.pread

    def counting(descriptor: int, count: int, position: int) -> bytes:
        data = pread(descriptor, count, position)
        counts.append(len(data))
        return data

    return patch.object(os, "pread", counting), counts


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.ndjson", "a.json", "a"])
async def test_a_plain_file_is_not_read_up_to_the_place(tmp_path: Path, name: str) -> None:
    """Of six megabytes only the first block and what follows."""
    if name == "a.json":
        data = b"[" + b",\n".join(b'"http://h/%050d"' % n for n in range(100_000)) + b"]"
    else:
        data = b"".join(b'"http://h/%050d"\n' % n for n in range(100_000))
    source = opened(tmp_path, name, data)
    rows, _ = await outcome(source)
    patched, counts = preads()
    with patched:
        on, _ = await outcome(source, after=Resume(99_000, rows[98_999].end))
    assert on == rows[99_000:]
    assert 1000 * 60 < sum(counts) < 3 * 64 * 1024 + 1000 * 63
    source.close()


async def test_a_compressed_file_is_skipped_forward_without_its_rows(tmp_path: Path) -> None:
    """All stored bytes are read, once, and the hash is known; what is before comes to nobody."""
    data = b"".join(b"http://h/%050d\n" % (n * 7919) for n in range(100_000))
    stored = gzip.compress(data, 1)
    source = opened(tmp_path, "a.gz", stored)
    patched, counts = preads()
    with patched:
        blocks = [block async for block in source.blocks(len(data) - 59)]
    assert b"".join(blocks) == data[-59:]
    assert sum(counts) == source.size
    assert source.sha256 == hashlib.sha256(stored).hexdigest()
    source.close()


@pytest.mark.parametrize("packed", [False, True])
def test_inflated_bytes_are_capped_from_the_start(packed: bool) -> None:
    """What is passed over counts, as it did the first time."""
    data = bytes(100_000)
    stored = gzip.compress(data) if packed else data

    def read(cap: int, start: int) -> int:
        inflater, got, position = Inflater(cap, start=start), 0, 0
        while position < len(stored):
            block = stored[position : position + 100]
            got += sum(map(len, inflater.feed(block)))
            position = inflater.reach(position + len(block))
        return got + sum(map(len, inflater.finish()))

    assert read(100_000, 99_000) == 1000
    assert read(100_000, 100_000) == 0
    with pytest.raises(ManifestError, match="larger than 99999 bytes"):
        read(99_999, 99_000)
    with pytest.raises(ManifestError, match="fewer than 100001 bytes"):
        read(1 << 30, 100_001)


@pytest.mark.parametrize(
    ("name", "data", "after", "told"),
    [
        ("a.tsv", b"\n" * 40, Resume(3, 20), "of the rows read before there is none"),
        ("a.tsv", b"id\turl\n", Resume(3, 5), "of the rows read before there is none"),
        ("a.tsv", b"http://h/a\nhttp://h/b\n", Resume(1, 5), "its first row ends elsewhere"),
        ("a.json", b'["http://h/a"]', Resume(1, 0), "its first row ends elsewhere"),
        ("a.tsv", b"http://h/a\n", Resume(2, 22), "fewer than 22 bytes"),
        ("a.json", b'["http://h/a"]', Resume(2, 22), "fewer than 21 bytes"),
        ("a.tsv", b"", Resume(1, 1), "of the rows read before there is none"),
    ],
)
async def test_another_manifest_than_before_is_told(
    tmp_path: Path, name: str, data: bytes, after: Resume, told: str
) -> None:
    """As far as it shows; the source's stamp tells the rest."""
    source = opened(tmp_path, name, data)
    rows, error = await outcome(source, after=after)
    assert rows == []
    assert error is not None
    assert told in error
    source.close()


async def test_the_kind_given_decides_again(tmp_path: Path) -> None:
    """As it did before, whatever the name says."""
    source = opened(tmp_path, "a.tsv", b'id;url\n7;"http://h/a"\n8;"http://h/b"\n')
    rows = await every_cut(source, kind=Kind.CSV)
    assert [(row.id, row.url) for row in rows] == [("7", "http://h/a"), ("8", "http://h/b")]
    source.close()
