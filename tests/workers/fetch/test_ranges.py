"""What an answer claims to be, decided by its status and Content-Range alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from workers.fetch.ranges import Answer, Kind, judge, range_header, strong_validator

PART, WHOLE, EMPTY, UNRANGED, ERROR = (
    Kind.PART,
    Kind.WHOLE,
    Kind.EMPTY,
    Kind.UNRANGED,
    Kind.ERROR,
)


def said(status: int, claim: str | None, *, asked: int | None = 0) -> Answer:
    headers = {} if claim is None else {"content-range": claim}
    return judge(status, CIMultiDict(headers), asked=asked)


@pytest.mark.parametrize(
    ("status", "claim", "asked", "answer"),
    [
        (206, "bytes 0-99/500", 0, Answer(PART, 500)),
        (206, "bytes 0-0/1", 0, Answer(PART, 1)),
        (206, "bytes 100-499/500", 100, Answer(PART, 500)),
        (206, "bytes 0-99/*", 0, Answer(UNRANGED)),
        (206, "bytes 1-99/500", 0, Answer(UNRANGED)),
        (206, "bytes 0-99/500", 100, Answer(UNRANGED)),
        (206, "bytes 0-500/500", 0, Answer(UNRANGED)),
        (206, "bytes 9-8/500", 9, Answer(UNRANGED)),
        (206, "bytes */500", 0, Answer(UNRANGED)),
        (206, "bytes 0-99", 0, Answer(UNRANGED)),
        (206, "0-99/500", 0, Answer(UNRANGED)),
        (206, "bytes=0-99/500", 0, Answer(UNRANGED)),
        (206, "bytes -1-99/500", 0, Answer(UNRANGED)),
        (206, "bytes 0-99/" + "9" * 30, 0, Answer(UNRANGED)),
        (206, None, 0, Answer(UNRANGED)),
        (206, "bytes 0-99/500", None, Answer(ERROR)),
        (200, None, 0, Answer(WHOLE)),
        (200, "bytes 0-99/500", 0, Answer(WHOLE)),
        (200, None, None, Answer(WHOLE)),
        (203, None, None, Answer(WHOLE)),
        (416, "bytes */0", 0, Answer(EMPTY)),
        (416, "bytes */500", 0, Answer(UNRANGED)),
        (416, None, 0, Answer(UNRANGED)),
        (416, "bytes */0", None, Answer(ERROR)),
        (400, None, 0, Answer(UNRANGED)),
        (403, None, 0, Answer(UNRANGED)),
        (501, None, 0, Answer(UNRANGED)),
        (400, None, None, Answer(ERROR)),
        (403, None, None, Answer(ERROR)),
        (404, None, 0, Answer(ERROR)),
        (500, "bytes 0-99/500", 0, Answer(ERROR)),
        (204, None, 0, Answer(ERROR)),
        (304, None, 0, Answer(ERROR)),
    ],
)
def test_judge(status: int, claim: str | None, asked: int | None, answer: Answer) -> None:
    """A part counts only from the byte asked for and with a total; refusals only of a Range."""
    assert said(status, claim, asked=asked) == answer


@given(st.integers(100, 999), st.text(max_size=30), st.none() | st.integers(0, 1 << 40))
def test_any_answer_is_judged(status: int, claim: str, asked: int | None) -> None:
    """Never an exception; a total comes with a part and only with one."""
    answer = said(status, claim, asked=asked)
    assert (answer.total is not None) == (answer.kind is PART)


def test_unicode_digits_are_no_numbers() -> None:
    """Or a total could be misread."""
    assert said(206, "bytes 0-99/５００") == Answer(UNRANGED)


def test_range_header() -> None:
    """The last byte is inclusive."""
    assert range_header(0, 16384) == "bytes=0-16383"
    assert range_header(100, 1) == "bytes=100-100"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({}, None),
        ({"ETag": '"a"'}, '"a"'),
        ({"ETag": '"a"', "Last-Modified": "then"}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "then"}, "then"),
        ({"ETag": 'W/"a"'}, None),
        ({"ETag": "", "Last-Modified": "then"}, "then"),
    ],
)
def test_strong_validator(headers: dict[str, str], validator: str | None) -> None:
    """A weak tag does not say that the bytes are the same."""
    assert strong_validator(CIMultiDict(headers)) == validator
