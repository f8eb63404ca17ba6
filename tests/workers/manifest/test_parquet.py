"""Parquet: read by a process of its own, row by row, and whatever is in it stays there."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.asserts import wait_until
from workers.errors import ManifestError
from workers.manifest import kinds, parquet
from workers.manifest.files import FileSource
from workers.manifest.kinds import Kind
from workers.manifest.lines import MAX_LINE_BYTES
from workers.manifest.reading import read_rows
from workers.manifest.rows import Resume, Row
from workers.manifest.spool import Spool, SpoolRoom


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every process has ended, however its reader did."""
    me = psutil.Process()
    before = set(me.children())
    yield
    assert set(me.children()) <= before


def source(root: Path, name: str = "a.parquet") -> FileSource:
    return FileSource(root, name, max_bytes=1 << 40)


def reads_parquet(process: psutil.Process) -> bool:
    """Whether it is one of ours."""
    with suppress(psutil.Error):  # what another test started may be gone
        return "workers.manifest.parquet_child" in process.cmdline()
    return False


async def rows_of(root: Path, columns: dict[str, Any], **asked: Any) -> list[Row]:
    """The rows of a table written with these columns."""
    pq.write_table(pa.table(columns), root / "a.parquet", row_group_size=1500)
    file = source(root)
    try:
        return [row async for row in read_rows(file, **asked)]
    finally:
        file.close()


async def test_rows_of_a_data_frame(tmp_path: Path) -> None:
    """Written by pandas, over several row groups; the hash is of the file as it lies there."""
    count = 4000
    frame = pd.DataFrame(
        {"note": ["x"] * count, "URL": [f"http://h/{n}" for n in range(count)], "id": range(count)}
    )
    frame.to_parquet(tmp_path / "plainly named", row_group_size=1500)
    file = source(tmp_path, "plainly named")
    rows = [row async for row in read_rows(file)]
    assert [(row.index, row.id, row.url, row.end) for row in rows] == [
        (n, str(n), f"http://h/{n}", n + 1) for n in range(count)
    ]
    assert all(row.problem is None and row.extra is None for row in rows)
    stored = (tmp_path / "plainly named").read_bytes()
    assert file.sha256 == hashlib.sha256(stored).hexdigest()
    file.close()


async def test_what_is_no_row_is_a_bad_one(tmp_path: Path) -> None:
    """Nulls, text that is not UTF-8, more than a line may hold: a row each, and never an end."""
    urls = [b"http://h/a", None, b"\xff", b"x" * MAX_LINE_BYTES, b"http://h/e"]
    ids = pa.array(["a", "b", None, "d", ""])
    for kind in (pa.binary(), pa.string()):
        column = pa.array(urls, pa.binary()).view(kind)
        rows = await rows_of(tmp_path, {"id": ids, "url": column})
        assert [row.id for row in rows] == ["a", "b", "2", "d", "4"]
        assert [row.url for row in rows] == ["http://h/a", None, None, None, "http://h/e"]
        told = [row.problem.message for row in rows if row.problem is not None]
        assert "no url" in told[0]
        assert "utf-8" in told[1]
        assert "longer" in told[2]
    rows = await rows_of(tmp_path, {"url": [5, None]})
    assert [row.problem is not None for row in rows] == [True, True]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([7, None]), ["7", "1"]),
        (pa.array([7.0, float("nan")]), ["7.0", "1"]),
        (pa.array([Decimal("1.50"), None]), ["1.50", "1"]),
        (pa.array([datetime.date(2024, 2, 29), None]), ["2024-02-29", "1"]),
        (pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
    ],
)
async def test_ids(tmp_path: Path, ids: pa.Array, expected: list[str]) -> None:
    """As text; the index where there is none."""
    rows = await rows_of(tmp_path, {"id": ids, "url": ["http://h/a", "http://h/b"]})
    assert [row.id for row in rows] == expected


