"""What became of the rows, in the words of Jepsen's total-queue checker.

lost         asked for, and not recorded
duplicated   recorded more than once
unexpected   recorded and not asked for, or with something else than comes of its picture
recovered    recorded by another than the first that was given their shard
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import orjson

from scripts.chaotic.tally import SHOWN, Tally

__all__ = ["Verdict"]


@dataclass(slots=True)
class Verdict:
    """Of one scenario, or of all."""

    rows: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    recovered: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  #: rows recorded, by the kind of their job
    problems: list[str] = field(default_factory=list)  #: anything else that does not hold
    figures: dict[str, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)  #: what was broken, how often

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.duplicated or self.unexpected or self.problems)

    def check(self, holds: bool, otherwise: str) -> None:
        """Note a problem."""
        if not holds:
            self.problems.append(otherwise)

    def equal(self, what: str, found: object, wanted: object) -> None:
        """Note a problem if a figure is not what it must be."""
        self.check(found == wanted, f"{what}: {found}, not {wanted}")

    def take(self, tally: Tally, where: str) -> None:
        """Count what was read of a job."""
        self.kinds[tally.kind] += tally.rows
        self.lost += len(tally.lost)
        self.duplicated += tally.duplicated
        self.unexpected += len(tally.wrong)
        for row in tally.wrong[:SHOWN]:
            self.problems.append(f"{where}: unexpected {orjson.dumps(row).decode()[:400]}")
        self.problems += [f"{where}: {what}" for what in tally.odd[:SHOWN]]

    def add(self, other: Verdict) -> None:
        """Sum up."""
        self.rows += other.rows
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.unexpected += other.unexpected
        self.recovered += other.recovered
        self.kinds += other.kinds
        self.problems += other.problems
        self.done += other.done

    def line(self, name: str) -> str:
        """All of it in a line."""
        told = [
            f"{name:<12} rows {self.rows:>6}  lost {self.lost}  duplicated {self.duplicated}"
            f"  unexpected {self.unexpected}  recovered {self.recovered}"
        ]
        counts = [*self.kinds.items(), *self.done.items()]
        told += [f"{what} {count}" for what, count in counts]
        told += [f"{what} {figure}" for what, figure in self.figures.items()]
        return "; ".join(told)
