"""SVG: the declared size, whatever stands around it."""

from __future__ import annotations

import time

import pytest

from imaging.decode import decode
from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, inspect
from imaging.options import Limits
from tests.imaging.serving import served

DOCTYPE = b"""<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://x.test/>" [
  <!ENTITY ns "http://www.w3.org/]>"> <!-- ]> ' --> <?pi ]> ?> ]>
"""


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


@pytest.mark.parametrize(
    ("attributes", "dimension"),
    [
        ('width="100" height="50"', (100, 50)),
        ("width = '100px'\n\theight='50PX'", (100, 50)),
        ('width="1in" height="2.54cm"', (96, 96)),
        ('width="25.4mm" height="101.6Q"', (96, 96)),
        ('width="72pt" height="6pc"', (96, 96)),
        ('width="1e2" height="+.5e1"', (100, 5)),
        ('width="10.5" height="10.49"', (11, 10)),
        ('width="0.2" height="3"', (1, 3)),
        ('width="100%" height="100%" viewBox="0 0 30 20"', (30, 20)),
        ('viewBox="-5,-5 , 30.5 20"', (31, 20)),
        ('width="60" viewBox="0 0 30 20"', (60, 40)),
        ('width="auto" height="10mm" viewBox="0 0 30 20"', (57, 38)),
        ('width="7" width="9" data-width="3" height="5"', (7, 5)),
        ('xmlns="&ns;" width="7" title="a > b" height="5"', (7, 5)),
        ("", None),
        ('width="5"', None),
        ('width="3em" height="4" viewBox="0 0 30 20"', None),
        ('width="&w;" height="4"', None),
        ('width="0" height="4"', None),
        ('width="-1" height="4"', None),
        ('width="1e999" height="4"', None),
        ('width="nan" height="inf"', None),
        ('viewBox="0 0 0 5"', None),
        ('viewBox="0 0 5"', None),
        ('viewBox="0 0 5px 5"', None),
        ("width=5 height=6", None),
    ],
)
def test_size_is_the_declared_one(attributes: str, dimension: tuple[int, int] | None) -> None:
    """Units at 96 to the inch, the viewBox where sides are missing, halves up."""
    assert told(f"<svg {attributes}>".encode())[:5] == ("SVG", dimension, None, 1, None)


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\n \t",
        b'<?xml version="1.0" encoding="utf-8"?>\n',
        b'<!-- <svg width="9" height="9"> -->',
        b"<!DOCTYPE svg>",
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made by hand -->' + DOCTYPE,
    ],
)
def test_what_stands_before_the_root_tag_is_stepped_over(before: bytes) -> None:
    """From any head, too."""
    data = before + b'<svg width="7" height="5"/>'
    assert told(data).image_dimension == (7, 5)
    prefixed = before + b'<s:svg xmlns:s="http://www.w3.org/2000/svg" width="7" height="5"/>'
    assert told(prefixed).image_dimension == (7, 5)
    for first in range(len(data)):
        assert served(data, first) == told(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16(encoding: str) -> None:
    """With its mark or without."""
    assert told('<svg width="7" height="5"/>'.encode(encoding)).image_dimension == (7, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"<svgs/>",
        b"<!-- a drawing --><html><svg width='7' height='5'></html>",
        b"<!DOCTYPE html><svg-page/>",
        b"<note>svg</note>",
        b"<svg",
        b"\x1f\x8b\x08\0" + b"<svg/>",
    ],
)
def test_other_roots_are_no_pictures(data: bytes) -> None:
    """A page with a drawing inside is a page."""
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.NOT_AN_IMAGE


def test_cut_and_endless_root_tags() -> None:
    """Truncated at the end of a file, corrupt where no editor would go on."""
    cut = inspect(b"<svg width='7'", total=14)
    assert isinstance(cut, Failure)
    assert cut.code is ErrorCode.TRUNCATED_IMAGE
    assert inspect(b"<svg width='7'", total=5000) == Need(14, 512 - 14)
    endless = inspect(b"<svg " + b"a='b' " * 20_000, total=1_000_000)
    assert isinstance(endless, Failure)
    assert endless.code is ErrorCode.CORRUPT_IMAGE


@pytest.mark.parametrize(
    "data",
    [
        b"<svg " + b"a" * 70_000,
        b"<svg " + b"a " * 32_000 + b">",
        b"<svg a" + b" " * 65_000 + b">",
        b"<svg " + b'a="" ' * 13_000 + b">",
        b'<svg viewBox="' + b"1" * 60_000 + b'"/>',
        b'<svg viewBox="' + b"1 " * 30_000 + b'"/>',
        b'<svg width="' + b"1" * 60_000 + b'"/>',
        b"<!DOCTYPE svg [" + b"<!--" * 20_000,
        b"<!DOCTYPE svg [" + b'""' * 32_000,
        b"<!DOCTYPE " + b'"' * 65_000,
        b"<!DOCTYPE " + b"[]" * 32_000 + b">",
        b"<!-- -->" * 9_000,
        b"<?x ?>" * 12_000,
        b"\n" * 65_000 + b"<svg",
    ],
    ids=range(14),
)
def test_hostile_text_is_quick(data: bytes) -> None:
    """A bounded number of steps, in the first 64 KiB (ten times what the longest takes)."""
    assert min(seconds(data) for _ in range(5)) < 0.02


def seconds(data: bytes) -> float:
    """Processor time of a look at it."""
    started = time.process_time()
    inspect(data, total=len(data))
    return time.process_time() - started


@pytest.mark.parametrize(
    ("before", "piece", "after", "beyond"),
    [
        (b"<svg ", b"a='' ", b">", ErrorCode.CORRUPT_IMAGE),
        (b"<svg ", b"''", b">", ErrorCode.CORRUPT_IMAGE),
        (b"", b"<?x?>", b"<svg>", ErrorCode.NOT_AN_IMAGE),
        (b"", b"<!---->", b"<svg>", ErrorCode.NOT_AN_IMAGE),
        (b"<!DOCTYPE ", b'""', b"><svg>", ErrorCode.NOT_AN_IMAGE),
        (b"<!DOCTYPE ", b"[]", b"><svg>", ErrorCode.NOT_AN_IMAGE),
        (b"<!DOCTYPE [", b"<?x?>", b"]><svg>", ErrorCode.NOT_AN_IMAGE),
        (b"", b"<!DOCTYPE>", b"<svg>", ErrorCode.NOT_AN_IMAGE),
    ],
)
def test_crumbs_are_not_all_looked_at(
    before: bytes, piece: bytes, after: bytes, beyond: ErrorCode
) -> None:
    """Some hundred comments, values or attributes are a drawing's, thousands are not."""
    assert told(before + piece * 300 + after).image_format == "SVG"
    data = before + piece * 1100 + after
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure)
    assert answer.code is beyond


def test_nothing_is_drawn() -> None:
    """Header facts only."""
    answer = decode(b'<svg width="7" height="5"/>', limits=Limits())
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.UNSUPPORTED_FORMAT
