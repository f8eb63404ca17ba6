"""Orientation out of EXIF blocks, whole, cut and damaged."""

from __future__ import annotations

import io
import struct
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.header import exif
from tests import samples

BLOCK = samples.exif(6)


def block(order: str, kind: int, count: int, value: bytes) -> bytes:
    """An EXIF block of one entry, the orientation."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHI", 0x0112, kind, count) + value
    return magic + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def test_every_orientation_is_read() -> None:
    """1 to 8, in both byte orders."""
    for turn in range(1, 9):
        for order in "<>":
            data = block(order, 3, 1, struct.pack(order + "HH", turn, 0))
            assert exif.orientation(data, 0, len(data)) == turn


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_undefined_orientation_turns_nothing(value: int) -> None:
    """Cameras write 0. It is told all the same: XMP is asked only where there is none."""
    data = block("<", 3, 1, struct.pack("<HH", value, 0))
    assert exif.orientation(data, 0, len(data)) == 1


def test_long_integers_are_read_and_texts_are_not() -> None:
    """The type is checked before the value."""
    data = block(">", 4, 1, struct.pack(">I", 3))
    assert exif.orientation(data, 0, len(data)) == 3
    data = block(">", 2, 4, b"3\0\0\0")
    assert exif.orientation(data, 0, len(data)) == 1


@pytest.mark.parametrize("cut", range(len(BLOCK)))
def test_cut_block_tells_the_same_or_says_that_it_is_cut(cut: int) -> None:
    """The answer is 6 or that it is not here, never that there is none."""
    try:
        assert exif.orientation(BLOCK[:cut], 0, len(BLOCK)) == 6
    except exif.NotPresentError:
        assert cut < len(BLOCK)


def test_value_outside_the_block_ends_the_directory() -> None:
    """Pillow stops reading there, so what follows does not count."""
    broken = struct.pack("<HHII", 0x010F, 2, 50, 10_000)
    turn = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    data = b"II*\0" + struct.pack("<IH", 8, 2) + broken + turn + bytes(100)
    assert exif.orientation(data, 0, len(data)) is None
    fitting = data.replace(struct.pack("<I", 10_000), struct.pack("<I", 40))
    assert exif.orientation(fitting, 0, len(fitting)) == 6


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(6, len(BLOCK) - 1), st.integers(0, 255)), max_size=4),
)
def test_damaged_block_is_read_as_pillow_reads_it(changes: list[tuple[int, int]]) -> None:
    """Where Pillow reads the block at all, the orientation is the same."""
    damaged = bytearray(BLOCK)
    for offset, value in changes:
        damaged[offset] = value
    ours = exif.orientation(bytes(damaged), 0, len(damaged))
    reader = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.load(bytes(damaged))
            theirs = reader.get(0x0112)
    except (SyntaxError, struct.error):
        return
    usable = theirs is None or (isinstance(theirs, int) and 1 <= theirs <= 8)
    assert ours == (theirs if usable else 1)


def test_header_module_reads_what_pillow_wrote() -> None:
    """The block of a real file, found where Pillow puts it."""
    data = samples.SAMPLES["jpeg-exif-5"]
    with Image.open(io.BytesIO(data)) as image:
        written = image.info["exif"]
    assert exif.orientation(data, data.find(b"Exif\0\0"), len(written)) == 5
