"""Where the time of a row goes: our pipeline and the bare loop under the same profiler.

Both run in this process, in turns: the rows of a manifest through `inspect_rows` and the line
codec (all of `images_info` but the HTTP answer), and the loop of `bench_bare.py`. Each turn first
measures them as they are, then under the profiler, which makes every Python call dearer by about
half a microsecond: its figures say where to look, only the first ones what a change brought.
"""

import argparse
import asyncio
import cProfile
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import bench_bare
import bench_census
import bench_processes as processes
import uvloop

__all__ = ["show"]

SHOWN = 25
NAME_CHARS = 58

Around = Callable[[bool], None]  #: called with True where the measured part begins, then False
Loop = Callable[[Path, int, Around], Awaitable[int]]
Costs = dict[str, "Cost"]


class Cost(NamedTuple):
    """What a function costs a row, what it calls not included."""

    calls: float = 0.0
    us: float = 0.0


async def _census(manifest: Path, connections: int, around: Around) -> int:
    """All rows through the pipeline to their lines; returns how many there were."""
    from workers.engine import open_engine
    from workers.environment import read_settings
    from workers.manifest.files import FileSource
    from workers.manifest.reading import read_rows
    from workers.options import InfoOptions
    from workers.pipeline import inspect_rows
    from workers.settings import WorkSettings

    settings = read_settings(
        WorkSettings,
        allow_networks="127.0.0.1/32",
        trusted_hosts="127.0.0.1",
        max_connections=connections,
        pool_slots=1,
    )
    count = 0
    async with open_engine(settings) as engine:
        for limit in (bench_bare.WARM_ROWS * connections, None):
            source = FileSource(manifest.parent, manifest.name, max_bytes=2**40)
            if limit is None:
                around(True)
            rows, count = read_rows(source, limit=limit), 0
            async with inspect_rows(engine, rows, InfoOptions(limit=limit)) as inspection:
                async for records in inspection.batches(idle=10):
                    count += len(records)
                    b"".join([record.line() for record in records])
            source.close()
        around(False)
    return count


async def _bare(manifest: Path, connections: int, around: Around) -> int:
    """The same addresses through the bare loop; returns how many answered."""
    urls = bench_bare.addresses(manifest)
    async with bench_bare.open_session() as session:
        await bench_bare.fetch_all(session, urls[: bench_bare.WARM_ROWS * connections], connections)
        around(True)
        lengths = await bench_bare.fetch_all(session, urls, connections)
        around(False)
    return len(lengths)


def _run(loop: Loop, manifest: Path, connections: int, around: Around) -> int:
    async def main() -> int:
        return await loop(manifest, connections, around)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def _plain_us(loop: Loop, manifest: Path, connections: int) -> float:
    """Microseconds of CPU a row, as it is."""
    marks: list[float] = []
    rows = _run(loop, manifest, connections, lambda _: marks.append(time.process_time()))
    return 1e6 * (marks[1] - marks[0]) / rows


def _profile(loop: Loop, manifest: Path, connections: int) -> Costs:
    """What each function costs a row, under the profiler."""
    profile = cProfile.Profile()

    def around(on: bool) -> None:
        (profile.enable if on else profile.disable)()

    rows = _run(loop, manifest, connections, around)
    costs = Costs()
    for entry in profile.getstats():
        name = _name(entry.code)
        known = costs.get(name, Cost())
        us = 1e6 * entry.inlinetime / rows
        costs[name] = Cost(known.calls + entry.callcount / rows, known.us + us)
    return costs


def _name(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code.strip("<>")
    path = Path(code.co_filename)
    name = code.co_qualname.rpartition("<locals>.")[2]
    return f"{path.parent.name}/{path.name}:{code.co_firstlineno} {name}"


def _median(turns: list[Costs]) -> Costs:
    """Of each function, the turn in the middle."""
    names = {name for costs in turns for name in costs}
    of = {name: sorted(costs.get(name, Cost()) for costs in turns) for name in names}
    return {name: costs[len(costs) // 2] for name, costs in of.items()}


def show(options: argparse.Namespace) -> int:
    """Profile both, print who costs what."""
    plain: tuple[list[float], list[float]] = [], []
    profiles: tuple[list[Costs], list[Costs]] = [], []
    loops: tuple[Loop, Loop] = _census, _bare
    with (
        tempfile.TemporaryDirectory(prefix="census-bench-") as folder,
        processes.picture_host(options.folder, options.latency_ms) as host,
    ):
        manifest = bench_census.write_manifest(Path(folder), host.url, options.rows)
        for _ in range(options.runs):
            for measured, loop in zip(plain, loops, strict=True):
                measured.append(_plain_us(loop, manifest, options.connections))
            for profiled, loop in zip(profiles, loops, strict=True):
                profiled.append(_profile(loop, manifest, options.connections))
    ours_us, bare_us = (statistics.median(measured) for measured in plain)
    print(f"CPU a row as it is: pipeline {ours_us:.0f} us, bare loop {bare_us:.0f} us")
    ours, bare = (_median(turns) for turns in profiles)
    _table("pipeline, beside the bare loop", ours, bare)
    _table("bare loop, beside the pipeline", bare, ours)
    extra = {
        name: Cost(cost.calls, cost.us - bare.get(name, Cost()).us) for name, cost in ours.items()
    }
    _table("what the pipeline adds", extra, bare)
    return 0


def _table(title: str, costs: Costs, others: Costs) -> None:
    total = sum(cost.us for cost in costs.values())
    print(f"\n{title}: {total:.0f} us a row under the profiler")
    print(
        f"{'own time, dearest first':{NAME_CHARS}} {'us':>7} {'calls':>6} | {'us':>7} {'calls':>6}"
    )
    dearest = sorted(costs.items(), key=lambda item: -item[1].us)
    for name, cost in dearest[:SHOWN]:
        other = others.get(name, Cost())
        shown = name[-NAME_CHARS:]
        print(
            f"{shown:{NAME_CHARS}} {cost.us:7.2f} {cost.calls:6.2f}"
            f" | {other.us:7.2f} {other.calls:6.2f}"
        )