async def test_ids_that_are_none(tmp_path: Path) -> None:
    """Truth values and lists name nothing."""
    for ids in ([True], [[1]]):
        [row] = await rows_of(tmp_path, {"id": ids, "url": ["http://h/a"]})
        assert row.problem is not None
        assert "id is neither" in row.problem.message


async def test_other_columns_are_values_of_json(tmp_path: Path) -> None:
    """Nested ones too; such as hold bytes are left out, what JSON cannot say is null."""
    columns = {
        "url": ["http://h/a"],
        "n": [1],
        "x": [float("nan")],
        "when": [datetime.datetime(2024, 2, 29, 1, 2, 3)],  # noqa: DTZ001 - a column may have none
        "price": [Decimal("1.50")],
        "tags": [["a", None]],
        "size": [{"w": 1, "h": {"px": 2}}],
        "never": pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        "picture": [b"\x89PNG"],
        "nested": [{"bytes": b"\x89PNG", "path": "a.png"}],
    }
    [row] = await rows_of(tmp_path, columns, extra=True)
    assert (row.url, row.problem) == ("http://h/a", None)
    assert json.loads(row.extra or b"") == {
        "n": 1,
        "x": None,
        "when": "2024-02-29T01:02:03",
        "price": "1.50",
        "tags": ["a", None],
        "size": {"w": 1, "h": {"px": 2}},
        "never": None,
    }


@pytest.mark.parametrize("limit", [0, 1, 1500, 3000])
async def test_a_limit_ends_the_process(tmp_path: Path, limit: int) -> None:
    """So many rows, and no file read to its end for a hash nobody gets."""
    rows = await rows_of(tmp_path, {"url": ["http://h/"] * 2000}, limit=limit)
    assert len(rows) == min(limit, 2000)


@pytest.mark.parametrize("name", ["a.parquet", "plainly named"])
async def test_reading_on_behind_a_row(tmp_path: Path, name: str) -> None:
    """Within a group of rows and at its edges; those before are not even looked at."""
    count = 4000
    urls = [f"http://h/{n}" if n % 7 else None for n in range(count)]
    table = pa.table({"n": range(count), "url": urls})
    pq.write_table(table, tmp_path / name, row_group_size=1500)
    file = source(tmp_path, name)
    rows = [row async for row in read_rows(file, extra=True)]
    assert len(rows) == count
    content = bytearray((tmp_path / name).read_bytes())
    first = pq.ParquetFile(tmp_path / name).metadata.row_group(0).column(0)
    content[4 : first.total_compressed_size] = bytes(first.total_compressed_size - 4)
    (tmp_path / name).write_bytes(content)
    for at in (1500, 2999, 4000):
        after = Resume(at, rows[at - 1].end)
        assert [row async for row in read_rows(file, extra=True, after=after)] == rows[at:]
    with pytest.raises(ManifestError):
        await anext(read_rows(file, extra=True, after=Resume(1499, 1499)))
    file.close()


async def test_reading_on_ends_where_it_would_have(tmp_path: Path) -> None:
    """A limit counts from the start, the rows before must be there."""
    columns = {"url": [f"http://h/{n}" for n in range(2000)]}
    rows = await rows_of(tmp_path, columns)
    for at, limit in ((1, 1600), (1499, 1500), (700, 700), (700, 3000)):
        assert await rows_of(tmp_path, columns, limit=limit, after=Resume(at, at)) == rows[at:limit]
    with pytest.raises(ManifestError, match="fewer rows than were read of it before"):
        await rows_of(tmp_path, columns, after=Resume(2001, 2001))


