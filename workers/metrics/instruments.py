"""What rows are counted and timed by on their way. One set for an engine; handed to who counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from imaging.facts import ErrorCode, Failure
from workers.metrics.histogram import Histogram

__all__ = ["OUTCOMES", "Downloaded", "Instruments", "Timings"]

#: What a row, or a download, may come to: `ok` or an error code.
OUTCOMES = ("ok", *(code.value for code in ErrorCode))


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of a row goes, in the order it goes there."""

    #: From being queued until its host granted a permit and a task took it; of each attempt.
    permit_wait: Histogram = field(default_factory=Histogram)
    dns: Histogram = field(default_factory=Histogram)  #: a look-up; also one that found nothing
    connect: Histogram = field(default_factory=Histogram)  #: TCP and TLS; also in vain
    first_byte: Histogram = field(default_factory=Histogram)  #: a question, till its answer's head
    body: Histogram = field(default_factory=Histogram)  #: from there till all that is wanted is had
    decode: Histogram = field(default_factory=Histogram)  #: one picture, in the pool
    predict: Histogram = field(default_factory=Histogram)  #: one batch, or a part of one; there too

    def named(self) -> list[tuple[str, Histogram]]:
        """Each with its name."""
        return [(one.name, getattr(self, one.name)) for one in fields(self)]


class Downloaded:
    """What downloads came to: each is one URL, with all its attempts, redirects and ranges."""

    __slots__ = ("bytes", "outcomes")

    def __init__(self) -> None:
        self.bytes = 0  #: of bodies received
        self.outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))

    def ended(self, outcome: object, size: int) -> None:
        """One has ended, for which *size* bytes were received; a Failure, or it went well."""
        self.outcomes[outcome.code.value if type(outcome) is Failure else "ok"] += 1
        self.bytes += size

    def cancelled(self, size: int) -> None:
        """One was cut off: nobody waits for it any more."""
        self.outcomes[ErrorCode.CANCELLED.value] += 1
        self.bytes += size


@dataclass(frozen=True, slots=True)
class Instruments:
    """All of them."""

    timings: Timings = field(default_factory=Timings)
    downloads: Downloaded = field(default_factory=Downloaded)
