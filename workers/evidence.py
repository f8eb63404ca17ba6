"""Counts of a run, as a diagnosis asks for them, and the words they are told in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple, Protocol

from imaging.facts import ErrorCode
from workers.hosts_counted import HTTP, HostCount, HostsCounted

__all__ = ["FEW", "Counted", "Evidence", "Place", "named", "share", "some"]

#: Fewer rows are chance.
FEW = 5
#: A smaller part of the failures than one in so many is not what is wrong with a run.
PART = 20

_SENTENCES = {code.value: code.sentence for code in ErrorCode}
_OF_THE_MANIFEST = (ErrorCode.BAD_ROW, ErrorCode.BAD_URL, ErrorCode.BAD_SCHEME)


class Counted(Protocol):
    """What has been counted of rows: a `Summary`."""

    rows: int
    errors: Counter[str]
    http_statuses: Counter[str]
    hosts: HostsCounted

    @property
    def failed(self) -> int:
        """Rows without facts."""
        ...

    @property
    def retryable(self) -> int:
        """Failures that may pass."""
        ...


class Place(NamedTuple):
    """What one host has of some reasons."""

    host: str
    rows: int
    first: int  #: the first row
    at_least: bool  #: there may be more, and earlier ones
    reasons: list[str]  #: those there are, by name

    @property
    def since(self) -> str:
        """` since row 40,000`, where not all rows had it."""
        if not self.first:
            return ""
        return f" since row {self.first:,}{' or before' if self.at_least else ''}"


class Evidence:
    """The counts of one run. Reasons are error codes, and `http_404` for each status."""

    def __init__(self, counted: Counted) -> None:
        self.rows = counted.rows
        self.failed = counted.failed
        self.retryable = counted.retryable
        self.hosts = counted.hosts
        self._reasons = Counter(counted.errors)
        self._reasons.update({HTTP + name: rows for name, rows in counted.http_statuses.items()})
        self.tried = self.rows - self.of(_OF_THE_MANIFEST)  #: rows with a URL to be asked for
        self.explained: set[str] = set()  #: reasons that a rule has told of

    def of(self, reasons: Collection[str]) -> int:
        """Rows that failed for one of these."""
        return sum(self._reasons[reason] for reason in reasons)

    def worth_telling(self, rows: int) -> bool:
        """Whether so many failures are more than chance, and a part of all that counts."""
        return rows >= FEW and rows * PART >= self.failed

    def places(self, reasons: Collection[str]) -> list[Place]:
        """Hosts that failed for one of these, the worst first."""
        found = [_place(name, host, reasons) for name, host in self.hosts.hosts.items()]
        places = [place for place in found if place is not None]
        return sorted(places, key=lambda place: (-place.rows, place.first, place.host))

    def only_host(self, reasons: Collection[str]) -> str | None:
        """The host that has all of it."""
        places = self.places(reasons)
        return places[0].host if places and places[0].rows >= self.of(reasons) else None

    def many_hosts(self, reasons: Collection[str], least: int) -> bool:
        """Whether so many hosts have it, or more than could be kept."""
        return self.hosts.dropped or len(self.places(reasons)) >= least

    # In words.

    def where(self, reasons: Collection[str]) -> str:
        """`, all at one.example`, or as much of it as is known."""
        places, rows = self.places(reasons), self.of(reasons)
        if not places:
            return ""
        worst = places[0]
        if worst.rows >= rows:
            return f", all at {worst.host}"
        if worst.rows * 10 >= rows * 8:
            return f", most at {worst.host}"
        return ", at many hosts" if self.hosts.dropped else f", at {some(len(places), 'host')}"

    def told(self, rows: int) -> str:
        """`1,204 rows, 93 % of the failures`."""
        if rows >= self.rows:
            return f"all {some(rows, 'row')}"
        if rows >= self.failed:
            return f"{some(rows, 'row')}, all the failures"
        part = f", {share(rows, self.failed)} of the failures" if 2 * rows >= self.failed else ""
        return some(rows, "row") + part

    def of_failures(self, rows: int) -> str:
        """`93 % of the failures`, to begin a sentence with."""
        if rows >= self.failed:
            return f"All {some(self.failed, 'failure')}"
        return f"{share(rows, self.failed).capitalize()} of the failures"


def _place(name: str, host: HostCount, reasons: Collection[str]) -> Place | None:
    mine = {reason: one for reason, one in host.reasons.items() if reason in reasons}
    if not mine:
        return None
    rows = sum(one.rows for one in mine.values())
    first = min(one.first for one in mine.values())
    return Place(name, rows, first, host.at_least, sorted(mine))


def share(part: int, whole: int) -> str:
    """A percentage that is never rounded to all or to nothing."""
    if part >= whole:
        return "100 %"
    if part * 100 < whole:
        return "under 1 %"
    if part * 100 > whole * 99:
        return "over 99 %"
    return f"{(part * 100 + whole // 2) // whole} %"


def some(number: int, thing: str) -> str:
    """A number of things: `1,204 rows`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def named(reason: str) -> str:
    """A reason in words: a status is its number, a code has its sentence."""
    status = reason.removeprefix(HTTP)
    return status if status.isdigit() else f"{reason}, {_SENTENCES[reason]}"
