"""The rows of a manifest by host, counted, with some of each held: what a sample is taken from.

One pass, in bounded room. Each row draws a number, the same in every run; what is held of all rows
are those of the smallest numbers, so any group of hosts has a simple random sample of its own rows
there (bottom-k sampling). A host too small to be met in it has one row kept besides.
"""

from __future__ import annotations

import heapq
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from imaging.facts import Failure
from scripts.cli.samples.distinct import Distinct
from workers.fetch.targets import MAX_URL_CHARS, Origin, parse_target
from workers.hosts_counted import reason_of
from workers.manifest.rows import Row

__all__ = ["MOST_HOSTS", "Held", "Strata", "Stratum"]

#: Hosts counted by themselves. Of more, the smaller half becomes one stratum.
MOST_HOSTS = 20_000
#: Rows held for each that is asked for: a host that has a share is hardly ever short of rows.
HELD_FOR_EACH = 4
#: Of hosts that have one row kept besides, so many for each row that is asked for.
KEPT_FOR_EACH = 2
_LEAST_KEPT = 64
_SEED = 20_130_717
_MOST_SEEN = 65_536

#: Where `parse_target` would find nothing wrong and nothing to decode: the most of all URLs.
_PLAIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?=[/?#]|\Z)")


@dataclass(slots=True)
class Held:
    """A row that may be asked for."""

    number: int  #: of the row in the manifest, as it was read
    row: Row
    origin: Origin | None  #: its host; None: of one that is counted with others


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows that are sampled together: of one host, or of all that are too small for that."""

    origin: Origin | None  #: None: of several hosts
    rows: int
    hosts: int | None  #: None: too many to know
    held: tuple[Held, ...]  #: any first so many are a simple random sample
    leading: int = 0  #: in windows in which no host has more rows than it, these
    largest: tuple[Origin, int] | None = None  #: of several hosts, and its rows

    @property
    def name(self) -> str:
        """How it is told."""
        if self.origin is not None:
            return str(self.origin)
        return "other hosts" if self.hosts is None else f"{self.hosts:,} other hosts"


@dataclass(slots=True)
class _Host:
    rows: int = 0
    leading: int = 0
    kept: tuple[float, Held] | None = None  # the row that drew the smallest number


@dataclass(slots=True)
class _Smallest:
    """The rows that drew the smallest numbers."""

    most: int
    heap: list[tuple[float, int, Held]] = field(default_factory=list)  # the largest one first

    def offer(self, drawn: float, held: Held) -> None:
        if len(self.heap) < self.most:
            heapq.heappush(self.heap, (-drawn, held.number, held))
        else:
            heapq.heapreplace(self.heap, (-drawn, held.number, held))

    def takes(self, drawn: float) -> bool:
        return len(self.heap) < self.most or drawn < -self.heap[0][0]

    def __iter__(self) -> Iterator[Held]:
        return (held for _, _, held in sorted(self.heap, key=lambda one: (-one[0], one[1])))


class Strata:
    """Counts rows as they come."""

    def __init__(self, sample: int, *, window: int, most_hosts: int = MOST_HOSTS) -> None:
        """For a sample of so many rows; *window* is how many are under way at once."""
        self._sample = sample
        self._window = window
        self._most_hosts = most_hosts
        self._most_kept = max(_LEAST_KEPT, KEPT_FOR_EACH * sample)
        self._dice = random.Random(_SEED)
        self._hosts: dict[Origin, _Host] = {}
        self._kept = 0
        self._least_rows = 0  # of a host that may have one kept
        self._pooled = 0  # rows of hosts that are not counted any more
        self._held = _Smallest(HELD_FOR_EACH * sample)
        self._bad = _Smallest(sample)
        self._seen: dict[str, Origin | Failure] = {}
        self._in_window: Counter[Origin] = Counter()
        self._urls = Distinct()
        self.rows = 0
        self.bad: Counter[str] = Counter()  #: rows that cannot be asked for, by reason

    @property
    def asked(self) -> int:
        """Rows with a URL that can be asked for."""
        return self.rows - self.bad.total()

    @property
    def hosts(self) -> int | None:
        """How many there are; None: more than can be counted."""
        return None if self._pooled else len(self._hosts)

    @property
    def repeated(self) -> float:
        """The share of the rows that can be asked for whose URL stood in one before, about."""
        return max(0.0, 1 - self._urls.count / self.asked) if self.asked else 0.0

    def add(self, row: Row) -> None:
        """Count a row, and hold it if that is its lot."""
        number = self.rows
        self.rows += 1
        drawn = self._dice.random()
        origin = row.problem or self._origin(row.url or "")
        if isinstance(origin, Failure):
            self.bad[reason_of(origin)] += 1
            if self._bad.takes(drawn):
                self._bad.offer(drawn, Held(number, row, None))
            return
        host = self._hosts.get(origin)
        if host is None:
            if len(self._hosts) >= self._most_hosts:
                self._let_go()
            host = self._hosts[origin] = _Host()
        host.rows += 1
        self._urls.add(row.url or "")
        self._lead(origin)
        takes = self._held.takes(drawn)
        if takes or (host.rows >= self._least_rows if host.kept is None else drawn < host.kept[0]):
            held = Held(number, row, origin)
            if takes:
                self._held.offer(drawn, held)
            if host.kept is not None or host.rows >= self._least_rows:
                self._keep(host, drawn, held)

    def bad_rows(self) -> list[Held]:
        """Of those that cannot be asked for, as many as they are to the others in a sample."""
        share = round(self._sample * self.bad.total() / max(1, self.asked))
        return list(self._bad)[: max(1, share)]

    def strata(self) -> list[Stratum]:
        """The largest hosts each, and the others together.

        As many by themselves as half of the sample has rows: the other half goes to where most
        rows are.
        """
        self._window_over()
        by_size = sorted(self._hosts.items(), key=lambda one: (-one[1].rows, one[0]))
        own = self._sample // 2
        if not self._pooled and len(by_size) <= max(1, own + 1):
            own = len(by_size)  # what is left is one host at most
        alone = {origin for origin, _ in by_size[:own]}
        held: dict[Origin | None, list[Held]] = {}
        for one in self._held:
            held.setdefault(one.origin if one.origin in alone else None, []).append(one)
        found = [
            Stratum(origin, host.rows, 1, tuple(held.get(origin) or _only(host)), host.leading)
            for origin, host in by_size[:own]
        ]
        small = by_size[own:]
        rows = self._pooled + sum(host.rows for _, host in small)
        if rows:
            several = held.get(None) or [one for _, host in small for one in _only(host)]
            leading = sum(host.leading for _, host in small)
            largest = (small[0][0], small[0][1].rows) if small else None
            hosts = None if self._pooled else len(small)
            found.append(Stratum(None, rows, hosts, tuple(several), leading, largest))
        return found

    def _origin(self, url: str) -> Origin | Failure:
        plain = _PLAIN.match(url) if len(url) <= MAX_URL_CHARS and url.isascii() else None
        if plain is None:
            return _parsed(url)
        origin = self._seen.get(plain[0])
        if origin is None:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            origin = self._seen[plain[0]] = _parsed(plain[0])
        return origin

    def _keep(self, host: _Host, drawn: float, held: Held) -> None:
        if host.kept is not None:
            if drawn < host.kept[0]:
                host.kept = (drawn, held)
            return
        host.kept = (drawn, held)
        self._kept += 1
        if self._kept > self._most_kept:
            keeping = [one for one in self._hosts.values() if one.kept is not None]
            keeping.sort(key=lambda one: one.rows)
            light = keeping[: len(keeping) // 2]
            for small in light:
                small.kept = None
            self._kept -= len(light)
            self._least_rows = light[-1].rows + 1

    def _let_go(self) -> None:
        """Count the smaller half of all hosts together from now on."""
        by_size = sorted(self._hosts, key=lambda origin: (self._hosts[origin].rows, origin))
        for origin in by_size[: (len(by_size) + 1) // 2]:
            gone = self._hosts.pop(origin)
            self._pooled += gone.rows
            self._kept -= gone.kept is not None
        for _, _, held in self._held.heap:
            if held.origin not in self._hosts:
                held.origin = None

    def _lead(self, origin: Origin) -> None:
        self._in_window[origin] += 1
        if self.asked % self._window == 0:
            self._window_over()

    def _window_over(self) -> None:
        if self._in_window:
            origin, rows = self._in_window.most_common(1)[0]
            if origin in self._hosts:
                self._hosts[origin].leading += rows
            self._in_window.clear()


def _parsed(url: str) -> Origin | Failure:
    target = parse_target(url)
    return target if isinstance(target, Failure) else target.origin


def _only(host: _Host) -> list[Held]:
    return [host.kept[1]] if host.kept is not None else []
