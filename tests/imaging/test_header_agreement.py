"""The walkers tell what Pillow tells, from a few bytes or many."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from imaging.facts import ImageInfo
from imaging.header import Need, count_frames, inspect
from tests.imaging.serving import agreeing, served
from tests.samples import SAMPLES, family

HEADS = (1, 12, 31, 64, 200, 512, 1024, 4096, 16384)


def told_by_pillow(data: bytes) -> ImageInfo:
    with Image.open(io.BytesIO(data)) as image:
        mode = image.mode  # getexif may load, and loading may change the mode
        try:
            orientation = image.getexif().get(0x0112, 1)
        except SyntaxError:  # EXIF that is none
            orientation = 1
        return ImageInfo(
            str(image.format),
            image.size,
            mode,
            orientation if 1 <= orientation <= 8 else 1,
            getattr(image, "is_animated", False),
            len(data),
        )


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_whole_file_tells_what_pillow_tells(name: str) -> None:
    """With the whole file in hand no fact is missing and none differs."""
    data = SAMPLES[name]
    assert inspect(data, total=len(data)) == told_by_pillow(data)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_served_heads_tell_what_pillow_tells(name: str) -> None:
    """From any head on, following the Needs, facts are Pillow's or missing, dimensions never."""
    data, pillow = SAMPLES[name], told_by_pillow(SAMPLES[name])
    for first in HEADS:
        for least in (0, 4096):
            info = served(data, first, least=least)
            assert isinstance(info, ImageInfo), (first, info)
            assert (info.image_format, info.image_dimension) == (
                pillow.image_format,
                pillow.image_dimension,
            )
            assert agreeing(info, pillow), (first, info)


@pytest.mark.parametrize("name", SAMPLES)
def test_head_of_16_kib_needs_at_most_three_more_ranges(name: str) -> None:
    """The downloader allows three ranges after the first; fat metadata must do with them."""
    data = SAMPLES[name]
    more: list[tuple[int, bytes]] = []
    while isinstance(answer := inspect(data[:16384], total=len(data), more=more), Need):
        end = answer.offset + max(answer.length, 65_536)
        more.append((answer.offset, data[answer.offset : end]))
    assert isinstance(answer, ImageInfo)
    assert len(more) <= 3


WITH_EXIF = [name for name in family("JPEG") if "-exif-" in name or name == "jpeg-fat-exif"]


@pytest.mark.parametrize("name", WITH_EXIF)
def test_jpeg_orientation_is_told_whatever_the_head(name: str) -> None:
    """EXIF stands at the front: enough of it is read even where most is stepped over."""
    for first in (4, 30, 100, 4096):
        info = served(SAMPLES[name], first)
        assert isinstance(info, ImageInfo)
        assert info.orientation is not None, first


@pytest.mark.parametrize("name", SAMPLES)
def test_frames_are_counted_as_pillow_counts_them(name: str) -> None:
    """Our count of frames is Pillow's n_frames."""
    with Image.open(io.BytesIO(SAMPLES[name])) as image:
        assert count_frames(SAMPLES[name]) == getattr(image, "n_frames", 1)


@pytest.mark.parametrize("name", ["apng", "gif-animated", "webp-animated", "mpo"])
def test_frames_beyond_the_limit_are_not_counted(name: str) -> None:
    """A bound on the count makes it None, not a lie."""
    assert count_frames(SAMPLES[name], limit=3) == 3
    assert count_frames(SAMPLES[name], limit=2) is None


def test_header_does_not_import_pillow() -> None:
    """The event loop inspects headers; no C decoder may come with them."""
    code = "import imaging.header, sys; sys.exit('PIL' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
