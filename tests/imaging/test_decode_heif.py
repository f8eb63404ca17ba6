"""Decoding AVIF and HEIF: upright, whole or not at all, and HEIF only where it can be."""

from __future__ import annotations

import importlib
import io
import struct
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from imaging import heif_opener
from imaging.decode import Decoded, decode
from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import inspect
from imaging.options import Limits
from tests.samples import SAMPLES

LIMITS = Limits(max_pixels=1_000_000)


def decoded(data: bytes) -> Decoded:
    result = decode(data, limits=LIMITS)
    assert isinstance(result, Decoded), result
    return result


def failure(data: bytes, limits: Limits = LIMITS) -> Failure:
    result = decode(data, limits=limits)
    assert isinstance(result, Failure), result
    return result


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("family", ["avif", "heif"])
def test_turned_once(family: str, turn: int) -> None:
    """Neither left lying nor turned twice: the same picture as the JPEG of that orientation."""
    upright = np.asarray(decoded(SAMPLES[f"jpeg-exif-{turn}"]).image, dtype=float)
    pixels = np.asarray(decoded(SAMPLES[f"{family}-turned-{turn}"]).image, dtype=float)
    assert pixels.shape == upright.shape
    assert np.abs(pixels - upright).mean() < 16


def test_orientation_in_xmp_alone_turns_an_avif_as_in_pillow() -> None:
    """Where neither a property nor EXIF tells one."""
    assert decoded(SAMPLES["avif-xmp"]).info.orientation == 8
    assert decoded(SAMPLES["avif-xmp"]).image.size == (43, 61)


@pytest.mark.parametrize("name", ["avif-large", "avif-animated", "heif-large", "heif-tiles"])
def test_half_a_file_is_truncated(name: str) -> None:
    """By that name."""
    data = SAMPLES[name]
    assert failure(data[: len(data) // 2]).code is ErrorCode.TRUNCATED_IMAGE


@pytest.mark.parametrize("name", ["heif-tiles", "heif-several", "avif-animated", "avif-RGBA"])
def test_no_cut_gives_partial_pixels(name: str) -> None:
    """libheif leaves a tile blank that is not there."""
    data = SAMPLES[name]
    whole = np.asarray(decoded(data).image)
    for cut in {*range(1, len(data), len(data) // 60), *range(len(data) - 20, len(data))}:
        result = decode(data[:cut], limits=LIMITS)
        if isinstance(result, Decoded):
            assert np.array_equal(np.asarray(result.image), whole), cut
        else:
            assert result.code in (
                ErrorCode.TRUNCATED_IMAGE,
                ErrorCode.CORRUPT_IMAGE,
                ErrorCode.NOT_AN_IMAGE,
            )


@pytest.mark.parametrize("name", ["avif-RGB", "heif-RGB"])
def test_too_many_pixels_are_refused_before_decoding(name: str) -> None:
    """By the size as coded: of the HEIF a property cuts out a few pixels only."""
    data = bytearray(SAMPLES[name])
    at = data.find(b"ispe") + 8
    data[at : at + 8] = (60_000).to_bytes(4) * 2
    info = inspect(bytes(data), total=len(data))
    assert not isinstance(info, Failure)
    tracemalloc.start()
    try:
        assert failure(bytes(data)).code is ErrorCode.TOO_MANY_PIXELS
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_without_the_extra_heif_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure says what to install; header facts and AVIF need nothing."""
    try:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "pillow_heif", None)
            assert importlib.reload(heif_opener).REGISTERED is False
        refused = failure(SAMPLES["heif-RGB"])
        assert refused.code is ErrorCode.UNSUPPORTED_FORMAT
        assert '"heif"' in refused.message
        assert decoded(SAMPLES["avif-RGB"]).image.size == (61, 43)
    finally:
        assert importlib.reload(heif_opener).REGISTERED is True


def test_only_children_of_the_pool_load_it() -> None:
    """The parent of the pool has neither Pillow nor libheif near the event loop."""
    child = "import workers.pool.preload; from PIL import Image; assert 'HEIF' in Image.OPEN"
    parent = (
        "import sys, workers.pool, imaging.header; "
        "sys.exit('PIL' in sys.modules or 'pillow_heif' in sys.modules)"
    )
    for code in (child, parent):
        subprocess.run([sys.executable, "-c", code], check=True)


def test_limits_of_libheif_stay_on() -> None:
    """It bounds what a header may ask it to allocate."""
    assert pillow_heif.options.DISABLE_SECURITY_LIMITS is False
    assert pillow_heif.options.THUMBNAILS is False


def encoded(image: Image.Image, name: str, **saved: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **saved)
    return stream.getvalue()


def small_by_its_container(**saved: Any) -> bytes:
    """An AVIF of 1,200×1,000 pixels whose container says 64×64."""
    mode = str(saved.pop("mode", "RGB"))
    data = encoded(Image.new(mode, (1200, 1000)), "AVIF", **saved)
    size = struct.pack(">II", 1200, 1000)
    fixed = struct.pack(">II", 1200 << 16, 1000 << 16)
    assert size in data
    return data.replace(size, struct.pack(">II", 64, 64)).replace(fixed, bytes((0, 64, 0, 0) * 2))


@pytest.mark.parametrize(
    "saved",
    [{}, {"save_all": True, "append_images": [Image.new("RGB", (1200, 1000), "red")]}],
    ids=["picture", "sequence"],
)
def test_avif_larger_than_its_container_says_is_refused(saved: dict[str, Any]) -> None:
    """libavif would decode it all and scale it down."""
    data = small_by_its_container(**saved)
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo)
    assert info.image_dimension == (64, 64)
    assert failure(data).code is ErrorCode.TOO_MANY_PIXELS
    assert isinstance(decode(data, limits=Limits(max_pixels=1_200_000)), Decoded)


def test_avif_whose_transparency_is_larger_is_refused() -> None:
    """It is decoded too."""
    data = encoded(Image.new("RGBA", (64, 64)), "AVIF")
    large = encoded(Image.new("L", (1200, 1000)), "AVIF")
    picture = large[large.index(b"mdat") + 4 :]
    at = data.index(b"iloc") + 12
    for item in range(2):  # of each: number, kind, count, place, length
        places = list(struct.unpack_from(">HHHII", data, at + 14 * item))
        if places[0] == 2:
            places[3:] = len(data) + 8, len(picture)
            data = (
                data[: at + 14 * item]
                + struct.pack(">HHHII", *places)
                + data[at + 14 * item + 14 :]
            )
    data += struct.pack(">I4s", 8 + len(picture), b"mdat") + picture
    assert failure(data).code is ErrorCode.TOO_MANY_PIXELS


def test_heif_of_an_odd_primary_item_is_judged_by_every_size_told() -> None:
    """libheif takes another item then."""
    data = bytearray(SAMPLES["heif-RGB"])
    at = data.index(b"pitm") + 8
    data[at : at + 2] = b"\0\x63"
    result = decode(bytes(data), limits=LIMITS)
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 1200, 1000)
    assert failure(bytes(data)).code is ErrorCode.TOO_MANY_PIXELS
    assert not isinstance(result, Failure) or result.code is not ErrorCode.TOO_MANY_PIXELS


def test_limit_of_libheif_is_no_lack_of_memory() -> None:
    """It says so, but nothing died."""
    data = bytearray(SAMPLES["heif-RGB"])
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
    assert failure(bytes(data), Limits(max_pixels=10**10)).code is ErrorCode.TOO_MANY_PIXELS
