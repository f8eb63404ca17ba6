"""Runs → ratios, aims and tables. Plain values, nothing is started here.

A ratio is taken within a turn, between neighbours, and told as the median of the turns with the
least and the most; whoever ran only once is compared with every turn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

__all__ = ["BARE", "CENSUS", "PREDECESSOR", "Aim", "Run", "aims", "text"]

CENSUS, BARE, PREDECESSOR = "census", "bare loop", "predecessor"


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant's turn. What cannot be told of it is None."""

    turn: int
    who: str
    latency_ms: float
    connections: int
    rows: int
    lost: int
    seconds: float
    cpu: float  #: seconds, user and system
    bytes: int  #: of bodies received
    served: int | None = None  #: of bodies, as the picture host counted
    start_ms: float | None = None
    first_ms: float | None = None
    rss: int | None = None  #: of the server's own process
    rss_tree: int | None = None  #: with all it started

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.rows / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds for a thousand images."""
        return 1000 * self.cpu / self.rows

    @property
    def weight(self) -> float:
        """Thousands of bytes received for an image."""
        return self.bytes / self.rows / 1000

    def told(self) -> str:
        """A line for whoever waits."""
        place = f"{self.latency_ms:g} ms, {self.connections} connections"
        lost = f", {self.lost} rows LOST" if self.lost else ""
        return f"turn {self.turn + 1}, {place}: {self.who} {self.rate:.0f} images/s{lost}"


class Spread(NamedTuple):
    """The median of several figures, the least and the most."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one figure."""
        return cls(median(values), min(values), max(values))

    def told(self, digits: int = 0) -> str:
        """`2.0 [1.9..2.2]`."""
        middle, least, most = (f"{value:.{digits}f}" for value in self)
        return f"{middle} [{least}..{most}]"


@dataclass(frozen=True, slots=True)
class Aim:
    """What was hoped for, and what it is."""

    name: str
    latency_ms: float
    connections: int
    spread: Spread
    wanted: float | None  #: None: told only
    at_most: bool = False  #: else at least

    @property
    def met(self) -> bool | None:
        """Whether the median is as wanted."""
        if self.wanted is None:
            return None
        middle = self.spread.middle
        return middle <= self.wanted if self.at_most else middle >= self.wanted


#: Of the bare loop's, by latency in ms.
_RATE: dict[float, float] = {0: 0.7, 50: 0.8}
_CPU = 1.4
#: Times the predecessor's, by latency in ms and connections.
_SPEED_UP: dict[tuple[float, int], float] = {(50, 64): 55, (50, 256): 150}
_KILOBYTES = 20
_FIRST_MS: dict[float, float] = {50: 100}


def aims(runs: Sequence[Run]) -> list[Aim]:
    """Compare the census with the others, for each latency and number of connections."""
    found = []
    for place in dict.fromkeys((run.latency_ms, run.connections) for run in runs):
        latency, connections = place
        here = [run for run in runs if (run.latency_ms, run.connections) == place]
        census = [run for run in here if run.who == CENSUS]
        if census:
            bare = [run for run in here if run.who == BARE]
            before = [r for r in runs if (r.who, r.latency_ms) == (PREDECESSOR, latency)]
            found += _aims_here(latency, connections, census, bare, before)
    return found


def _aims_here(
    latency: float, connections: int, census: list[Run], bare: list[Run], before: list[Run]
) -> list[Aim]:
    times = _SPEED_UP.get((latency, connections))
    firsts = [run.first_ms or 0.0 for run in census]
    found = [
        _Figure("CPU an image / bare loop's", _ratios(census, bare, _cost), _CPU, at_most=True),
        _Figure("images/s / bare loop's", _ratios(census, bare, _rate), _RATE.get(latency)),
        _Figure("images/s / predecessor's", _ratios(census, before, _rate), times),
        _Figure("kB received an image", [run.weight for run in census], _KILOBYTES, at_most=True),
        _Figure("ms to the first record", firsts, _FIRST_MS.get(latency), at_most=True),
    ]
    return [
        Aim(each.name, latency, connections, Spread.of(each.values), each.wanted, each.at_most)
        for each in found
    ]


class _Figure(NamedTuple):
    name: str
    values: list[float]
    wanted: float | None
    at_most: bool = False


def _rate(run: Run) -> float:
    return run.rate


def _cost(run: Run) -> float:
    return run.cost


def _ratios(ours: list[Run], theirs: list[Run], figure: Callable[[Run], float]) -> list[float]:
    """Turn by turn; a turn they had no part in is compared with their last one."""
    by_turn = {run.turn: run for run in theirs}
    return [figure(run) / figure(by_turn.get(run.turn, theirs[-1])) for run in ours]


def text(facts: Mapping[str, object], runs: Sequence[Run], found: Sequence[Aim]) -> str:
    """The whole report, for people."""
    lines = [", ".join(f"{name} {fact}" for name, fact in facts.items())]
    lines += ["median [least..most] of the turns; kB are 1,000 bytes", ""]
    row = "{:>7} {:>5} {:12} {:>22} {:>20} {:>7} {:>8} {:>15} {:>9}"
    heads = ("latency", "conn", "who", "images/s", "CPU-s/1000", "kB/img", "start ms")
    lines.append(row.format(*heads, "first ms", "RSS MB"))
    for place in dict.fromkeys((run.latency_ms, run.connections, run.who) for run in runs):
        of = [run for run in runs if (run.latency_ms, run.connections, run.who) == place]
        latency, connections, who = place
        cells = [f"{latency:g} ms", connections, who, Spread.of([run.rate for run in of]).told()]
        cells += [Spread.of([run.cost for run in of]).told(3), f"{of[0].weight:.1f}"]
        starts = [run.start_ms for run in of if run.start_ms is not None]
        firsts = [run.first_ms for run in of if run.first_ms is not None]
        sizes = [(run.rss / 1e6, run.rss_tree / 1e6) for run in of if run.rss and run.rss_tree]
        cells.append(Spread.of(starts).told().partition(" ")[0] if starts else "")
        cells.append(Spread.of(firsts).told() if firsts else "")
        cells.append("/".join(f"{size:.0f}" for size in sizes[-1]) if sizes else "")
        lines.append(row.format(*cells).rstrip())
    lines += ["", "RSS: the server's own process / with all it started", ""]
    lines += [_told(aim) for aim in found]
    lines.append("")
    lost = sum(run.lost for run in runs)
    odd = [run for run in runs if run.served is not None and run.served != run.bytes]
    if odd:
        lines.append(f"bytes told and bytes the host counted differ in {len(odd)} turns")
    lines.append(f"{lost} ROWS WERE LOST" if lost else "no row was lost")
    return "\n".join(lines)


def _told(aim: Aim) -> str:
    place = f"{aim.latency_ms:g} ms, {aim.connections}"
    line = f"{aim.name:36} {place:>11}  {aim.spread.told(2):>26}"
    if aim.wanted is None:
        return line
    sign = "at most" if aim.at_most else "at least"
    return f"{line}  {sign:8} {aim.wanted:<4g} {'met' if aim.met else 'MISSED'}"
