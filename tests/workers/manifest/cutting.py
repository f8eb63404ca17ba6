"""Manifests made up by hypothesis, and ways to cut them into blocks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

__all__ = ["blocks_of", "manifest_bytes"]

#: What manifests are made of, and what breaks careless readers.
_PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\r", b"\t", b" ", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf"),
        *(b"id", b"url", b"URL", b"7", b"http://h/a", b'"', b",", b"#", b"\x0b\x85"),
        *("ü".encode(), "\u2028".encode()),
    ]
)


def manifest_bytes() -> st.SearchStrategy[bytes]:
    """Any bytes at all, mostly such as look like a manifest."""
    return st.one_of(st.lists(_PIECES, max_size=40).map(b"".join), st.binary(max_size=60))


def blocks_of(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Cut *data* anywhere, empty blocks included."""
    places = st.lists(st.integers(0, len(data)), max_size=12)

    def cut(ends: list[int]) -> list[bytes]:
        bounds = [0, *sorted(ends), len(data)]
        return [data[low:high] for low, high in pairwise(bounds)]

    return places.map(cut)
