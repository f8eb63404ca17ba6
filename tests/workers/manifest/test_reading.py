"""Manifests of every kind: told apart, and read alike."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
from collections.abc import AsyncGenerator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.manifest.cutting import blocks_of, manifest_bytes
from workers.errors import ManifestError
from workers.manifest.inflate import Inflater
from workers.manifest.kinds import Kind, kind_of_name
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row

#: What a cell of any kind may hold: no tab, no break, and something that is not blank.
CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\t\r\n\0"), max_size=8)
ENTRIES = st.lists(st.tuples(CELL, CELL.map("http://h/{}".format), CELL), max_size=6)


class Given:
    """A source of blocks that were given; may end in an error. Tells whether it was closed."""

    sha256 = None

    def __init__(
        self, *blocks: bytes, name: str = "given", error: ManifestError | None = None
    ) -> None:
        self.name = name
        self.given = blocks
        self.error = error
        self.taken = 0
        self.closed = False

    async def blocks(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        try:
            for block in self.given:
                self.taken += 1
                yield block[start:]
                start = max(0, start - len(block))
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True

    async def whole(self) -> int:
        raise ManifestError("no file")


async def all_rows(source: Given, **asked: bool) -> list[Row]:
    return [row async for row in read_rows(source, **asked)]


def written(entries: list[tuple[str, str, str]], kind: str) -> bytes:
    """The entries as a manifest."""
    file = io.StringIO(newline="")
    if kind == "tsv":
        for cells in (("id", "url", "note"), *entries):
            file.write("\t".join(cells) + "\n")
    elif kind == "csv":
        csv.writer(file).writerows([("id", "url", "note"), *entries])
    else:
        objects = [dict(zip(("id", "url", "note"), cells, strict=True)) for cells in entries]
        if kind == "ndjson":
            file.writelines(json.dumps(found) + "\n" for found in objects)
        else:
            json.dump(objects, file, indent=1, ensure_ascii=False)
    return file.getvalue().encode()


@given(ENTRIES, st.sampled_from(["tsv", "csv", "ndjson", "json"]), st.data())
def test_the_same_rows_in_every_kind(
    entries: list[tuple[str, str, str]], kind: str, draw: st.DataObject
) -> None:
    """However written, compressed and cut: the same rows, each ending behind the one before."""
    data = written(entries, kind)
    packed = draw.draw(
        st.sampled_from([data, gzip.compress(data), zstandard.ZstdCompressor().compress(data)])
    )
    inflater = Inflater(1 << 30)
    blocks = [piece for block in draw.draw(blocks_of(packed)) for piece in inflater.feed(block)]
    source = Given(*blocks, *inflater.finish(), name=f"images.{kind}.gz")

    rows = asyncio.run(all_rows(source, extra=True))

    assert [row.problem for row in rows] == [None] * len(entries)
    assert [(row.id, row.url, json.loads(row.extra or b"")) for row in rows] == [
        (name or str(index), url.strip(" "), {"note": note})
        if kind in ("tsv", "csv")
        else (name or str(index), url, {"note": note})
        for index, (name, url, note) in enumerate(entries)
    ]
    ends = [0, *(row.end for row in rows)]
    assert ends == sorted(set(ends))
    assert ends[-1] <= len(data)


@given(manifest_bytes(), st.sampled_from(["x", "x.tsv", "x.csv", "x.ndjson", "x.json"]), st.data())
def test_any_bytes_are_rows_or_a_manifest_error(
    data: bytes, name: str, draw: st.DataObject
) -> None:
    """And where they are cut decides nothing, nor whether the kind is told by its look."""

    async def read(blocks: list[bytes]) -> tuple[list[Row], str | None]:
        rows: list[Row] = []
        try:
            async for row in read_rows(Given(*blocks, name=name), extra=True):
                rows.append(row)  # noqa: PERF401 - what came before the error counts
        except ManifestError as error:
            return rows, str(error)
        return rows, None

    rows, error = asyncio.run(read([data]))
    assert asyncio.run(read(draw.draw(blocks_of(data)))) == (rows, error)
    assert [row.index for row in rows] == list(range(len(rows)))
    if name == "x.ndjson":
        lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert len(rows) == sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("images.tsv", Kind.TSV),
        ("images.txt", Kind.TSV),
        ("shop.csv/images.TSV.GZ", Kind.TSV),
        ("images.csv.zst", Kind.CSV),
        ("images.jsonl", Kind.NDJSON),
        ("images.ndjson.gz", Kind.NDJSON),
        ("images.json", Kind.JSON),
        ("images.parquet", Kind.PARQUET),
        ("images.old.csv", Kind.CSV),
        ("images", None),
        ("csv", None),
        ("images.gz", None),
        ("gz.zst", None),
        ("shop.csv/images", None),
        ("images.list", None),
        ("", None),
    ],
)
def test_kinds_by_name(name: str, kind: Kind | None) -> None:
    """By the ending of the last part, compression put aside, in any case."""
    assert kind_of_name(name) is kind


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("7\thttp://h/a,b\n", "http://h/a,b"),
        ("id\turl\n7\thttp://h/a\n", "http://h/a"),
        ("http://h/a,b\n", "http://h/a,b"),
        ("url\nhttp://h/a,b\n", "http://h/a,b"),
        ("id,url\n7,http://h/a\n", "http://h/a"),
        ("id;url\n7;http://h/a\n", "http://h/a"),
        ('7,"http://h/a"\n', "http://h/a"),
        ('"7","http://h/a"\n', "http://h/a"),
        ('"url"\n"http://h/a"\n', "http://h/a"),
        ('\n \n{"url": "http://h/a"}\n', "http://h/a"),
        ('"http://h/a"\n', "http://h/a"),
        ('\ufeff \n [\n"http://h/a"]\n', "http://h/a"),
        ('[{"url":\n"http://h/a"}]', "http://h/a"),
        ("P\thttp://h/a", "http://h/a"),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
async def test_kinds_by_look(text: str, url: str, step: int) -> None:
    """A name that says nothing: the first line that is not blank does."""
    data = text.encode()
    blocks = [data[at : at + step] for at in range(0, len(data), step)]
    [row] = await all_rows(Given(*blocks))
    assert (row.url, row.problem) == (url, None)


async def test_a_json_name_over_lines_of_json() -> None:
    """Many files named .json hold a value a line."""
    rows = await all_rows(Given(b'{"url": "http://h/a"}\n"http://h/b"\n', name="a.json"))
    assert [row.url for row in rows] == ["http://h/a", "http://h/b"]


async def test_a_json_array_that_is_cut_short_is_told() -> None:
    """Behind the elements that are whole."""
    rows = read_rows(Given(b'["http://h/a", "http://h/b", "ht', name="a.json"))
    assert [(await anext(rows)).url for _ in range(2)] == ["http://h/a", "http://h/b"]
    with pytest.raises(ManifestError, match="ends in the middle"):
        await anext(rows)


async def test_blank_lines_give_others_their_turn() -> None:
    """Lines that are no rows do not hold up the event loop, many as they may be in a block."""
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    assert await all_rows(Given(b" \n" * 50_000)) == []
    assert await all_rows(Given(b" \n" * 50_000, name="a.csv")) == []
    watching.cancel()
    assert turns > 50


async def test_rows_of_a_source_come_block_by_block() -> None:
    """A row is there before the next block is asked for."""
    source = Given(b"1\thttp://h/a\n2\tht", b"tp://h/b\n3\thttp://h/c")
    rows = read_rows(source)
    assert (await anext(rows)).url == "http://h/a"
    assert source.taken == 1
    assert [row.url async for row in rows] == ["http://h/b", "http://h/c"]
    assert source.closed


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4])
async def test_limit_stops_reading(limit: int) -> None:
    """So many rows and not one more; what was opened is closed at once."""
    source = Given(b"id\turl\n1\thttp://h/a\n", b"bad\n", b"3\thttp://h/c")
    rows = [row async for row in read_rows(source, limit=limit)]
    assert [row.index for row in rows] == list(range(min(limit, 3)))
    assert source.taken == min(limit, 3)
    assert source.closed or limit == 0


async def test_rows_before_an_error_are_given() -> None:
    """The error of a source comes behind the last whole row; half a row is none."""
    source = Given(b"1\thttp://h/a\n2\thttp", error=ManifestError("cut"))
    rows = read_rows(source)
    assert (await anext(rows)).id == "1"
    with pytest.raises(ManifestError, match="cut"):
        await anext(rows)
