"""Whatever the bytes: no exception, no endless asking, no fact that the whole file denies."""

from __future__ import annotations

import io
import random
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, count_frames, inspect
from tests.imaging.serving import agreeing, served
from tests.samples import SAMPLES

SMALL = {name: data for name, data in SAMPLES.items() if len(data) < 70_000}
MAGICS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    b"\0\0\1\0\1\0",
    b"\0\0\2\0\1\0",
    b"icns\0\0\1\0",
    b"8BPS\0\1",
    b"<",
    b"",
)

names = st.sampled_from(sorted(SMALL))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MAGICS), st.binary(max_size=400), st.integers(0, 64))
def test_random_bytes_behind_a_magic_are_answered(magic: bytes, rest: bytes, first: int) -> None:
    """Random bytes never raise, and their Needs come to an end."""
    data = magic + rest
    assert isinstance(served(data, first), ImageInfo | Failure)
    assert isinstance(served(data, first, total=False), ImageInfo | Failure)
    assert not isinstance(inspect(data, total=len(data)), Need)
    count_frames(data)


@settings(max_examples=300, deadline=None)
@given(names, st.data())
def test_cut_file_tells_nothing_else_than_the_whole(name: str, data: st.DataObject) -> None:
    """A head tells facts of the whole file, or None, or asks."""
    whole = SMALL[name]
    cut = data.draw(st.integers(0, len(whole)))
    answer = inspect(whole[:cut])
    if isinstance(answer, ImageInfo):
        told = inspect(whole, total=len(whole))
        assert isinstance(told, ImageInfo)
        assert answer.image_dimension == told.image_dimension
        assert agreeing(answer, told)
    else:
        assert isinstance(answer, Need)


@settings(max_examples=150, deadline=None)
@given(names, st.data())
def test_file_cut_for_good_is_truncated_or_told(name: str, data: st.DataObject) -> None:
    """Bytes that end for good are never asked for: the answer is what they tell, or truncated."""
    whole = SMALL[name]
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    answer = inspect(cut, total=len(cut))
    assert not isinstance(answer, Need)
    if isinstance(answer, Failure):
        assert answer.code in (ErrorCode.TRUNCATED_IMAGE, ErrorCode.NOT_AN_IMAGE)


@settings(max_examples=300, deadline=None)
@given(names, st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutated_head_is_answered(name: str, changes: list[tuple[int, int]]) -> None:
    """Bytes overwritten in the first 700: an answer, however served, and the same one."""
    damaged = bytearray(SMALL[name])
    for offset, value in changes:
        damaged[offset % len(damaged)] = value
    data = bytes(damaged)
    whole = inspect(data, total=len(data))
    assert not isinstance(whole, Need)
    answer = served(data, 64, least=4096)
    if isinstance(whole, ImageInfo) and isinstance(answer, ImageInfo):
        assert agreeing(answer, whole)
    else:
        assert type(answer) is type(whole)
    count_frames(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutants_that_pillow_opens_are_told_as_pillow_tells_them(seed: int) -> None:
    """Some thousand damaged files: where Pillow still opens one, format, size and mode agree."""
    chance = random.Random(seed)
    pool = [
        data
        for name, data in sorted(SMALL.items())
        if not name.startswith(("webp", "avif", "heif"))
    ]
    opened = 0
    for _ in range(700):
        damaged = bytearray(chance.choice(pool))
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(min(len(damaged), 300))] = chance.randrange(256)
        data = bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(
                    io.BytesIO(data), formats=("JPEG", "PNG", "GIF", "BMP", "TIFF", "ICO")
                ) as image:
                    pillow = image.format, image.size, image.mode
                    whole = bool(getattr(image, "tile", ())) or image.format == "ICO"
        except Exception:  # noqa: S112 - whatever Pillow raises
            continue
        if not whole:  # Pillow opens a JPEG without a scan, and cannot load it
            continue
        opened += 1
        answer = inspect(data, total=len(data))
        assert isinstance(answer, ImageInfo), (pillow, answer)
        assert (answer.image_format, answer.image_dimension, answer.image_mode) == pillow
    assert opened > 300
