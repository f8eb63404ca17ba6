"""What `bench info` compares, hopes for and tells in its table."""

from collections.abc import Sequence
from typing import NamedTuple

import bench_report as report
from bench_census import CENSUS
from bench_report import Aim, Column, Run, Spread, cost, rate, ratios

__all__ = ["BARE", "COLUMNS", "PREDECESSOR", "aims"]

BARE, PREDECESSOR = "bare loop", "predecessor"

#: Of the bare loop's, by latency in ms.
_RATE: dict[float, float] = {0: 0.7, 50: 0.8}
_CPU = 1.4
#: Times the predecessor's, by latency in ms and connections.
_SPEED_UP: dict[tuple[float, int], float] = {(50, 64): 55, (50, 256): 150}
_KILOBYTES = 20
_FIRST_MS: dict[float, float] = {50: 100}


def _start(of: Sequence[Run]) -> str:
    starts = [run.start_ms for run in of if run.start_ms is not None]
    return f"{Spread.of(starts).middle:.0f}" if starts else ""


COLUMNS = [
    report.LATENCY,
    Column("conn", ">5", lambda of: str(of[0].connections)),
    Column("who", "12", lambda of: of[0].who),
    report.RATES,
    report.COSTS,
    report.WEIGHT,
    Column("start ms", ">8", _start),
    report.FIRST,
    report.MEMORY,
]


def aims(runs: Sequence[Run]) -> list[Aim]:
    """Compare the census with the others, for each latency and number of connections."""
    found = []
    for place in dict.fromkeys(run.place for run in runs):
        here = [run for run in runs if run.place == place]
        census = [run for run in here if run.who == CENSUS]
        if census:
            _, latency, connections = place
            bare = [run for run in here if run.who == BARE]
            before = [r for r in runs if (r.who, r.latency_ms) == (PREDECESSOR, latency)]
            found += _aims_here(latency or 0.0, connections or 0, census, bare, before)
    return found


class _Figure(NamedTuple):
    name: str
    values: list[float]
    wanted: float | None
    at_most: bool = False


def _aims_here(
    latency: float, connections: int, census: list[Run], bare: list[Run], before: list[Run]
) -> list[Aim]:
    times = _SPEED_UP.get((latency, connections))
    firsts = [run.first_ms or 0.0 for run in census]
    found = [
        _Figure("CPU an image / bare loop's", ratios(census, bare, cost), _CPU, at_most=True),
        _Figure("images/s / bare loop's", ratios(census, bare, rate), _RATE.get(latency)),
        _Figure("images/s / predecessor's", ratios(census, before, rate), times),
        _Figure("kB received an image", [run.weight for run in census], _KILOBYTES, at_most=True),
        _Figure("ms to the first record", firsts, _FIRST_MS.get(latency), at_most=True),
    ]
    return [
        Aim(each.name, Spread.of(each.values), each.wanted, each.at_most, latency, connections)
        for each in found
    ]
