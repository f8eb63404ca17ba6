"""What is no picture we know gets a name."""

from __future__ import annotations

import pytest

from imaging.facts import ErrorCode, Failure
from imaging.header import Need, inspect

UNSUPPORTED = [
    (b"\0\0\2\0\0\0\0\0\0\0\0\0\5\0\4\0\x18\0" + bytes(60), "TGA"),
    (b"%PDF-1.7\n", "PDF"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS"),
    (b"P6\n3 2\n255\n", "PNM"),
    (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "CR3"),
]
NO_IMAGE = [
    (b"<!DOCTYPE html><html><body><svg></svg></body></html>", "HTML"),
    (b"\r\n  <HTML><head><title>404</title>", "HTML"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
    (b'{"error": "not found"}', "JSON"),
    (b"Not Found", "text"),
    ("Не найдено".encode(), "text"),
    (b"\x1f\x8b\x08\0", "gzip"),
    (b"PK\3\4\x14\0", "ZIP"),
    (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "film"),
    (b"\x07\x00\x9c\x11\xfe\x80", "nothing known"),
    (b"\xff\xd8 cut", "nothing known"),
    (b"x", "text"),
    (b"\0" * 64, "nothing known"),
]


def failure(data: bytes) -> Failure:
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure)
    return answer


@pytest.mark.parametrize(("data", "name"), UNSUPPORTED, ids=[repr(d[:12]) for d, _ in UNSUPPORTED])
def test_other_formats_are_named(data: bytes, name: str) -> None:
    """A picture, but none we read: unsupported_format, with its name."""
    assert failure(data).code is ErrorCode.UNSUPPORTED_FORMAT
    assert name in failure(data).message


@pytest.mark.parametrize(("data", "name"), NO_IMAGE, ids=[repr(d[:12]) for d, _ in NO_IMAGE])
def test_what_is_no_picture_is_described(data: bytes, name: str) -> None:
    """An error page says so in its record."""
    assert failure(data).code is ErrorCode.NOT_AN_IMAGE
    assert name in failure(data).message


def test_no_bytes_at_all_are_an_empty_body() -> None:
    """Empty is told apart from not yet begun."""
    assert failure(b"").code is ErrorCode.EMPTY_BODY
    assert inspect(b"") == Need(0, 32)
    assert inspect(b"", total=7) == Need(0, 7)


def test_few_bytes_of_an_unfinished_file_are_not_judged() -> None:
    """A body that grows is judged when enough is there, a page when it says what it is."""
    assert inspect(b"<", total=4000) == Need(1, 511)
    assert inspect(b"<?xml version='1.0' encoding='utf-8'?>", total=4000) == Need(38, 512 - 38)
    assert inspect(b"\x89PN") == Need(3, 29)
