"""CSV: cells as RFC 4180 quotes them, and a row a line whatever the quotes do."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode
from tests.workers.manifest.cutting import blocks_of, manifest_bytes
from workers.manifest.csv_lines import CsvReader, csv_cells
from workers.manifest.lines import LineCutter
from workers.manifest.rows import Row

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=8)


def cut_rows(*blocks: bytes, extra: bool = False) -> list[Row]:
    """The rows of a manifest that comes in *blocks*."""
    cutter, reader = LineCutter(), CsvReader(extra=extra)
    lines = [line for block in blocks for line in cutter.feed(block)] + cutter.finish()
    return [row for line in lines if (row := reader.read(line)) is not None]


def pairs(text: str) -> list[tuple[str, str | None]]:
    """Id and URL of each row; the URL of a bad one is None."""
    return [(row.id, row.url) for row in cut_rows(text.encode())]


@given(st.lists(TEXT, min_size=1, max_size=5), st.sampled_from(",;\t"), st.booleans())
def test_what_the_standard_library_writes_is_read(
    cells: list[str], separator: str, every: bool
) -> None:
    """Every cell quoted, or only those that need it."""
    file = io.StringIO()
    quoting = csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL
    csv.writer(file, delimiter=separator, quoting=quoting, lineterminator="").writerow(cells)
    assert csv_cells(file.getvalue(), separator) == cells


@given(st.text(st.sampled_from('",a '), max_size=10))
def test_any_quotes_are_cells_or_a_value_error(text: str) -> None:
    """And where the standard library reads a line strictly, the cells are the same."""
    try:
        cells = csv_cells(text)
    except ValueError:
        with pytest.raises(csv.Error):
            next(csv.reader([text], strict=True))
    else:
        assert cells == next(csv.reader([text], strict=True), None) or [""]


@given(manifest_bytes(), st.data())
def test_any_cut_gives_one_row_a_line(data: bytes, draw: st.DataObject) -> None:
    """Consecutive indexes, as many as there are lines that are not blank, less a header."""
    rows = cut_rows(*draw.draw(blocks_of(data)))
    assert rows == cut_rows(data)
    filled = [line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    assert [row.index for row in rows] == list(range(len(rows)))
    assert len(filled) - len(rows) in (0, 1)
    assert all((row.url is None) == (row.problem is not None) for row in rows)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("id,url\n7,http://h/a\n", [("7", "http://h/a")]),
        ('"id","URL"\r\n"7","http://h/a,b"\r\n', [("7", "http://h/a,b")]),
        ("\ufeffid,url\n7,http://h/a", [("7", "http://h/a")]),
        ("x,url\n1,http://h/a\n", [("0", "http://h/a")]),
        ('url,id\nhttp://h/a,"say ""x"""\n', [('say "x"', "http://h/a")]),
        ("7,http://h/a\nx,http://h/b,more\n", [("7", "http://h/a"), ("x", "http://h/b")]),
        ('http://h/a\n"http://h/b,c"\n', [("0", "http://h/a"), ("1", "http://h/b,c")]),
        ('id,url\n5" wide,http://h/a\n', [('5" wide', "http://h/a")]),
        ('id;url\n7;"http://h/a;b"\n', [("7", "http://h/a;b")]),
        ("id\turl\n7\thttp://h/a,b\n", [("7", "http://h/a,b")]),
        ("id,url\n,\n", [("0", "")]),
        ("id,url\n \n", []),
    ],
)
def test_columns(manifest: str, expected: list[tuple[str, str]]) -> None:
    """A header names them, and may show semicolons or tabs; without one: id,url or a URL."""
    assert pairs(manifest) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'x,"http://h/a', "not closed"),
        (b'"x,http://h/a', "not closed"),
        (b'"x"y,http://h/a', "behind a closing quote"),
        (b"http://h/a,b", "quote it"),
        (b"words", "found neither"),
        (b"A1;http://h/a", "found neither: semicolons between cells need a header line"),
        (b'"a, b"', "found neither"),
        (b"www.h.org/a.jpg", "http:// or https:// is missing"),
        (b"# words", "begins with #"),
        (b"<html>", "looks like HTML"),
        (b'{"url":5}', "looks like JSON"),
        (b"x,http://h/\xff", "not UTF-8"),
        (b"x,http://h/\0", "NUL"),
        (b'x,"http://h/\ra"', "carriage return"),
    ],
)
def test_a_line_that_cannot_be_read_costs_no_other(line: bytes, said: str) -> None:
    """A quote left open never swallows the next line."""
    before, bad, after = cut_rows(b"a,http://h/a\n" + line + b"\nb,http://h/b\n")
    assert (before.id, after.id, after.index) == ("a", "b", 2)
    assert bad.index == 1
    assert bad.problem is not None
    assert bad.problem.code is ErrorCode.BAD_ROW
    assert said in bad.problem.message


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_header_that_names_no_url_is_told_so(separator: str) -> None:
    """In its own row; those behind it are none of its business."""
    line = separator.join(["Product ID", "Title", "Image URL"])
    first, second = cut_rows(f"{line}\n7,http://h/a\n".encode())
    assert first.problem is not None
    assert "`url`" in first.problem.message
    assert ("found Product ID, Title, Image URL" in first.problem.message) == (separator == ",")
    assert (second.id, second.url) == ("7", "http://h/a")


def test_a_quote_over_a_line_break_is_two_bad_rows() -> None:
    """As documented: a line break always ends a row."""
    first, second = cut_rows(b'id,note,url\n1,"two\nlines",http://h/a\n')
    assert first.problem is not None
    assert "line break" in first.problem.message
    assert second.problem is not None


def test_other_columns_are_passed_through() -> None:
    """Unquoted, as text."""
    [row] = cut_rows(b'id,note,url\n1,"a, ""b""",http://h/a\n', extra=True)
    assert json.loads(row.extra or b"") == {"note": 'a, "b"'}
