"""What `bench predict` compares, hopes for and tells in its table."""

from collections.abc import Mapping, Sequence

import bench_report as report
from bench_census import CENSUS
from bench_report import Aim, Column, Run, Spread, cost, rate, ratios

__all__ = [
    "BARE",
    "COLUMNS",
    "IMG2DATASET",
    "IMG2DATASET_NET",
    "LOOP",
    "LOOP_ALONE",
    "PREDECESSOR",
    "aims",
    "quality_aims",
]

LOOP_ALONE, LOOP = "loop, one core", "loop, all cores"
BARE, PREDECESSOR = "bare GET", "predecessor"
IMG2DATASET, IMG2DATASET_NET = "img2dataset", "img2dataset net"

#: Of the loop on all cores together with the bare GETs.
_CPU = 1.15
#: Of the loop on all cores.
_RATE = 0.8
#: Times the predecessor's, by pixels a side and latency in ms.
_SPEED_UP: dict[tuple[int, float], float] = {(64, 0): 7, (64, 50): 25}
#: Times img2dataset's with its start-up, by pixels a side.
_IMG2DATASET: dict[int, float] = {64: 2.5, 224: 1.5}
#: Mean difference of a pixel, by pixels a side.
_DIFFERENCE: dict[int, float] = {64: 1.0, 224: 0.25}


def _own(of: Sequence[Run]) -> str:
    own = [1000 * run.cpu_own / run.rows for run in of if run.cpu_own is not None]
    return f"{Spread.of(own).middle:.3f}" if own else ""


COLUMNS = [
    Column("size", ">6", lambda of: "" if of[0].size is None else f"{of[0].size} px"),
    report.LATENCY,
    Column("who", "15", lambda of: of[0].who),
    report.RATES,
    report.COSTS,
    Column("own", ">6", _own),
    report.WEIGHT,
    report.FIRST,
    report.MEMORY,
]


def aims(runs: Sequence[Run]) -> list[Aim]:
    """Compare the census with the others, for each size and latency."""
    found = []
    censuses = [run for run in runs if run.who == CENSUS]
    for size, latency in dict.fromkeys((run.size, run.latency_ms) for run in censuses):
        if size is not None and latency is not None:
            found += _aims_here(size, latency, runs)
    return found


def _aims_here(size: int, latency: float, runs: Sequence[Run]) -> list[Aim]:
    def of(who: str) -> list[Run]:
        """Turns of one contestant that belong to this place: a loop asks no host."""
        here = [run for run in runs if run.who == who and run.size in (None, size)]
        return [run for run in here if run.latency_ms in (None, latency)]

    def aim(
        name: str, values: list[float], wanted: float | None = None, *, at_most: bool = False
    ) -> Aim:
        spread = Spread.of(values)
        return Aim(name, spread, wanted, at_most, latency_ms=latency, size=size)

    census, loop = of(CENSUS), of(LOOP)
    found = [
        aim(
            "CPU an image / loop's + bare GET's", _work(census, loop, of(BARE)), _CPU, at_most=True
        ),
        aim("the same, loop on one core", _work(census, of(LOOP_ALONE), of(BARE))),
        aim("images/s / loop's on all cores", ratios(census, loop, rate), _RATE),
    ]
    times = _SPEED_UP.get((size, latency))
    found.append(aim("images/s / predecessor's", ratios(census, of(PREDECESSOR), rate), times))
    if theirs := of(IMG2DATASET):
        times = _IMG2DATASET.get(size)
        found.append(aim("images/s / img2dataset's", ratios(census, theirs, rate), times))
        found.append(aim("CPU an image / img2dataset's", ratios(census, theirs, cost)))
    if theirs := of(IMG2DATASET_NET):
        found.append(aim("images/s / img2dataset's, net", ratios(census, theirs, rate)))
        found.append(aim("CPU an image / img2dataset's, net", ratios(census, theirs, cost)))
    found.append(aim("ms to the first batch", [run.first_ms or 0.0 for run in census]))
    return found


def _work(census: list[Run], loop: list[Run], bare: list[Run]) -> list[float]:
    """CPU an image, of what decoding and fetching it take by themselves; all were in each turn."""
    turns = zip(census, loop, bare, strict=True)
    return [ours.cost / (decoding.cost + fetching.cost) for ours, decoding, fetching in turns]


def quality_aims(differences: Mapping[int, Mapping[str, float]]) -> list[Aim]:
    """Of the scaled decoding, by size."""
    found = []
    for size, told in differences.items():
        mean, p95 = ([told[name]] for name in ("mean", "p95"))
        wanted = _DIFFERENCE.get(size)
        found.append(Aim("mean difference of a pixel", Spread.of(mean), wanted, True, size=size))
        found.append(Aim("the same, 95th percentile", Spread.of(p95), size=size))
    return found
