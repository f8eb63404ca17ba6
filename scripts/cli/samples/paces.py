"""How long a whole manifest takes: what bounds it, of all that may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scripts.cli.samples.effort import Effort, cores
from scripts.cli.samples.sampled import Tally
from scripts.cli.samples.strata import MOST_HOSTS, Stratum
from workers.fetch.hosts import SILENT_AFTER
from workers.fetch.targets import Origin
from workers.settings import WorkSettings

__all__ = ["Pace", "permits", "slowest"]

#: The order of rows is to blame where it makes a run so many times longer.
_ORDER_MATTERS = 1.25
#: What fewer rows cost is for the most part what the first of them costs.
_ENOUGH = 20


class Pace(NamedTuple):
    """One bound."""

    seconds: float
    bound: str  #: host, order, connections, processor, pool
    says: str  #: behind "bound by"
    shuffled: float | None = None  #: seconds in another order, where the order is to blame


def permits(settings: WorkSettings, origin: Origin) -> int:
    """Downloads that the host grants at once."""
    trusted = origin.host in settings.trusted_hosts or str(origin) in settings.trusted_hosts
    most = settings.max_connections
    return most if trusted else min(settings.max_connections_per_host, most)


def slowest(
    settings: WorkSettings,
    strata: Sequence[tuple[Stratum, Tally]],
    *,
    reading: float,
    effort: Effort,
) -> Pace:
    """The bound that takes longest; *effort* is what the answers of the sample cost.

    *reading* is the processor time of reading the manifest once.
    """
    parts = [_Part(settings, stratum, tally) for stratum, tally in _filled(strata)]
    bounds = [_connections(settings, parts), *_hosts(parts)]
    bounds += _machine(settings, strata, reading, effort)
    longest = max(bounds, key=lambda pace: pace.seconds)
    by_order = sum(part.stratum.leading * part.pause for part in parts if not part.tally.silent)
    if by_order > _ORDER_MATTERS * longest.seconds and len(parts) > 1:
        says = "the order of the rows, one host behind another"
        return Pace(by_order, "order", says, longest.seconds)
    return longest


class _Part:
    """A stratum, and what its rows take of connections."""

    def __init__(self, settings: WorkSettings, stratum: Stratum, tally: Tally) -> None:
        self.stratum, self.tally = stratum, tally
        #: Of several hosts the largest, and its rows.
        self.host, self.alone = stratum.origin, stratum.rows
        if stratum.largest is not None:
            self.host, self.alone = stratum.largest
        self.permits = settings.max_connections
        if self.host is not None:
            self.permits = permits(settings, self.host)
        self.pause = tally.seconds / self.permits  #: from one row of a host to its next

    def busy(self, rows: int, hosts: int = 1) -> float:
        """Seconds of connections that so many rows take."""
        if self.tally.silent:  # after some timeouts rows are not asked for any more
            rows = min(rows, hosts * (self.permits + SILENT_AFTER))
        return rows * self.tally.seconds


def _filled(strata: Sequence[tuple[Stratum, Tally]]) -> Iterator[tuple[Stratum, Tally]]:
    """A stratum without an answer is taken to be as the others are."""
    others = Tally()
    for _, tally in strata:
        if not tally.silent:
            others.answers += tally.answers
            others.tried += tally.tried
            others.ms += tally.ms
    for stratum, tally in strata:
        yield stratum, tally if tally.answers else others


def _connections(settings: WorkSettings, parts: Sequence[_Part]) -> Pace:
    most = settings.max_connections
    busy = sum(part.busy(part.stratum.rows, part.stratum.hosts or MOST_HOSTS) for part in parts)
    return Pace(busy / most, "connections", f"the {most:,} connections that there may be")


def _hosts(parts: Sequence[_Part]) -> Iterator[Pace]:
    for part in parts:
        if part.host is None:
            continue
        if part.tally.silent:
            says = f"{part.host}, which does not answer ({part.alone:,} rows)"
        else:
            says = f"{part.host} ({part.alone:,} rows, {part.permits:,} at a time)"
        yield Pace(part.busy(part.alone) / part.permits, "host", says)


def _machine(
    settings: WorkSettings,
    strata: Sequence[tuple[Stratum, Tally]],
    reading: float,
    effort: Effort,
) -> Iterator[Pace]:
    rows = sum(stratum.rows for stratum, _ in strata)
    answers = sum(tally.answers for _, tally in strata)
    if answers < _ENOUGH:
        yield Pace(reading, "processor", "reading the list")
        return
    own = reading + rows * effort.own / answers
    pool = rows * effort.children / answers
    some = min(settings.pool_slots, cores())
    yield Pace(own, "processor", "this machine, one core for the downloads")
    yield Pace(pool / some, "pool", f"this machine, {_processes(some)} for the pictures")
    yield Pace((own + pool) / cores(), "processor", f"this machine, {cores()} cores busy")


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
