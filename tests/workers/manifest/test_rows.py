"""Rows: one for every line that is not blank, never more, never fewer."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode
from tests.workers.manifest.cutting import blocks_of, manifest_bytes
from workers.errors import ManifestError
from workers.manifest.lines import MAX_LINE_BYTES, LineCutter
from workers.manifest.rows import Row, TsvRows, inline_rows, read_rows


class Given:
    """A source of blocks that were given; may end in an error. Tells whether it was closed."""

    name = "given"
    sha256 = None

    def __init__(self, *blocks: bytes, error: ManifestError | None = None) -> None:
        self.given = blocks
        self.error = error
        self.taken = 0
        self.closed = False

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        try:
            for block in self.given:
                self.taken += 1
                yield block
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


def cut_rows(blocks: list[bytes]) -> list[Row]:
    """The rows of a manifest that comes in *blocks*."""
    cutter, reader = LineCutter(), TsvRows()
    lines = [line for block in blocks for line in cutter.feed(block)] + cutter.finish()
    return [row for line in lines if (row := reader.read(line)) is not None]


def rows_of(text: str | bytes) -> list[Row]:
    return cut_rows([text.encode() if isinstance(text, str) else text])


def pairs(text: str | bytes) -> list[tuple[str, str | None]]:
    """Id and URL of each row; the URL of a bad one is None."""
    return [(row.id, row.url) for row in rows_of(text)]


def is_header(line: bytes) -> bool:
    """Whether a first line names a column `url`."""
    cells = line.decode(errors="replace").split("\t")
    return "url" in [cell.strip().lower() for cell in cells]


@given(manifest_bytes(), st.data())
def test_any_cut_gives_the_same_rows(data: bytes, draw: st.DataObject) -> None:
    """Where blocks begin and end decides nothing."""
    assert cut_rows(draw.draw(blocks_of(data))) == cut_rows([data])


@given(manifest_bytes())
def test_one_row_for_each_line_that_is_not_blank(data: bytes) -> None:
    """Indexes are consecutive, and a header is the only line that is neither blank nor a row."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    filled = [line for line in lines if line.strip()]
    headed = bool(filled) and is_header(filled[0].removesuffix(b"\r"))
    rows = cut_rows([data])
    assert [row.index for row in rows] == list(range(len(filled) - headed))
    for row in rows:
        assert (row.url is None) == (row.problem is not None)
        assert row.problem is None or row.problem.code is ErrorCode.BAD_ROW
        assert row.id


@given(manifest_bytes())
def test_a_row_can_be_read_again_by_its_offsets(data: bytes) -> None:
    """The bytes between the end of one row and of the next hold that row and nothing else."""
    data = b"id\turl\n" + data
    end = len(b"id\turl\n")
    for row in cut_rows([data]):
        [again] = cut_rows([b"id\turl\n", data[end : row.end]])
        assert again.problem == row.problem
        assert again.url == row.url
        assert again.id == row.id or (again.id, row.id) == ("0", str(row.index))
        end = row.end
    assert not data[end:].strip()


@pytest.mark.parametrize(
    "header",
    ["id\turl", "ID\tURL", " Id \t Url ", "id\turl\r", "\ufeffid\turl", "\n \nid\turl"],
)
def test_header_spellings(header: str) -> None:
    """Case, spaces, CRLF, a BOM and blank lines before it are no hindrance."""
    assert pairs(f"{header}\n7\thttp://h/a\n") == [("7", "http://h/a")]


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("url\nhttp://h/a\nhttp://h/b", [("0", "http://h/a"), ("1", "http://h/b")]),
        ("url\tid\nhttp://h/a\t9\n", [("9", "http://h/a")]),
        ("w\tid\tx\turl\ty\n1\t2\t3\thttp://h/a\t5\t6\n", [("2", "http://h/a")]),
        ("name\turl\nx\thttp://h/a\n", [("0", "http://h/a")]),
        ("url\turl\nhttp://h/a\thttp://h/b\n", [("0", "http://h/a")]),
        ("id\turl\n", []),
        ("7\thttp://h/a\nx\thttp://h/b\textra\n", [("7", "http://h/a"), ("x", "http://h/b")]),
        ("http://h/a\nhttp://h/b\n", [("0", "http://h/a"), ("1", "http://h/b")]),
        ("7\t http://h/a \n", [("7", "http://h/a")]),
        ('7\t"http://h/a"\n', [("7", '"http://h/a"')]),  # no quoting in TSV
        ("id\turl\n\thttp://h/a\n", [("0", "http://h/a")]),
        ("id\turl\n7\t\n", [("7", "")]),
        ("id\turl\n7\thttp://h/a\n7\thttp://h/a\n", [("7", "http://h/a")] * 2),
        ("1\thttp://h/a\nid\turl\n", [("1", "http://h/a"), ("id", "url")]),
        ("1\thttp://h/a\u2028b\n", [("1", "http://h/a\u2028b")]),
        ("1\thttp://h/a\x0bb\n", [("1", "http://h/a\x0bb")]),
        ("", []),
        ("\n \r\n\t\n", []),
    ],
)
def test_columns(manifest: str, expected: list[tuple[str, str]]) -> None:
    """A header says where things stand; without one a line is id and URL, or a URL."""
    assert pairs(manifest) == expected


@pytest.mark.parametrize(
    ("line", "identity", "said"),
    [
        (b"just words", "just words", "found neither"),
        (b"7\thttp://h/\xff", "1", "not UTF-8"),
        (b"7\thttp://h/\0", "1", "NUL"),
        (b"7\thttp://h/\rx", "1", "carriage return"),
        (b"\xed\xa0\x80\thttp://h/a", "1", "not UTF-8"),
        (b"7\t" + b"x" * MAX_LINE_BYTES, "1", "longer than"),
        (b"y" * 500, "y" * 200, "found neither"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_row_with_a_problem(
    line: bytes, identity: str, said: str
) -> None:
    """It has its index; the rows around it are as they were."""
    before, bad, after = rows_of(b"a\thttp://h/a\n" + line + b"\nb\thttp://h/b\n")
    assert (before.id, after.id, after.index) == ("a", "b", 2)
    assert (bad.index, bad.id, bad.url) == (1, identity, None)
    assert bad.problem is not None
    assert said in bad.problem.message


def test_a_row_that_ends_before_its_url_keeps_its_id() -> None:
    """The id is told from its own column, not from the first one."""
    [row] = rows_of("note\tid\turl\nremark\t17\n")
    assert (row.id, row.url) == ("17", None)
    [row] = rows_of("note\tid\turl\nremark\n")
    assert (row.id, row.url) == ("0", None)


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
