"""`bench predict`: batches of pixels by the census, a tight loop and others, side by side.

All take the same pictures: from picture hosts (processes of their own, one for each latency), or
from memory who only decodes. They run in turns, so that what else the machine does falls on all
of them; a ratio is taken within a turn.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench_answers
import bench_bare
import bench_img2dataset as img2dataset
import bench_machine
import bench_predict_aims as predict_aims
import bench_processes as processes
import bench_report as report
from bench_census import Census, open_census
from bench_pictures import MADE
from bench_places import Place, open_places
from bench_redis import redis_server
from bench_report import Run

__all__ = ["measure"]

REMARKS = [
    "own: of CPU-s/1000 what the server's own process used; nearly all the rest is its pool's",
    "loop: decodes from memory, on one core and on all at once; it fetches nothing",
]
IMG2DATASET_REMARKS = [
    "img2dataset does more: it encodes each picture again, hashes the files, writes Parquet with",
    "metadata; its figures are of the whole process, start-up included, and net of a run of one",
    "row; its kB/img are what the host served",
]


class Stage:
    """What all turns share."""

    def __init__(self, stack: ExitStack, root: Path, options: argparse.Namespace) -> None:
        self.options = options
        self.root = root
        self.folder = str(options.folder.resolve()) if options.folder else MADE
        # First: making its environment takes minutes, and should not wait beside idle servers.
        self.rival = img2dataset.prepare(options.img2dataset_venv) if options.img2dataset else None
        self.places = open_places(stack, root, options)
        hosts = [place.host.url for place in self.places]
        self.census = stack.enter_context(open_census(root, hosts, options.connections))
        redis_folder = root / "r"
        redis_folder.mkdir()
        self.redis = stack.enter_context(redis_server(redis_folder, append_only=False)).url


def measure(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; 1 if rows were lost."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="census-bench-")))
        stage = Stage(stack, root, options)
        differences = {
            size: processes.answer_of("bench_quality.py", stage.folder, size)
            for size in options.sizes
        }
        runs = []
        for turn in range(options.runs):
            for run in _turn(turn, stage):
                runs.append(run)
                print(f"bench: {run.told()}", file=sys.stderr, flush=True)
    facts = bench_machine.facts(options, ["numpy", "redis"]) | {"predecessor's JSON": _writer()}
    aims = [*predict_aims.aims(runs), *predict_aims.quality_aims(differences)]
    remarks = list(REMARKS)
    if options.img2dataset:
        facts["img2dataset"] = img2dataset.VERSION
        remarks += IMG2DATASET_REMARKS
    print(report.text(facts, predict_aims.COLUMNS, runs, aims, remarks))
    if options.json:
        figures = report.figures(facts, runs, aims, differences=differences)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if any(run.lost for run in runs) else 0


def _turn(turn: int, stage: Stage) -> Iterator[Run]:
    """Everything once."""
    start = None
    if stage.rival:
        start = stage.rival.start(stage.root, stage.places[0].host.url, stage.options.sizes[0])
    for place in stage.places:
        yield _bare(turn, stage, place)
    for size in stage.options.sizes:
        for who, count in (
            (predict_aims.LOOP_ALONE, 1),
            (predict_aims.LOOP, os.cpu_count() or 1),
        ):
            rows = stage.options.rows
            said = processes.answer_of("bench_decode.py", stage.folder, rows, size, count)
            yield Run.of(said, turn, who, rows, size=size)
        for place in stage.places:
            yield _census(turn, stage.census, place, size, stage.options)
            yield _predecessor(turn, stage, place, size)
            if stage.rival and start:
                yield from _img2dataset(turn, stage.rival, start, place, size, stage.options.rows)


def _bare(turn: int, stage: Stage, place: Place) -> Run:
    """What fetching alone costs, whatever is made of the bodies."""
    connections = stage.options.connections
    said = processes.answer_of("bench_bare.py", place.manifest, connections, "whole")
    where = {"latency_ms": place.latency_ms, "connections": connections}
    return Run.of(said, turn, predict_aims.BARE, stage.options.rows, **where)


def _census(turn: int, census: Census, place: Place, size: int, options: argparse.Namespace) -> Run:
    warm = min(options.rows, bench_bare.WARM_ROWS * options.connections)
    census.stream(bench_answers.predict(place.manifest, warm, size))
    question = bench_answers.predict(place.manifest, options.rows, size)
    where = {"latency_ms": place.latency_ms, "connections": options.connections, "size": size}
    return census.run(turn, question, place.host, **where)


def _predecessor(turn: int, stage: Stage, place: Place, size: int) -> Run:
    rows = min(stage.options.rows, stage.options.predecessor_rows)
    said = processes.answer_of(
        "bench_predecessor_batch.py", place.manifest, rows, size, stage.redis
    )
    where = {"latency_ms": place.latency_ms, "connections": 1, "size": size}
    return Run.of(said, turn, predict_aims.PREDECESSOR, rows, **where)


def _img2dataset(
    turn: int,
    program: img2dataset.Program,
    start: img2dataset.Ended,
    place: Place,
    size: int,
    rows: int,
) -> Iterator[Run]:
    """The whole run, and what is left of it without the start-up."""
    place.host.reset()
    whole = program.run(place.manifest, size)
    served = place.host.bytes_served()
    for who, ended in (
        (predict_aims.IMG2DATASET, whole),
        (predict_aims.IMG2DATASET_NET, whole.net_of(start)),
    ):
        if ended:
            asked = rows - (whole.rows - ended.rows)
            said = ended._asdict() | {"bytes": served * asked / rows}
            yield Run.of(said, turn, who, asked, latency_ms=place.latency_ms, size=size)


def _writer() -> str:
    """What the predecessor's way writes JSON with."""
    try:
        return f"simplejson {version('simplejson')}"
    except PackageNotFoundError:
        return "the standard library's"
