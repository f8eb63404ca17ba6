"""Whether and when a failed attempt is made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure
from workers.fetch.failures import status_failure
from workers.fetch.retries import retry_after, seconds_until_next


def waits(
    failure: Failure, *, attempt: int = 1, retries: int = 2, asked: float = 0.0
) -> list[float | None]:
    """What a hundred throws of the dice come to."""
    return [
        seconds_until_next(failure, attempt=attempt, retries=retries, asked=asked)
        for _ in range(100)
    ]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_only_what_passes_is_tried_again(code: ErrorCode) -> None:
    """Connections, silence, cut bodies; not look-ups, which are remembered, and nothing lasting."""
    passing = {ErrorCode.CONNECT, ErrorCode.TIMEOUT, ErrorCode.TRUNCATED_BODY}
    assert (waits(Failure(code))[0] is not None) == (code in passing)


def test_statuses_that_pass() -> None:
    """408, 425, 429 and the server's errors."""
    passing = {408, 425, 429, *range(500, 600)}
    for status in range(100, 1000):
        failure = status_failure(status, None)
        assert (waits(failure)[0] is not None) == (status in passing) == failure.retryable


def test_waits_double_and_are_jittered() -> None:
    """Half a second, one, two, … eight; each somewhere in its upper half."""
    failure = Failure(ErrorCode.CONNECT)
    for attempt, most in enumerate([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0], start=1):
        found = [wait for wait in waits(failure, attempt=attempt, retries=9) if wait is not None]
        assert len(found) == 100
        assert most / 2 <= min(found) < max(found) <= most


def test_attempts_come_to_an_end() -> None:
    """One and as many retries as are set."""
    failure = Failure(ErrorCode.CONNECT)
    assert waits(failure, attempt=2, retries=2)[0] is not None
    assert waits(failure, attempt=3, retries=2)[0] is None
    assert waits(failure, attempt=1, retries=0)[0] is None


def test_what_the_host_asked_is_the_least() -> None:
    """A longer wait of ours stays."""
    assert set(waits(Failure(ErrorCode.CONNECT), asked=30.0)) == {30.0}
    assert all(
        wait is not None and wait > 0.2 for wait in waits(Failure(ErrorCode.CONNECT), asked=0.2)
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 9_999_999_999),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("inf", 0),
        ("nan", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999", 0),
        ("Mon, 01 Jan 2024 00:00:00 -0000", 0),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    """Seconds or a date; what cannot be read asks for nothing."""
    assert retry_after(value) == seconds


def test_retry_after_a_date() -> None:
    """Counted from now."""
    moment = datetime.now(UTC) + timedelta(seconds=90)
    assert 85 < retry_after(format_datetime(moment, usegmt=True)) <= 90


@given(st.text(max_size=60))
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Sat, 01 Jan 0001 00:00:00 +2359")
@example("1 Jan 00 99:99:99 " + "9" * 300)
def test_any_value_is_a_number_of_seconds(value: str) -> None:
    """Headers hold anything."""
    assert 0 <= retry_after(value) < float("inf")