def test_rows_passed_over_are_signs_of_life(tmp_path: Path) -> None:
    """A group of rows may be large, and whoever waits for a row gives up after a while."""
    pq.write_table(pa.table({"url": [f"http://h/{n}" for n in range(2000)]}), tmp_path / "a")
    with (tmp_path / "a").open("rb") as file:
        child = [sys.executable, "-m", "workers.manifest.parquet_child", "1999", "-1"]
        done = subprocess.run(child, stdin=file, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"\n" * 7 + b'["","http://h/1999",null,null]\n{"rows":2000}\n'


async def test_no_url_is_told_with_what_there_is(tmp_path: Path) -> None:
    """Without the column there is no row."""
    with pytest.raises(ManifestError, match="no column url, only: id, link"):
        await rows_of(tmp_path, {"id": [1], "link": ["http://h/a"]})


def damaged() -> Iterator[bytes]:
    """A file cut, changed and made up."""
    dice = random.Random(5)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"url": [f"http://h/{n}" for n in range(500)]}), sink)
    whole = sink.getvalue().to_pybytes()
    yield b""
    yield whole[: len(whole) // 2]
    yield whole[:-1]
    yield b"PAR1" + dice.randbytes(3000) + b"PAR1"
    yield whole[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1"
    for _ in range(3):
        broken = bytearray(whole)
        for _ in range(8):
            broken[dice.randrange(4, len(whole))] ^= 1 << dice.randrange(8)
        yield bytes(broken)


async def test_damage_ends_the_manifest_and_nothing_else(tmp_path: Path) -> None:
    """Whatever the bytes: rows, then maybe a ManifestError."""
    for number, content in enumerate(damaged()):
        (tmp_path / "a.parquet").write_bytes(content)
        file, seen = source(tmp_path), 0
        try:
            async for row in read_rows(file):
                assert row.index == seen
                seen += 1
        except ManifestError:
            pass
        else:
            assert number > 4
        file.close()


async def test_a_process_that_dies_or_hangs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of the library is the end of one manifest."""
    pq.write_table(pa.table({"url": ["http://h/a"] * 200_000}), tmp_path / "a.parquet")
    for sent, patience, said in (
        (signal.SIGKILL, 60.0, "died after"),
        (signal.SIGSTOP, 0.1, "no row for 0.1 seconds"),
    ):
        file = source(tmp_path)
        rows = read_rows(file)
        await anext(rows)
        monkeypatch.setattr(parquet, "STALLED_SECONDS", patience)
        [child] = [one for one in psutil.Process().children() if reads_parquet(one)]
        os.kill(child.pid, sent)
        with pytest.raises(ManifestError, match=said):
            async for _ in rows:
                pass
        file.close()


async def test_a_reader_that_leaves_ends_the_process(tmp_path: Path) -> None:
    """Closed or cancelled, at any row."""
    pq.write_table(pa.table({"url": ["http://h/a"] * 200_000}), tmp_path / "a.parquet")
    file = source(tmp_path)
    rows = read_rows(file)
    await anext(rows)
    await rows.aclose()

    async def read() -> None:
        async for _ in read_rows(file):
            pass

    reading = asyncio.create_task(read())
    me = psutil.Process()
    await wait_until(lambda: any(reads_parquet(one) for one in me.children()))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    file.close()


async def test_an_upload_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """What is in a Parquet file stands at its end."""
    pq.write_table(pa.table({"url": ["http://h/a"]}), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    spool = Spool(SpoolRoom(tmp_path, 1 << 30), max_bytes=1 << 30)
    rows = read_rows(spool, kind=Kind.PARQUET)
    first = asyncio.ensure_future(anext(rows))
    await spool.write(content[:100])
    await spool.write(content[100:])
    assert not first.done()
    spool.finish()
    assert (await first).url == "http://h/a"
    await rows.aclose()
    spool.close()


async def test_without_the_extra_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the name or the first bytes say Parquet."""
    monkeypatch.setattr(kinds, "find_spec", lambda _: None)
    pq.write_table(pa.table({"url": ["http://h/a"]}), tmp_path / "a.parquet")
    (tmp_path / "plain").write_bytes((tmp_path / "a.parquet").read_bytes())
    for name in ("a.parquet", "plain"):
        file = source(tmp_path, name)
        with pytest.raises(ManifestError, match="imagecensus\\[parquet\\]"):
            await anext(read_rows(file))
        file.close()
