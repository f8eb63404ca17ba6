"""What this process and those it started have cost the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple, Self

__all__ = ["Effort", "cores"]

_PROC = Path("/proc")


class Effort(NamedTuple):
    """Seconds of processor time, until now or between two moments."""

    own: float  #: of this process: one core at a time
    children: float  #: of those that decode and predict; where the system tells nothing of them, 0

    @classmethod
    def now(cls) -> Self:
        """So far."""
        times = os.times()
        return cls(time.process_time(), times.children_user + times.children_system + _living())

    def since(self, before: Effort) -> Effort:
        """What came after *before*."""
        return Effort(max(0.0, self.own - before.own), max(0.0, self.children - before.children))


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _living() -> float:
    """Of all processes below this one, and of those that these have buried."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            # Behind the name, which may hold anything, also brackets.
            told = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        process = int(folder.name)
        parents[process] = int(told[1])
        spent[process] = sum(map(int, told[11:15])) / ticks
    me = os.getpid()
    return sum(seconds for one, seconds in spent.items() if one != me and _below(one, me, parents))


def _below(process: int, ancestor: int, parents: dict[int, int]) -> bool:
    while process in parents:
        process = parents[process]
        if process == ancestor:
            return True
    return False
