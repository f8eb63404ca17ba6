"""JSON arrays: cut at the same places however they come, and never held whole."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.manifest.cutting import blocks_of
from workers.errors import ManifestError
from workers.manifest.json_array import ArrayCutter
from workers.manifest.lines import MAX_LINE_BYTES, Line

_SIGNS = st.sampled_from(
    [b'"', b"\\", b'\\"', b"{", b"}", b"[", b"]", b",", b" ", b"\n", b"1", b'"x"', b'{"a":"]"}']
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def cut(*blocks: bytes, max_bytes: int = MAX_LINE_BYTES) -> tuple[list[Line], str | None]:
    """All elements, and what went wrong behind them."""
    cutter, lines = ArrayCutter(max_bytes), []
    try:
        for block in blocks:
            lines += cutter.feed(block)
        return lines + cutter.finish(), None
    except ManifestError as error:
        return lines, str(error)


@given(st.lists(_SIGNS, max_size=25).map(b"".join), st.data(), st.integers(1, 9))
def test_any_cut_gives_the_same_elements(data: bytes, draw: st.DataObject, most: int) -> None:
    """Whatever stands in the array, closed or not; and a cap changes no neighbour."""
    data = b"[" + data
    blocks = draw.draw(blocks_of(data))
    assert cut(*blocks) == cut(data)
    capped = cut(*blocks, max_bytes=most)
    assert capped == cut(data, max_bytes=most)
    assert [line.end for line in capped[0]] == [line.end for line in cut(data)[0]]


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 1]), st.data())
def test_elements_are_those_of_the_parser(
    values: list[Any], indent: int | None, draw: st.DataObject
) -> None:
    """On one line or many, escaped or not."""
    data = json.dumps(values, indent=indent, ensure_ascii=draw.draw(st.booleans())).encode()
    lines, error = cut(*draw.draw(blocks_of(b"\xef\xbb\xbf \n" + data + b"\r\n ")))
    assert error is None
    assert [json.loads(line.text or b"") for line in lines] == values
    assert [line.end for line in lines] == sorted({line.end for line in lines})


@pytest.mark.parametrize(
    ("data", "texts", "error"),
    [
        (b"[]", [], None),
        (b"", [], None),
        (b" \n", [], None),
        (b'["a",]', [b'"a"'], None),
        (rb'["a\"],", "b\\", "c"]', [rb'"a\"],"', rb'"b\\"', b'"c"'], None),
        (b'["a",,"b"]', [b'"a"', b'"b"'], None),
        (b"[oops, {]}, 2]", [b"oops", b"{]}", b"2"], None),
        (b"[oops, 1}, {]]", [b"oops", b"1}", b"{]"], None),
        (b'["a"', [], "ends in the middle"),
        (b'["a","b', [b'"a"'], "ends in the middle"),
        (b"[", [], "ends in the middle"),
        (b'["a"] ["b"]', [b'"a"'], "something stands behind"),
        (b'{"a":1}', [], "not an array"),
    ],
)
def test_ends(data: bytes, texts: list[bytes], error: str | None) -> None:
    """An array that is cut short is never taken for a whole one."""
    for blocks in ([data], [data[at : at + 1] for at in range(len(data))]):
        lines, told = cut(*blocks)
        assert [line.text for line in lines] == texts
        assert error in (told or "") if error else told is None


def test_a_huge_element_is_never_held() -> None:
    """Also one that is only spaces, or a string nobody closes."""
    for begin in (b'["', b"[", b'[{"a":[[['):
        cutter = ArrayCutter()
        cutter.feed(begin)
        block = b" " * 65536
        tracemalloc.start()
        try:
            for _ in range(160):
                assert cutter.feed(block) == []
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * MAX_LINE_BYTES
    lines, error = cut(b'["a", "', b"x" * 400_000, b'" , "b"]')
    assert error is None
    assert [line.text for line in lines] == [b'"a"', None, b'"b"']
