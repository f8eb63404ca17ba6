"""Lines: however the bytes are cut, the same lines at the same offsets."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.manifest.cutting import blocks_of, manifest_bytes
from workers.manifest.lines import MAX_LINE_BYTES, Line, LineCutter


def cut(blocks: list[bytes], max_bytes: int = MAX_LINE_BYTES) -> list[Line]:
    """All lines of a manifest that comes in *blocks*."""
    cutter = LineCutter(max_bytes)
    lines = [line for block in blocks for line in cutter.feed(block)]
    return lines + cutter.finish()


@given(manifest_bytes(), st.data(), st.integers(1, 12))
def test_any_cut_gives_the_same_lines(data: bytes, draw: st.DataObject, most: int) -> None:
    """Blocks, and a cap that some lines exceed, change nothing about lines and offsets."""
    blocks = draw.draw(blocks_of(data))
    assert cut(blocks, most) == cut([data], most)


@given(manifest_bytes(), st.data())
def test_lines_are_the_bytes_between_line_feeds(data: bytes, draw: st.DataObject) -> None:
    """Each line is what stands before its break, less a BOM at the start and one CR at the end.

    Where nothing stands there is no line.
    """
    expected: list[Line] = []
    end = 0
    for number, piece in enumerate(data.split(b"\n")):
        end = min(end + len(piece) + 1, len(data))
        if piece:
            text = piece.removeprefix(b"\xef\xbb\xbf") if number == 0 else piece
            expected.append(Line(text.removesuffix(b"\r"), end))
    assert cut(draw.draw(blocks_of(data))) == expected


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"\r\n", [b""]),
        (b"\n\na\n\n", [b"a"]),
        (b"\n\xef\xbb\xbfa", [b"\xef\xbb\xbfa"]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"a\r\r\n", [b"a\r"]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b"\xef\xbb\xbf", [b""]),
        (b"a\n\xef\xbb\xbfb\n", [b"a", b"\xef\xbb\xbfb"]),
        (b"a\0b\n", [b"a\0b"]),
    ],
)
def test_breaks_and_marks(data: bytes, texts: list[bytes]) -> None:
    """CRLF is one break, a lone CR is none, a BOM is dropped once; the end needs none."""
    assert [line.text for line in cut([data])] == texts
    assert [line.text for line in cut([data[at : at + 1] for at in range(len(data))])] == texts


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "lengths"),
    [
        (b"12345678\nx\n", [8, 1]),
        (b"123456789\nx\n", [None, 1]),
        (b"x\n123456789", [1, None]),
        (b"123456789\n123456789\nx", [None, None, 1]),
        (b"x\n" + b"y" * 400 + b"\nz", [1, None, 1]),
        (b"\xef\xbb\xbf12345\n", [5]),
        (b"\xef\xbb\xbf123456\n", [None]),  # the mark counts, or the cut would decide
    ],
)
def test_a_line_over_the_cap_is_one_line_without_text(
    data: bytes, lengths: list[int | None], block: int
) -> None:
    """Its offset is exact and its neighbours are whole."""
    lines = cut([data[at : at + block] for at in range(0, len(data), block)], 8)
    assert [None if line.text is None else len(line.text) for line in lines] == lengths
    assert lines[-1].end == len(data)


def test_blocks_of_nothing_but_breaks_are_not_cut() -> None:
    """A small file may inflate to gigabytes of them; offsets are as if they had been."""
    cutter = LineCutter()
    block = b"\n" * 65536
    tracemalloc.start()
    try:
        for _ in range(160):
            assert cutter.feed(block) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(block)
    assert cutter.feed(b"\xef\xbb\xbfa\n") == [Line(b"\xef\xbb\xbfa", 160 * 65536 + 5)]
    assert cutter.feed(b"b") == cutter.feed(b"") == []
    assert cutter.feed(b"\n\n") == [Line(b"b", 160 * 65536 + 7)]


def test_ten_megabytes_without_a_break_are_never_held() -> None:
    """Memory stays within a few blocks and the cap."""
    cutter = LineCutter()
    block = b"x" * 65536
    tracemalloc.start()
    try:
        for _ in range(160):
            assert cutter.feed(block) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_LINE_BYTES
    assert cutter.feed(b"\nnext\n") == [
        Line(None, 160 * 65536 + 1),
        Line(b"next", 160 * 65536 + 6),
    ]
