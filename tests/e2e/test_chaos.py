"""`scripts/chaos`: a short run, and that it would see what is lost, repeated or wrong."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from scripts import chaos
from scripts.chaotic import appended
from scripts.chaotic.book import SHARDS, STREAMS, Book
from scripts.chaotic.entered import BATCH, INFO
from scripts.chaotic.pictures import Facts, Foretold
from scripts.chaotic.verdict import Verdict
from tests.redis_servers import KEEPING, RedisServer, started
from workers.jobs import keys

ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:1"
ROWS = 6
BATCH_SIZE = 2


@pytest.mark.lengthy
def test_a_short_run_loses_nothing(request: pytest.FixtureRequest) -> None:
    """Consumers and Redis killed, frozen, full; forged entries; jobs cancelled, of both kinds."""
    command = [sys.executable, "scripts/chaos.py", "--short", "--seed", "1"]
    if given := request.config.getoption("--redis-server"):
        command += ["--redis-server", str(given)]
    said = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    lines = said.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*chaos.SHORT, "all"]
    words = r"rows +[1-9]\d*  lost 0  duplicated 0  unexpected 0  recovered (\d+)"
    recovered = [found[1] for line in lines if (found := re.search(words, line))]
    assert len(recovered) == len(lines)
    assert int(recovered[-1]) > 0
    broken = ("kills", "kills of Redis", "garbage", "destroyed", "full", "SIGTERM")
    for what in (*keys.KINDS, *broken):
        assert re.search(rf"; {what} [1-9]", lines[-1]), lines[-1]


@pytest.fixture
def server(redis_binary: Path) -> Iterator[RedisServer]:
    """A Redis whose append-only file can be read.

    One that syncs each second holds back what it writes for as long as a sync takes.
    """
    with started(redis_binary, **KEEPING) as running:
        yield running


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """To ask it."""
    with server.client() as opened:
        yield opened


class Work:
    """One job of six rows in a book, done by hand, two shards of three rows."""

    def __init__(self, client: redis.Redis, root: Path, kind: str = INFO) -> None:
        self.client = client
        self.book = Book(Foretold(), BASE, root, dice=random.Random(1))
        size = {} if kind == INFO else {"batch_size": str(BATCH_SIZE)}
        self.entered = self.book.enter(client, ROWS, kind=kind, **size)
        self.job = self.entered.job
        self.shards = keys.shards(kind)
        for stream in STREAMS:
            client.xgroup_create(stream, keys.GROUP, "0", mkstream=True)
        client.xdel(keys.INTAKE, self.job)
        told: dict[str, Any] = {"kind": kind, "state": "done", "total": ROWS, "done": 2}
        told |= {"rows": ROWS, "ok": ROWS}
        if kind == BATCH:
            told |= {f"software:{name} 1.0": ROWS for name in ("pillow", "numpy")}
        client.hset(keys.job(self.job), mapping=told)

    def record(self, index: int) -> dict[str, Any]:
        """A row as it must be."""
        wanted = self.entered.wanted[index]
        assert not isinstance(wanted, str)
        row = {"index": index, "id": f"r{index}", "url": BASE + self.entered.paths[index]}
        if isinstance(wanted, Facts):
            return {**row, "image_info": wanted._asdict()}
        return {**row, "prediction": wanted}

    def batch(self, number: int) -> dict[str, Any]:
        """A batch as it must be."""
        rows = [
            {**self.record(index), "position": position}
            for position, index in enumerate(self.entered.batch(number))
        ]
        about = {"type": "batch", "batch": number, "predictor": "appearance"}
        return {**about, "batch_dimension": [len(rows), 3, 64, 64], "rows": rows}

    def commit(self, shard: int, *records: dict[str, Any]) -> None:
        """Record them."""
        lines = b"".join(orjson.dumps(record) + b"\n" for record in records)
        rows = sum(len(record.get("rows", [record])) for record in records)
        fields = {"shard": shard, "rows": rows, "lines": lines}
        self.client.xadd(keys.results(self.job), fields)  # type: ignore[arg-type]
        self.client.setbit(keys.fence(self.job), shard, 1)
        self.client.hincrby(keys.job(self.job), "result_bytes", len(lines))

    def judged(self) -> Verdict:
        """What the script would say."""
        return self.book.judge(self.client)


@pytest.fixture
def work(client: redis.Redis, tmp_path: Path) -> Work:
    """A job to be done by hand."""
    return Work(client, tmp_path)


@pytest.fixture
def batches(client: redis.Redis, tmp_path: Path) -> Work:
    """The same of batches of two rows."""
    return Work(client, tmp_path, BATCH)


def test_work_well_done_is_no_problem(work: Work) -> None:
    """Every row once, all figures agree."""
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *map(work.record, (3, 4, 5)))
    verdict = work.judged()
    told = "F1 rows 6 lost 0 duplicated 0 unexpected 0 recovered 0; images_info 6"
    assert verdict.line("F1").split() == told.split()
    assert verdict.holds, verdict.problems


def test_batches_well_done_are_no_problem(batches: Work) -> None:
    """The same of batches, in whichever order they are told."""
    batches.commit(0, batches.batch(1), batches.batch(0))
    batches.commit(1, batches.batch(2))
    verdict = batches.judged()
    told = "F1 rows 6 lost 0 duplicated 0 unexpected 0 recovered 0; batch_predict 6"
    assert verdict.line("F1").split() == told.split()
    assert verdict.holds, verdict.problems


def test_lost_repeated_and_wrong_rows_are_counted(work: Work) -> None:
    """A row that is missing, one that is there twice, one of another picture, one of nobody."""
    other = {**work.record(3), "image_info": {**work.record(3)["image_info"], "image_size": 1}}
    nobody = {**work.record(0), "index": ROWS}
    work.commit(0, *map(work.record, (0, 1, 1)))
    work.commit(1, other, work.record(4), work.record(5), nobody)
    verdict = work.judged()
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == (1, 1, 2)
    assert not verdict.holds
    assert any("rows of its hash: 6, not 7" in problem for problem in verdict.problems)


def _without(batch: dict[str, Any]) -> None:
    del batch["rows"][1]
    batch["batch_dimension"][0] = 1


def _predicted(batch: dict[str, Any]) -> None:
    batch["rows"][1]["prediction"] = {**batch["rows"][1]["prediction"], "entropy": 0.5}


def _failed(batch: dict[str, Any]) -> None:
    row = batch["rows"].pop()
    error = {name: row[name] for name in ("index", "id", "url")} | {"error": {"code": "gone"}}
    batch["rows"].append(error)
    batch["batch_dimension"][0] = 1


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[int, int, int], str]] = {
    "lost": (_without, (1, 0, 0), "batch 1 has the rows [2]"),
    "order": (lambda it: it["rows"].reverse(), (0, 0, 0), "batch 1 has the rows [3, 2]"),
    "number": (lambda it: it.update(batch=2), (0, 0, 2), "batch 2 has the rows [2, 3]"),
    "prediction": (_predicted, (0, 0, 1), "unexpected"),
    "error": (_failed, (0, 0, 1), "unexpected"),
    "id": (lambda it: it["rows"][0].update(id="r3"), (0, 0, 1), "unexpected"),
    "decoded": (lambda it: it["batch_dimension"].__setitem__(0, 1), (0, 0, 0), "the dimension"),
    "place": (lambda it: it["rows"][1].update(position=2), (0, 0, 0), "the places [0, 2]"),
    "predictor": (lambda it: it.update(predictor="none"), (0, 0, 0), "is by none"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_batch_that_is_wrong_is_counted(batches: Work, what: str) -> None:
    """Rows missing, out of order, in another batch, with another prediction; figures that lie."""
    spoil, counts, said = WRONG[what]
    batch = batches.batch(1)
    spoil(batch)
    batches.commit(0, batches.batch(0), batch)
    batches.commit(1, batches.batch(2))
    verdict = batches.judged()
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == counts
    assert any(said in problem for problem in verdict.problems), verdict.problems


def test_a_batch_that_is_there_twice_is_counted(batches: Work) -> None:
    """Each of its rows is, and so is the batch."""
    batches.commit(0, batches.batch(0), batches.batch(1))
    batches.commit(1, batches.batch(1), batches.batch(2))
    verdict = batches.judged()
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == (0, 2, 0)
    assert any("batch 1 is there twice" in problem for problem in verdict.problems)


def test_of_a_batch_that_was_cancelled_rows_may_be_missing(batches: Work) -> None:
    """And others say so; what was told before is right."""
    batch = batches.batch(1)
    _failed(batch)
    batch["rows"][1]["error"]["code"] = "cancelled"
    half = batches.batch(2)
    _without(half)
    batches.commit(0, batch)
    batches.commit(1, half)
    batches.entered.cancelled = True
    told = {"state": "cancelled", "rows": 3, "ok": 2, "error:cancelled": 1}
    told |= {"software:pillow 1.0": 3, "software:numpy 1.0": 3}
    batches.client.hset(keys.job(batches.job), mapping=told)  # type: ignore[arg-type]
    assert batches.judged().holds, batches.judged().problems


@pytest.mark.parametrize("left", ["letter", "input", "state", "count", "bytes"])
def test_what_is_left_over_is_a_problem(work: Work, left: str) -> None:
    """Dead letters, rows kept, a job that is not done, figures that disagree."""
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *map(work.record, (3, 4, 5)))
    client = work.client
    if left == "letter":
        client.xadd(keys.DEAD, {"reason": "?"})
    elif left == "input":
        client.hset(keys.input_of(work.job), "0", "[]")
    else:
        names = {"state": "state", "count": "ok", "bytes": "result_bytes"}
        client.hset(keys.job(work.job), names[left], "5")
    verdict = work.judged()
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == (0, 0, 0)
    assert not verdict.holds


@pytest.mark.parametrize("stream", SHARDS)
@pytest.mark.parametrize("left", ["left", "pending"])
def test_what_is_left_in_a_stream_is_a_problem(work: Work, left: str, stream: str) -> None:
    """Entries and leases, in the stream of either kind, whichever jobs there were."""
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *map(work.record, (3, 4, 5)))
    client = work.client
    entry = client.xadd(stream, {"job": work.job, "shard": 0})
    client.xreadgroup(keys.GROUP, "c", {stream: ">"})
    if left == "pending":
        client.xdel(stream, entry)
    else:
        client.xack(stream, keys.GROUP, entry)
    assert work.judged().problems == [f"{left} in {stream}: 1, not 0"]


@pytest.mark.parametrize("kind", keys.KINDS)
def test_recovered_rows_are_read_from_the_file(
    client: redis.Redis, server: RedisServer, tmp_path: Path, kind: str
) -> None:
    """Those of a shard that a second consumer was given, up to where the file is cut."""
    work = Work(client, tmp_path, kind)
    for shard in (0, 1):
        client.xadd(work.shards, {"job": work.job, "shard": shard})
    ((_, entries),) = client.xreadgroup(keys.GROUP, "first", {work.shards: ">"})
    client.xclaim(work.shards, keys.GROUP, "second", 0, [entries[1][0]])
    records = {INFO: [work.record(3), work.record(4)], BATCH: [work.batch(2)]}
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *records[kind])
    assert appended.recovered_rows(server.folder) == 2
    told = [(delivery.consumer, delivery.count) for delivery in appended.deliveries(server.folder)]
    assert told == [(b"first", 1), (b"first", 1), (b"second", 2)]
    server.kill()
    assert appended.cut(server.folder, 700) == 700
    assert appended.recovered_rows(server.folder) == 0


def test_unknown_scenarios_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2, as everything that is typed wrong."""
    with pytest.raises(SystemExit) as ended:
        chaos.options(["--only", "F1,F5"])
    assert ended.value.code == 2
    assert "'F5' is none of F1, F2, " in capsys.readouterr().err


def test_kinds_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, or those that are named."""
    assert chaos.options([]).kinds == keys.KINDS
    assert chaos.options(["--kinds", BATCH]).kinds == (BATCH,)
    with pytest.raises(SystemExit) as ended:
        chaos.options(["--kinds", f"{INFO},census"])
    assert ended.value.code == 2
    assert "'census' is none of images_info, batch_predict" in capsys.readouterr().err
