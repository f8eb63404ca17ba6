"""Full depth: every fact at once, the same as at header depth, and thumbnails."""

from __future__ import annotations

import base64
import hashlib
import io
import pickle

import pytest
from PIL import Image

from imaging.decode import Decoded, decode
from imaging.examine import Examined, examine
from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import inspect
from imaging.measure import measure
from imaging.options import Limits
from imaging.thumbnail import thumbnail
from tests.imaging.serving import agreeing
from tests.samples import SAMPLES, encode, picture

LIMITS = Limits()
LARGE = encode(picture(size=(48, 36)).resize((2100, 1400)), "JPEG", quality=90)


def opened(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(body, validate=True)))


@pytest.mark.parametrize("name", SAMPLES)
def test_full_depth_tells_everything_and_agrees_with_header_depth(name: str) -> None:
    """No fact is None, and what a head tells is what the whole file tells."""
    data = SAMPLES[name]
    result = examine(data, limits=LIMITS)
    assert isinstance(result, Examined), result
    assert [name for name, fact in result.info._asdict().items() if fact is None] == []
    assert result.info.sha256 == hashlib.sha256(data).hexdigest()
    assert result.info.image_size == len(data)
    head = inspect(data, total=len(data))
    assert isinstance(head, ImageInfo)
    assert agreeing(head, result.info)


def test_result_survives_the_way_back_from_the_pool() -> None:
    """Plain values: they pickle, and two runs are equal."""
    first, second = (examine(SAMPLES["mpo"], limits=LIMITS, thumbnail=32) for _ in range(2))
    assert pickle.loads(pickle.dumps(first)) == first == second  # noqa: S301


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.EMPTY_BODY),
        (b"<html></html>", ErrorCode.NOT_AN_IMAGE),
        (b"<svg/>", ErrorCode.UNSUPPORTED_FORMAT),
        (SAMPLES["png-large"][:5000], ErrorCode.TRUNCATED_IMAGE),
    ],
)
def test_failure_of_any_step_is_the_answer(data: bytes, code: ErrorCode) -> None:
    """Failures come back as values."""
    result = examine(data, limits=LIMITS)
    assert isinstance(result, Failure)
    assert result.code is code


@pytest.mark.parametrize("side", [1, 96, 256])
def test_thumbnail_has_the_long_side_asked_for(side: int) -> None:
    """A WebP in a data URI, of the picture's proportions."""
    with opened(thumbnail(picture(size=(640, 480)), side=side)) as small:
        assert small.format == "WEBP"
        assert small.size == (side, max(round(side * 0.75), 1))


def test_thumbnail_is_upright_and_never_enlarged() -> None:
    """The orientation is undone; a small picture stays small."""
    result = examine(SAMPLES["jpeg-exif-6"], limits=LIMITS, thumbnail=256)
    assert isinstance(result, Examined)
    assert result.thumbnail is not None
    with opened(result.thumbnail) as small:
        assert small.size == (43, 61)


@pytest.mark.parametrize("side", [0, 257])
def test_thumbnail_outside_the_bounds_is_a_bug(side: int) -> None:
    """The request is validated long before."""
    with pytest.raises(ValueError, match="1 to 256"):
        thumbnail(picture(), side=side)


def test_narrow_picture_keeps_a_pixel() -> None:
    """A side never rounds to nothing."""
    with opened(thumbnail(picture(size=(2000, 3)), side=64)) as small:
        assert small.size == (64, 1)


def test_thumbnail_is_of_the_large_picture() -> None:
    """The measuring decode is large enough for every thumbnail."""
    result = examine(LARGE, limits=LIMITS, thumbnail=256)
    assert isinstance(result, Examined)
    assert result.info.image_dimension == (2100, 1400)
    assert result.thumbnail is not None
    with opened(result.thumbnail) as small:
        assert small.size == (256, 171)


def test_scaled_decode_measures_as_the_full_one() -> None:
    """A large JPEG is decoded at half its size; hash and measures hardly notice."""
    result, full = examine(LARGE, limits=LIMITS), decode(LARGE, limits=LIMITS)
    assert isinstance(result, Examined)
    assert isinstance(full, Decoded)
    expected = measure(full.image)
    turned = int(str(result.info.phash), 16) ^ int(expected.phash, 16)
    assert turned.bit_count() <= 4
    assert result.info.brightness == pytest.approx(expected.brightness, abs=0.2)
    assert result.info.sharpness == pytest.approx(expected.sharpness, rel=0.1)
