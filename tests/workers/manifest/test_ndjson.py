"""JSON values as rows: lines of NDJSON, our own answers, and the items of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure, ImageInfo
from tests.workers.manifest.cutting import blocks_of, manifest_bytes
from workers.batches.records import BatchRecord, BatchRow
from workers.lines import start_line
from workers.manifest.csv_lines import CsvReader
from workers.manifest.lines import MAX_BATCH_BYTES, Line, LineCutter
from workers.manifest.ndjson import JsonReader
from workers.manifest.objects import inline_rows
from workers.manifest.rows import MAX_EXTRA_BYTES, Row
from workers.manifest.tsv import TsvReader
from workers.records import Fetch, Record
from workers.summary import Summary, progress_line


def cut_rows(*blocks: bytes, extra: bool = False) -> list[Row]:
    """The rows of a manifest that comes in *blocks*."""
    cutter, reader = LineCutter(), JsonReader(extra=extra)
    lines = [line for block in blocks for line in cutter.feed(block)] + cutter.finish()
    rows = []
    for line in lines:
        read = reader.read(line)
        rows += read if isinstance(read, list) else [] if read is None else [read]
    return rows


@given(manifest_bytes(), st.data())
def test_any_cut_gives_one_row_a_line(data: bytes, draw: st.DataObject) -> None:
    """Consecutive indexes, exactly as many as there are lines that are not blank."""
    rows = cut_rows(*draw.draw(blocks_of(data)))
    assert rows == cut_rows(data)
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert [row.index for row in rows] == list(range(sum(bool(line.strip()) for line in lines)))
    assert all((row.url is None) == (row.problem is not None) for row in rows)


@pytest.mark.parametrize(
    ("line", "identity", "url"),
    [
        ('{"id": "a", "url": "http://h/a"}', "a", "http://h/a"),
        ('{"url": "http://h/a", "other": [1]}', "0", "http://h/a"),
        ('{"ID": 7, "Url": "http://h/a"}', "7", "http://h/a"),
        ('{"URL": "http://h/b", "url": "http://h/a"}', "0", "http://h/a"),
        ('"http://h/a"', "0", "http://h/a"),
        ('{"id": 12345678901234567890123, "url": "u"}', "12345678901234567890123", "u"),
        ('{"id": 1.50, "url": "u"}', "1.50", "u"),
        ('{"id": 1e3, "url": "u"}', "1e3", "u"),
        ('{"id": -7, "url": "u"}', "-7", "u"),
        ('{"id": null, "url": "u"}', "0", "u"),
        ('{"id": "", "url": "u"}', "0", "u"),
        ('\ufeff{"id": 1, "url": "u"}\r', "1", "u"),
        ('{"type": "summary", "complete": true, "url": "u"}', "0", "u"),
        ('{"type": "start", "url": "u"}', "0", "u"),
    ],
)
def test_a_value_a_line(line: str, identity: str, url: str) -> None:
    """Objects, or URLs alone; ids that are numbers as they were written."""
    [row] = cut_rows(line.encode())
    assert (row.id, row.url, row.problem) == (identity, url, None)


@pytest.mark.parametrize(
    ("line", "identity", "said"),
    [
        (b'{"id": "a"}', "a", "no url"),
        (b'{"id": "a", "url": null}', "a", "no url"),
        (b'{"id": "a", "url": 5}', "a", "not text"),
        (b'{"id": true, "url": "u"}', "1", "id is neither"),
        (b'{"id": [1.5], "url": "u"}', "1", "id is neither"),
        (b'{"type": "summary"}', "1", "no url"),
        (b'{"type": [1]}', "1", "no url"),
        (b"5", "1", "expected an object"),
        (b'["http://h/a"]', "1", "expected an object"),
        (b'{"url": "http://h/a"', "1", "not JSON"),
        (b'{"url": NaN}', "1", "not JSON"),
        (b"[", "1", "named .json"),
        (b"http://h/a", "1", "URL in quotes"),
        (b'{"url": "\xff"}', "1", "not JSON"),
        (b'{"url": "\\ud800"}', "1", "not JSON"),
        (b"[" * 100_000, "1", "named .json"),
        (b'{"url": "' + b"x" * 300_000 + b'"}', "1", "longer than"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_bad_row(line: bytes, identity: str, said: str) -> None:
    """It has its index; the rows around it are as they were."""
    before, bad, after = cut_rows(b'"http://h/a"\n' + line + b'\n"http://h/b"\n')
    assert (before.url, after.url, after.index) == ("http://h/a", "http://h/b", 2)
    assert (bad.index, bad.id, bad.url) == (1, identity, None)
    assert bad.problem is not None
    assert bad.problem.code is ErrorCode.BAD_ROW
    assert said in bad.problem.message


def test_an_answer_of_ours_is_a_manifest() -> None:
    """Its records are rows again, with what was passed through; what tells of the run is not."""
    info = ImageInfo("JPEG", (8, 6), image_mode="RGB", image_size=100)
    failed = Failure(ErrorCode.TIMEOUT)
    answer = b"".join(
        [
            start_line(kind="images_info", manifest="a.tsv", options={}),
            Record(1, "b", "http://h/b", info, Fetch(), extra=b'{"note":"x"}').line(),
            progress_line(Summary()),
            Record(0, "a", "http://h/a", failed, Fetch()).line(),
            Record(2, "c", None, Failure(ErrorCode.BAD_ROW)).line(),
            Summary().line(seconds=1),
        ]
    )
    rows = cut_rows(answer, extra=True)
    assert [(row.index, row.id, row.url) for row in rows] == [
        (0, "b", "http://h/b"),
        (1, "a", "http://h/a"),
        (2, "c", None),
    ]
    assert [row.extra for row in rows] == [b'{"note":"x"}', b"{}", None]


def batch_line(count: int, *, pixels: bytes | None = None, url: str = "http://h/") -> bytes:
    """A batch line of so many rows, every second of them failed, as our answers have it."""
    rows = [
        BatchRow(
            7 * n,
            f"id-{n}",
            f"{url}{n}",
            Failure(ErrorCode.TIMEOUT) if n % 2 else b'{"flags":[["a"],{}]}',
            Fetch(),
            extra=b'{"n":%d,"id":"other"}' % n if n % 3 else None,
        )
        for n in range(count)
    ]
    return BatchRecord(3, (64, 64), "appearance", rows, pixels).line()


@pytest.mark.parametrize("extra", [False, True])
def test_a_batch_line_is_its_rows(extra: bool) -> None:
    """Each with its id, URL and what was passed through; the line ends with the last."""
    text = b'"http://h/a"\n' + batch_line(4) + b'"http://h/b"\n'
    rows = cut_rows(text, extra=extra)
    assert [row.index for row in rows] == list(range(6))
    assert [row.id for row in rows] == ["0", "id-0", "id-1", "id-2", "id-3", "5"]
    assert [row.url for row in rows[1:5]] == [f"http://h/{n}" for n in range(4)]
    ends = [13, -1, -1, -1, 13 + len(batch_line(4)), len(text)]
    assert [row.end for row in rows] == ends
    passed = [b"{}", b'{"n":1,"id":"other"}', b'{"n":2,"id":"other"}', b"{}"]
    assert [row.extra for row in rows[1:5]] == (passed if extra else [None] * 4)


def test_a_batch_line_of_too_many_rows_is_one_bad_row() -> None:
    """Ours have 1,024 at most; a million in one line would hold up everybody."""
    before, bad, after = cut_rows(b'"a"\n' + batch_line(1025) + b'"b"')
    assert (before.url, after.url, after.index) == ("a", "b", 2)
    assert bad.problem is not None
    assert bad.problem.message == "a batch line of more than 1024 rows"


def test_large_batch_lines_are_read_too() -> None:
    """As far as batches without pixels go; with them a line is one bad row that says so."""
    rows = cut_rows(batch_line(1024, url="http://h/" + "x" * 1000))
    assert [row.id for row in rows] == [f"id-{n}" for n in range(1024)]
    pixels = b'"%s"' % (b"A" * MAX_BATCH_BYTES)
    before, bad, after = cut_rows(b'"a"\n' + batch_line(32, pixels=pixels) + b'"b"')
    assert (before.url, after.url, after.index) == ("a", "b", 2)
    assert bad.problem is not None
    assert bad.problem.message.endswith(
        f"or {MAX_BATCH_BYTES} of a batch line, as one with pixels may be"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"type":"batch","batch":0,"rows":[],"x":"' + b"x" * 300_000 + b'","url":"u"}', "longer"),
        (b'{"type":"batch","batch":0,"rows":[{"id":"' + b"x" * 300_000 + b'","url":"u"}]}', "URL"),
        (b'{"type":"batch","batch":0,"rows":[{"id":"a","url":null}]}', "no url"),
        (b'{"type":"batch","batch":0,"rows":[{"id":[]}]}', "id is neither"),
        (b'{"type":"batch","batch":0,"rows":[7]}', "expected an object"),
        (b'{"type":"batch","batch":0,"rows":[' + b"[]," * 70_000 + b"7]}", "objects and lists"),
        (b'{"type":"batch","batch":0,"rows":7}', "no url"),
        (b'{"type":"batch","rows":[{"url":"u"}]}', "no url"),
        (b'{"type":"batch","batch":0,"rows":[' + b" " * 300_000, "not JSON"),
    ],
)
def test_what_only_looks_like_a_batch_line(line: bytes, said: str) -> None:
    """One bad row, which is no larger than any other."""
    [row] = cut_rows(line)
    assert row.problem is not None
    assert said in row.problem.message
    assert len(row.id) <= 200


def test_a_batch_line_without_rows_is_none() -> None:
    """As any other line that is about something else."""
    assert cut_rows(b'{"type":"batch","batch":0,"rows":[]}\n"u"')[0].index == 0


def test_no_other_kind_has_lines_so_long() -> None:
    """However they begin."""
    line = b'{"type":"batch","batch":' + b"x" * 300_000 + b"\thttp://h/x"
    for reader in (TsvReader(), CsvReader()):
        [cut, *_] = LineCutter().feed(line + b"\n")
        row = reader.read(cut)
        assert row is not None
        assert row.problem is not None
        assert row.problem.message.startswith("the line is longer")


def test_other_members_are_passed_through_as_they_are() -> None:
    """Values of JSON, nested as far as can be written; else the row is bad, only then."""
    [row] = cut_rows(b'{"id":1,"url":"u","n":1.5,"t":[true,{"x":null}],"s":"\xc3\xbc"}', extra=True)
    assert json.loads(row.extra or b"") == {"n": 1.5, "t": [True, {"x": None}], "s": "ü"}
    deep = b'{"url":"u","n":' + b"[" * 600 + b"]" * 600 + b"}"
    large = b'{"url":"u","n":"' + b"x" * MAX_EXTRA_BYTES + b'"}'
    for line in (deep, large):
        [row] = cut_rows(line, extra=True)
        assert row.problem is not None
        assert "other columns" in row.problem.message
        assert cut_rows(line)[0].url == "u"


def test_inline_rows() -> None:
    """Objects or plain URLs; what is neither is a row with a problem."""
    items = [
        {"id": "a", "url": "http://h/a"},
        {"id": 7, "url": "http://h/b"},
        {"url": "http://h/c"},
        {"id": "", "url": "http://h/d"},
        {"id": 0, "url": "http://h/e"},
        "http://h/f",
        {"id": "x"},
        {"id": "y", "url": 5},
        {"id": True, "url": "http://h/g"},
        {"id": [1], "url": "http://h/g"},
        None,
        5,
    ]
    rows = list(inline_rows(items))
    assert [row.index for row in rows] == list(range(len(items)))
    assert [row.id for row in rows] == [
        "a",
        "7",
        "2",
        "3",
        "0",
        "5",
        "x",
        "y",
        "8",
        "9",
        "10",
        "11",
    ]
    assert [row.url for row in rows[:6]] == [f"http://h/{name}" for name in "abcdef"]
    assert all(row.url is None and row.problem is not None for row in rows[6:])
    assert len(list(inline_rows(items, limit=3))) == 3


def test_other_members_of_inline_rows() -> None:
    """As those of a manifest."""
    items: list[Any] = [{"id": "a", "url": "u", "n": 1}, "u"]
    assert [row.extra for row in inline_rows(items, extra=True)] == [b'{"n":1}', b"{}"]
    assert [row.extra for row in inline_rows(items)] == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        b'{"url":"http://h/","a":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b'{"url":"http://h/","a":[' + b"[]," * 60_000 + b"[]]}",
        b'{"url":"http://h/",' + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}",
    ],
    ids=["nested", "lists", "members"],
)
def test_a_row_that_takes_long_to_read_is_bad(text: bytes) -> None:
    """It holds up everybody: one row is not so wide, nor so deep."""
    row = JsonReader(extra=True).read(Line(text, len(text)))
    assert row is not None
    assert row.problem is not None
    assert "more than 4096" in row.problem.message
