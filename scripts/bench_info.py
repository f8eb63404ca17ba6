"""`bench info`: the census, a bare loop and the predecessor's way, side by side in one run.

All ask the same picture hosts (processes of their own, one for each latency) for the same
addresses, in turns: census, bare loop, predecessor, census, … so that what else the machine does
falls on all of them. Each turn has fresh figures; a ratio is taken within a turn.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import bench_bare
import bench_processes as processes
import bench_report as report
import psutil
from bench_census import Census, open_census, write_manifest
from bench_report import BARE, CENSUS, PREDECESSOR, Run

__all__ = ["measure"]


@dataclass(frozen=True, slots=True)
class Place:
    """A host to ask, its manifest, and how late it answers."""

    host: processes.PictureHost
    manifest: Path
    latency_ms: float


def measure(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; 1 if rows were lost."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="census-bench-")))
        places = [_place(stack, root, latency, options) for latency in options.latency_ms]
        hosts = [place.host.url for place in places]
        servers = {
            connections: stack.enter_context(open_census(root, hosts, connections))
            for connections in options.connections
        }
        runs = []
        for turn in range(options.runs):
            for run in _turn(turn, places, servers, options):
                runs.append(run)
                print(f"bench: {run.told()}", file=sys.stderr, flush=True)
    facts = _machine(options)
    aims = report.aims(runs)
    print(report.text(facts, runs, aims))
    if options.json:
        told = {
            "machine": facts,
            "runs": [asdict(run) for run in runs],
            "aims": [asdict(aim) | {"met": aim.met} for aim in aims],
            "lost": sum(run.lost for run in runs),
        }
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if any(run.lost for run in runs) else 0


def _place(stack: ExitStack, root: Path, latency_ms: float, options: argparse.Namespace) -> Place:
    host = stack.enter_context(processes.picture_host(options.folder, latency_ms))
    manifest = write_manifest(root, host.url, options.rows, f"images-{latency_ms:g}.tsv")
    return Place(host, manifest, latency_ms)


def _turn(
    turn: int, places: list[Place], servers: dict[int, Census], options: argparse.Namespace
) -> Iterator[Run]:
    """Everything once; the predecessor only where it is its turn."""
    for place in places:
        for connections, census in servers.items():
            yield _census(turn, place, connections, census, options.rows)
            yield _bare(turn, place, connections, options.rows)
        late = place.latency_ms > 0
        if not late or turn == 0:
            rows = min(options.rows, options.predecessor_rows) if late else options.rows
            yield _predecessor(turn, place, rows)


def _census(turn: int, place: Place, connections: int, census: Census, rows: int) -> Run:
    census.stream(place.manifest, min(rows, bench_bare.WARM_ROWS * connections))
    place.host.reset()
    stream = census.stream(place.manifest, rows)
    own, tree = processes.rss(census.process)
    return Run(
        turn=turn,
        who=CENSUS,
        latency_ms=place.latency_ms,
        connections=connections,
        rows=rows,
        lost=stream.lost,
        seconds=stream.seconds,
        cpu=stream.cpu,
        bytes=stream.bytes,
        served=place.host.bytes_served(),
        start_ms=stream.start_ms,
        first_ms=stream.first_ms,
        rss=own,
        rss_tree=tree,
    )


def _bare(turn: int, place: Place, connections: int, rows: int) -> Run:
    said = processes.answer_of("bench_bare.py", place.manifest, connections)
    return _told(turn, BARE, place, connections, rows, said)


def _predecessor(turn: int, place: Place, rows: int) -> Run:
    said = processes.answer_of("bench_predecessor.py", place.manifest, rows)
    return _told(turn, PREDECESSOR, place, 1, rows, said)


def _told(
    turn: int, who: str, place: Place, connections: int, rows: int, said: dict[str, float]
) -> Run:
    return Run(
        turn=turn,
        who=who,
        latency_ms=place.latency_ms,
        connections=connections,
        rows=rows,
        lost=rows - int(said["rows"]),
        seconds=said["seconds"],
        cpu=said["cpu"],
        bytes=int(said["bytes"]),
    )


def _machine(options: argparse.Namespace) -> dict[str, str | int]:
    """What the figures depend on, besides the code."""
    names = ("imagecensus", "aiohttp", "uvloop", "orjson", "pillow", "requests")
    return {
        "cores": psutil.cpu_count() or 0,
        "load": f"{psutil.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "pictures": "of a folder" if options.folder else "made",
        "rows": options.rows,
        "turns": options.runs,
    }
