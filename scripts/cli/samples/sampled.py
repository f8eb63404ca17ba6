"""What the rows of a sample came to, stratum by stratum."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field

from imaging.facts import ErrorCode
from scripts.cli.samples.strata import Held
from workers.hosts_counted import reason_of
from workers.manifest.rows import Row
from workers.records import Answered
from workers.summary import Answering, Summary

__all__ = ["Sampled", "Tally"]


#: So many rows of a host are worth more than all, the first on their connections among them.
_ENOUGH = 8


@dataclass(slots=True)
class Tally:
    """Answers of one stratum."""

    answers: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  #: of failures
    bytes: int = 0
    bytes_squared: int = 0
    requests: int = 0
    requests_squared: int = 0
    tried: int = 0  #: answers for which the host was asked at least once
    ms: float = 0.0  #: of these, from the first permit to the end
    warm: int = 0  #: of these, that found a connection of a row before them
    warm_ms: float = 0.0
    timeouts: int = 0  #: of these, that did not answer in time

    def add(self, answer: Answered, *, warm: bool = False) -> None:
        """Take in what a row came to; *warm* ones came behind as many as are asked at once."""
        self.answers += 1
        if answer.failure is not None:
            self.reasons[reason_of(answer.failure)] += 1
        fetch = answer.fetch
        if fetch is None:
            return
        self.bytes += fetch.bytes
        self.bytes_squared += fetch.bytes**2
        self.requests += fetch.requests
        self.requests_squared += fetch.requests**2
        if fetch.attempts:
            self.tried += 1
            self.ms += fetch.ms
            if warm:
                self.warm += 1
                self.warm_ms += fetch.ms
            late = answer.failure is not None and answer.failure.code is ErrorCode.TIMEOUT
            self.timeouts += late

    @property
    def failed(self) -> int:
        """Of the answers."""
        return self.reasons.total()

    @property
    def seconds(self) -> float:
        """That a row has a connection, on the average; 0 where nobody was asked.

        In a long run nearly all rows find one made. Of a small sample only those first on theirs
        are known, which take longer.
        """
        if self.warm >= _ENOUGH:
            return self.warm_ms / self.warm / 1000
        return self.ms / self.tried / 1000 if self.tried else 0.0

    @property
    def silent(self) -> bool:
        """Whether nothing ever came in time: of such a host, rows fail without being asked for."""
        return 0 < self.tried == self.timeouts


@dataclass(frozen=True, slots=True)
class _Renamed:
    """A record whose rows have the numbers that they have in the manifest."""

    record: Answering
    found: Sequence[Answered]

    @property
    def index(self) -> int:
        return self.found[0].index

    @property
    def width(self) -> int:
        return self.record.width

    def answers(self) -> Iterator[Answered]:
        return iter(self.found)

    def line(self) -> bytes:
        return self.record.line()


class Sampled(Summary):
    """The summary of a sample, and a tally for each stratum."""

    def __init__(
        self, permits: Sequence[int | None], picked: Sequence[tuple[Held, int | None]]
    ) -> None:
        """*picked* are the rows, each with the number of its stratum; None: it has none.

        For each stratum *permits* says how many of its rows are asked for at once, if it is one
        host.
        """
        super().__init__()
        self.tallies = [Tally() for _ in permits]
        self._picked: list[tuple[Held, int | None, bool]] = []
        begun: Counter[int] = Counter()
        for held, stratum in sorted(picked, key=lambda one: one[0].number):
            warm = False
            if stratum is not None:
                begun[stratum] += 1
                at_once = permits[stratum]
                warm = at_once is not None and begun[stratum] > at_once
            self._picked.append((held, stratum, warm))

    def __len__(self) -> int:
        """Rows that were picked."""
        return len(self._picked)

    async def to_ask(self) -> AsyncGenerator[Row, None]:
        """The rows in manifest order, numbered anew, so that batches of them are whole."""
        for index, (held, _, _) in enumerate(self._picked):
            yield held.row._replace(index=index)

    def count(self, record: Answering) -> None:
        """Add one record of `to_ask`."""
        found = []
        for answer in record.answers():
            held, stratum, warm = self._picked[answer.index]
            if stratum is not None:
                self.tallies[stratum].add(answer, warm=warm)
            found.append(answer._replace(index=held.row.index))
        super().count(_Renamed(record, found))
