"""Where the time of a row goes: our pipeline and the bare loop under the same profiler.

Both run in this process, in turns: the rows of a manifest through `inspect_rows` and the line
codec (all of `images_info` but the HTTP answer), and the loop of `bench_bare.py`. First each is
measured as it is, then under the profiler, which makes every Python call dearer by about half a
microsecond: its figures say where to look, only the first ones say what a change brought.
"""

import asyncio
import cProfile
import resource
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import bench_bare
import bench_processes as processes
import uvloop

__all__ = ["show"]

NAME_CHARS = 56


class Cost(NamedTuple):
    """What a function costs a row."""

    calls: float
    own_us: float


NOTHING = Cost(0.0, 0.0)


async def _census(manifest: Path, connections: int, around: Callable[[bool], None]) -> int:
    """All rows through the pipeline to their lines; returns how many of them have facts."""
    from imaging.facts import ImageInfo
    from workers.engine import open_engine
    from workers.fetch.guard import parse_network
    from workers.manifest.files import FileSource
    from workers.manifest.rows import read_rows
    from workers.options import InfoOptions
    from workers.pipeline import inspect_rows
    from workers.settings import WorkSettings

    settings = WorkSettings(
        allow_networks=(parse_network("127.0.0.1/32"),),
        trusted_hosts=frozenset({"127.0.0.1"}),
        max_connections=connections,
        pool_slots=1,
    )
    warm = InfoOptions(limit=bench_bare.WARM_ROWS * connections)
    good = 0
    async with open_engine(settings) as engine:
        for options in (warm, InfoOptions()):
            source = FileSource(manifest.parent, manifest.name, max_bytes=2**40)
            around(options is not warm)
            rows, good = read_rows(source, limit=options.limit), 0
            async with inspect_rows(engine, rows, options) as inspection:
                async for records in inspection.batches(idle=10):
                    good += sum(isinstance(record.outcome, ImageInfo) for record in records)
                    b"".join([record.line() for record in records])
            source.close()
        around(False)
    return good


async def _bare(manifest: Path, connections: int, around: Callable[[bool], None]) -> int:
    """The same addresses through the bare loop; returns how many answered."""
    urls = bench_bare.addresses(manifest)
    async with bench_bare.open_session() as session:
        await bench_bare.fetch_all(session, urls[: bench_bare.WARM_ROWS * connections], connections)
        around(True)
        lengths = await bench_bare.fetch_all(session, urls, connections)
        around(False)
    return len(lengths)


Loop = Callable[[Path, int, Callable[[bool], None]], Awaitable[int]]


def _run(loop: Loop, manifest: Path, connections: int, around: Callable[[bool], None]) -> int:
    async def main() -> int:
        return await loop(manifest, connections, around)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def _plain(loop: Loop, manifest: Path, connections: int) -> float:
    """Microseconds of CPU a row, as it is."""
    marks: list[float] = []

    def around(_: bool) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        marks.append(used.ru_utime + used.ru_stime)

    return 1e6 * (-marks[-2] + marks[-1]) / _run(loop, manifest, connections, around) if marks else 0


def _profile(loop: Loop, manifest: Path, connections: int) -> dict[str, Cost]:
    """What each function costs a row, under the profiler."""
    profile = cProfile.Profile()

    def around(on: bool) -> None:
        (profile.enable if on else profile.disable)()

    rows = _run(loop, manifest, connections, around)
    costs = dict[str, Cost]()
    for entry in profile.getstats():
        name = _name(entry.code)
        calls, own = costs.get(name, NOTHING)
        costs[name] = Cost(
            calls + entry.callcount / rows, own + 1e6 * entry.inlinetime / rows
        )
    return costs


def _name(code: object) -> str:
    """`file.py:line function`, short enough for a table."""
    if isinstance(code, str):
        return code.strip("<>")
    path, line, name = code.co_filename, code.co_firstlineno, code.co_qualname
    parts = Path(path).parts
    return f"{'/'.join(parts[-2:])}:{line} {name}"
