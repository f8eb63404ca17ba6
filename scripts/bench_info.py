"""`bench info`: the census, a bare loop and the predecessor's way, side by side in one run.

All ask the same picture hosts (processes of their own, one for each latency) for the same
addresses, in turns: census, bare loop, predecessor, census, … so that what else the machine does
falls on all of them. Each turn has fresh figures; a ratio is taken within a turn.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import bench_answers
import bench_bare
import bench_info_aims
import bench_machine
import bench_processes as processes
import bench_report as report
from bench_census import Census, open_census
from bench_info_aims import BARE, PREDECESSOR
from bench_places import Place, open_places
from bench_report import Run

__all__ = ["measure"]


def measure(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; 1 if rows were lost."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="census-bench-")))
        places = open_places(stack, root, options)
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
    facts = bench_machine.facts(options)
    aims = bench_info_aims.aims(runs)
    print(report.text(facts, bench_info_aims.COLUMNS, runs, aims, remarks=[]))
    if options.json:
        options.json.write_text(json.dumps(report.figures(facts, runs, aims), indent=1) + "\n")
    return 1 if any(run.lost for run in runs) else 0


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
    warm = min(rows, bench_bare.WARM_ROWS * connections)
    census.stream(bench_answers.info(place.manifest, warm))
    question = bench_answers.info(place.manifest, rows)
    return census.run(
        turn, question, place.host, latency_ms=place.latency_ms, connections=connections
    )


def _bare(turn: int, place: Place, connections: int, rows: int) -> Run:
    said = processes.answer_of("bench_bare.py", place.manifest, connections)
    where = {"latency_ms": place.latency_ms, "connections": connections}
    return Run.of(said, turn, BARE, rows, **where)


def _predecessor(turn: int, place: Place, rows: int) -> Run:
    said = processes.answer_of("bench_predecessor.py", place.manifest, rows)
    return Run.of(said, turn, PREDECESSOR, rows, latency_ms=place.latency_ms, connections=1)
