"""Whether and when a failed attempt is made again. Pure decisions."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from imaging.facts import ErrorCode, Failure

__all__ = ["retry_after", "seconds_until_next"]

#: Failures that pass; a failed look-up is remembered and would only fail again.
_TRANSIENT = frozenset({ErrorCode.CONNECT, ErrorCode.TIMEOUT, ErrorCode.TRUNCATED_BODY})
_FIRST_WAIT = 0.5  # seconds before the second attempt, doubled for each further one
_LONGEST_WAIT = 8.0


def seconds_until_next(
    failure: Failure, *, attempt: int, retries: int, asked: float = 0.0
) -> float | None:
    """Seconds to wait after *attempt* (1, 2, …) failed, or None: it is not to be tried again.

    Waits are jittered by half, so that the rows of a host do not come back at one moment;
    *asked* is the least the host asked for.
    """
    if attempt > retries:
        return None
    passing = failure.retryable if failure.http_status is not None else failure.code in _TRANSIENT
    if not passing:
        return None
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1))
    return max(asked, wait * random.uniform(0.5, 1.0))


def retry_after(value: str | None) -> float:
    """Seconds a `Retry-After` asks for, as a number or a date; 0 where there is none to read."""
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(value.strip()[:10])
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0
