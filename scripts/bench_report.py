"""Runs → ratios and tables. Plain values, nothing is started here.

A ratio is taken within a turn, between neighbours, and told as the median of the turns with the
least and the most; whoever ran only once is compared with every turn. What a part of the
benchmark compares, and hopes for, stands in its own module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, NamedTuple

__all__ = [
    "COSTS",
    "FIRST",
    "LATENCY",
    "MEMORY",
    "RATES",
    "WEIGHT",
    "Aim",
    "Column",
    "Run",
    "Spread",
    "cost",
    "figures",
    "rate",
    "ratios",
    "text",
]


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant's turn. What cannot be told of it is None."""

    turn: int
    who: str
    rows: int
    lost: int
    seconds: float
    cpu: float  #: seconds, user and system
    bytes: int  #: of bodies received
    latency_ms: float | None = None  #: None: no host was asked
    connections: int | None = None
    size: int | None = None  #: pixels a side
    cpu_own: float | None = None  #: of `cpu`, what the server's own process used
    served: int | None = None  #: of bodies, as the picture host counted
    start_ms: float | None = None
    first_ms: float | None = None
    rss: int | None = None  #: of the server's own process
    rss_tree: int | None = None  #: with all it started

    @classmethod
    def of(cls, said: Mapping[str, float], turn: int, who: str, rows: int, **place: Any) -> "Run":
        """What a sibling program says of itself, having been asked for *rows* rows."""
        done, received = int(said["rows"]), int(said["bytes"])
        return cls(turn, who, rows, rows - done, said["seconds"], said["cpu"], received, **place)

    @property
    def place(self) -> tuple[int | None, float | None, int | None]:
        """Where it ran: runs of one place are compared."""
        return self.size, self.latency_ms, self.connections

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
        lost = f", {self.lost} rows LOST" if self.lost else ""
        place = _place(self.size, self.latency_ms)
        if self.connections:
            place += f", {self.connections} connections"
        return f"turn {self.turn + 1}, {place}: {self.who} {self.rate:.0f} images/s{lost}"


def _place(size: int | None, latency_ms: float | None) -> str:
    told = [] if size is None else [f"{size} px"]
    return ", ".join(told if latency_ms is None else [*told, f"{latency_ms:g} ms"])


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
    spread: Spread
    wanted: float | None = None  #: None: told only
    at_most: bool = False  #: else at least
    latency_ms: float | None = None
    connections: int | None = None
    size: int | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median is as wanted."""
        if self.wanted is None:
            return None
        middle = self.spread.middle
        return middle <= self.wanted if self.at_most else middle >= self.wanted

    def told(self) -> str:
        """Its line in the report."""
        place = _place(self.size, self.latency_ms)
        if self.connections:
            place += f", {self.connections}"
        line = f"{self.name:36} {place:>13}  {self.spread.told(2):>26}"
        if self.wanted is None:
            return line
        sign = "at most" if self.at_most else "at least"
        return f"{line}  {sign:8} {self.wanted:<4g} {'met' if self.met else 'MISSED'}"


def rate(run: Run) -> float:
    """The figure to give to `ratios`: images a second."""
    return run.rate


def cost(run: Run) -> float:
    """The figure to give to `ratios`: CPU seconds for a thousand images."""
    return run.cost


def ratios(
    ours: Sequence[Run], theirs: Sequence[Run], figure: Callable[[Run], float]
) -> list[float]:
    """Turn by turn; a turn they had no part in is compared with their last one."""
    by_turn = {run.turn: run for run in theirs}
    return [figure(run) / figure(by_turn.get(run.turn, theirs[-1])) for run in ours]


class Column(NamedTuple):
    """Of the table: what it tells of the turns one contestant had at one place."""

    head: str
    form: str  #: alignment and width
    tell: Callable[[Sequence[Run]], str]


def _latency(of: Sequence[Run]) -> str:
    return "" if of[0].latency_ms is None else f"{of[0].latency_ms:g} ms"


def _first(of: Sequence[Run]) -> str:
    firsts = [run.first_ms for run in of if run.first_ms is not None]
    return Spread.of(firsts).told() if firsts else ""


def _memory(of: Sequence[Run]) -> str:
    sizes = [(run.rss / 1e6, run.rss_tree / 1e6) for run in of if run.rss and run.rss_tree]
    return "/".join(f"{size:.0f}" for size in sizes[-1]) if sizes else ""


LATENCY = Column("latency", ">7", _latency)
RATES = Column("images/s", ">22", lambda of: Spread.of([run.rate for run in of]).told())
COSTS = Column("CPU-s/1000", ">20", lambda of: Spread.of([run.cost for run in of]).told(3))
WEIGHT = Column("kB/img", ">7", lambda of: f"{of[0].weight:.1f}")
FIRST = Column("first ms", ">15", _first)
MEMORY = Column("RSS MB", ">9", _memory)


def text(
    facts: Mapping[str, object],
    columns: Sequence[Column],
    runs: Sequence[Run],
    aims: Sequence[Aim],
    remarks: Sequence[str],
) -> str:
    """The whole report, for people."""
    lines = [", ".join(f"{name} {fact}" for name, fact in facts.items())]
    lines += ["median [least..most] of the turns; kB are 1,000 bytes", ""]
    lines.append(" ".join(f"{column.head:{column.form}}" for column in columns))
    for place, who in dict.fromkeys((run.place, run.who) for run in runs):
        of = [run for run in runs if (run.place, run.who) == (place, who)]
        lines.append(" ".join(f"{column.tell(of):{column.form}}" for column in columns).rstrip())
    lines += ["", "RSS: the server's own process / with all it started", *remarks, ""]
    lines += [*(aim.told() for aim in aims), ""]
    lost = sum(run.lost for run in runs)
    odd = [run for run in runs if run.served is not None and run.served != run.bytes]
    if odd:
        lines.append(f"bytes told and bytes the host counted differ in {len(odd)} turns")
    lines.append(f"{lost} ROWS WERE LOST" if lost else "no row was lost")
    return "\n".join(lines)


def figures(
    facts: Mapping[str, object], runs: Sequence[Run], aims: Sequence[Aim], **more: object
) -> dict[str, object]:
    """The same for programs, turn by turn."""
    return {
        "machine": facts,
        "runs": [asdict(run) for run in runs],
        "aims": [asdict(aim) | {"met": aim.met} for aim in aims],
        **more,
        "lost": sum(run.lost for run in runs),
    }
