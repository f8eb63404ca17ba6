"""TSV: a row for every line that is not blank, never more, never fewer."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode
from tests.workers.manifest.cutting import blocks_of, manifest_bytes
from workers.manifest.lines import MAX_LINE_BYTES, LineCutter
from workers.manifest.rows import MAX_EXTRA_BYTES, Row
from workers.manifest.tsv import TsvReader


def cut_rows(blocks: list[bytes], *, extra: bool = False) -> list[Row]:
    """The rows of a manifest that comes in *blocks*."""
    cutter, reader = LineCutter(), TsvReader(extra=extra)
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


@pytest.mark.parametrize(
    ("line", "look"),
    [
        ("<!DOCTYPE html>", "HTML"),
        ('<a href="http://h/">', "HTML"),
        ('{"url": "http://h/a"}', "JSON"),
        ('  {"url": "http://h/a"},', "JSON"),
        ("[", "JSON"),
        ("id,url", "CSV"),
        ("7,http://h/a", "CSV"),
        ("7;http://h/a", "CSV"),
        ('"7","http://h/a"', "CSV"),
    ],
)
def test_what_is_no_tsv_is_told_what_it_looks_like(line: str, look: str) -> None:
    """A page, JSON or CSV under the wrong name: a bad row a line, each saying so."""
    first, second = rows_of(f"{line}\n{line}\n")
    for row in (first, second):
        assert row.problem is not None
        assert f"it looks like {look}" in row.problem.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("www.example.com/a.jpg", "http:// or https:// is missing"),
        ("example.com:8080/a,b.jpg", "http:// or https:// is missing"),
        ("//example.com", "http:// or https:// is missing"),
        ("# from the shop", "a line that begins with # is a row too"),
    ],
)
def test_what_a_url_alone_is_not_is_told(line: str, said: str) -> None:
    """In the first row as in any other."""
    for row in rows_of(f"{line}\n{line}\n"):
        assert row.problem is not None
        assert said in row.problem.message


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Product ID\tTitle\tImage URL", ": found Product ID, Title, Image URL"),
        ("a\t\tb", None),  # the URL of a row may be left empty
        ("link\t" + "x" * 50, f": found link, {'x' * 40}…"),
        ("\t".join("abcdefghijk"), ": found a, b, c, d, e, f, g, h and 3 more"),
    ],
)
def test_a_header_that_names_no_url_is_told_so(header: str, found: str | None) -> None:
    """As a row, and the rows behind it are what they were."""
    first, second = rows_of(f"{header}\n7\thttp://h/a\n")
    assert (first.id, second.url) == (header.split("\t")[0], "http://h/a")
    if found is None:
        assert (first.url, first.problem) == ("", None)
        return
    assert first.problem is not None
    assert first.problem.message == f"no URL, and as a header it names no column `url`{found}"


@pytest.mark.parametrize("url", ["www.example.com/a.jpg", "data:image/png;base64,", "//h/a"])
def test_a_first_row_with_what_is_meant_as_a_url_is_no_header(url: str) -> None:
    """What is wrong with it is told where it would be asked for; likewise in later rows."""
    assert pairs(f"7\t{url}\n8\tx\n") == [("7", url), ("8", "x")]


def test_of_a_header_nothing_is_told_that_may_be_a_password() -> None:
    """Neither its cells nor an id."""
    [row] = rows_of("http:/user:se\tcret@h/x")
    assert (row.id, row.url) == ("0", None)
    assert row.problem is not None
    assert row.problem.message == "no URL, and as a header it names no column `url`"


def test_other_columns_are_passed_through_as_text() -> None:
    """By their names; by its place where there is none, by a number where it repeats."""
    manifest = b"a\tid\tnote\turl\tnote\t\n1\t7\t\thttp://h/a\t2.50\tx\tbeyond\nshort\t8\n"
    first, second = cut_rows([manifest], extra=True)
    assert first.extra is not None
    assert json.loads(first.extra) == {
        "a": "1",
        "note": "",
        "note_2": "2.50",
        "column6": "x",
        "column7": "beyond",
    }
    assert (second.id, second.extra) == ("8", None)
    [row] = cut_rows([b"7\thttp://h/a\tx\n"], extra=True)
    assert row.extra == b'{"column3":"x"}'
    [row] = cut_rows([b"http://h/a\n"], extra=True)
    assert row.extra == b"{}"
    assert cut_rows([manifest])[0].extra is None


def test_more_beside_a_url_than_records_may_hold_is_a_bad_row() -> None:
    """Only where it was asked for."""
    line = b"7\thttp://h/a\t" + b"x" * MAX_EXTRA_BYTES + b"\n"
    [row] = cut_rows([line], extra=True)
    assert row.problem is not None
    assert "other columns" in row.problem.message
    assert (row.id, row.url) == ("7", None)
    assert cut_rows([line])[0].url == "http://h/a"


def test_columns_of_one_name_are_told_apart() -> None:
    """Each has another name, the same in every row, also where a header has made it up already."""
    text = b"url\tc\tc_2\tc\tc\tid\t\n" + b"http://h/\t1\t2\t3\t4\tx\t5\t6\n" * 2
    first, second = cut_rows([text], extra=True)
    assert first.extra is not None
    assert json.loads(first.extra) == {
        "c": "1",
        "c_2": "2",
        "c_3": "3",
        "c_4": "4",
        "column7": "5",
        "column8": "6",
    }
    assert second.extra == first.extra


def test_many_columns_of_one_name_cost_little() -> None:
    """They are named once, and not by trying each number again."""
    wide = b"url" + b"\tc" * 4000 + b"\n"
    began = time.process_time()
    rows = cut_rows([wide + (b"http://h/" + b"\t" * 4000 + b"\n") * 20], extra=True)
    assert time.process_time() - began < 3
    assert [row.problem for row in rows] == [None] * 20


def test_more_columns_than_any_table_has() -> None:
    """Only where they would be passed on."""
    line = b"7\thttp://h/" + b"\t" * 5000
    [row] = cut_rows([line], extra=True)
    assert row.problem is not None
    assert "columns" in row.problem.message
    assert pairs(line) == [("7", "http://h/")]


def test_a_url_ill_written_is_no_id() -> None:
    """It may hold a password, and an id is repeated."""
    assert pairs("http:/user:secret@h/x\nplain words") == [("0", None), ("plain words", None)]
