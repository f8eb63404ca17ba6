"""`scripts/chaos`: a short run, and that it would see what is lost, repeated or wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from scripts import chaos
from scripts.chaotic import appended
from scripts.chaotic.book import SHARDS, Book
from scripts.chaotic.pictures import Foretold
from scripts.chaotic.verdict import Verdict
from tests.redis_servers import RedisServer, started
from workers.jobs import keys

ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:1"
ROWS = 6


def test_a_short_run_loses_nothing(request: pytest.FixtureRequest) -> None:
    """Consumers and Redis killed, frozen, full; forged entries; a job cancelled."""
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
    for what in ("kills", "kills of Redis", "garbage", "destroyed", "full", "SIGTERM"):
        assert re.search(rf"; {what} [1-9]", lines[-1]), lines[-1]


@pytest.fixture
def server(redis_binary: Path) -> Iterator[RedisServer]:
    """A Redis whose append-only file can be read."""
    with started(redis_binary, appendonly="yes") as running:
        yield running


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """To ask it."""
    with server.client() as opened:
        yield opened


class Work:
    """One job of six rows in a book, done by hand, two shards of three rows."""

    def __init__(self, client: redis.Redis, root: Path) -> None:
        self.client = client
        self.book = Book(Foretold(), BASE, root)
        self.entered = self.book.enter(client, ROWS)
        self.job = self.entered.job
        for stream in (keys.INTAKE, SHARDS):
            client.xgroup_create(stream, keys.GROUP, "0", mkstream=True)
        client.xdel(keys.INTAKE, self.job)
        told = {"state": "done", "total": ROWS, "rows": ROWS, "ok": ROWS, "done": 2}
        client.hset(keys.job(self.job), mapping=told)  # type: ignore[arg-type]

    def record(self, index: int) -> dict[str, Any]:
        """As it must be."""
        wanted = self.entered.wanted[index]
        assert not isinstance(wanted, str)
        url = BASE + self.entered.paths[index]
        return {"index": index, "id": f"r{index}", "url": url, "image_info": wanted._asdict()}

    def commit(self, shard: int, *records: dict[str, Any]) -> None:
        """Record them."""
        lines = b"".join(orjson.dumps(record) + b"\n" for record in records)
        fields = {"shard": shard, "rows": len(records), "lines": lines}
        self.client.xadd(keys.results(self.job), fields)  # type: ignore[arg-type]
        self.client.setbit(keys.fence(self.job), shard, 1)

    def judged(self) -> Verdict:
        """What the script would say."""
        return self.book.judge(self.client)


@pytest.fixture
def work(client: redis.Redis, tmp_path: Path) -> Work:
    """A job to be done by hand."""
    return Work(client, tmp_path)


def test_work_well_done_is_no_problem(work: Work) -> None:
    """Every row once, all figures agree."""
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *map(work.record, (3, 4, 5)))
    verdict = work.judged()
    told = "F1 rows 6 lost 0 duplicated 0 unexpected 0 recovered 0"
    assert verdict.line("F1").split() == told.split()


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


@pytest.mark.parametrize("left", ["entry", "pending", "letter", "input", "state", "count"])
def test_what_is_left_over_is_a_problem(work: Work, left: str) -> None:
    """Entries, leases, dead letters, rows kept, a job that is not done, figures that disagree."""
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *map(work.record, (3, 4, 5)))
    client = work.client
    if left in ("entry", "pending"):
        entry = client.xadd(SHARDS, {"job": work.job, "shard": 0})
        client.xreadgroup(keys.GROUP, "c", {SHARDS: ">"})
        if left == "pending":
            client.xdel(SHARDS, entry)
        else:
            client.xack(SHARDS, keys.GROUP, entry)
    elif left == "letter":
        client.xadd(keys.DEAD, {"reason": "?"})
    elif left == "input":
        client.hset(keys.input_of(work.job), "0", "[]")
    else:
        client.hset(keys.job(work.job), "state" if left == "state" else "ok", "5")
    verdict = work.judged()
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == (0, 0, 0)
    assert not verdict.holds


def test_recovered_rows_are_read_from_the_file(work: Work, server: RedisServer) -> None:
    """Those of a shard that a second consumer was given, up to where the file is cut."""
    client = work.client
    for shard in (0, 1):
        client.xadd(SHARDS, {"job": work.job, "shard": shard})
    ((_, entries),) = client.xreadgroup(keys.GROUP, "first", {SHARDS: ">"})
    client.xclaim(SHARDS, keys.GROUP, "second", 0, [entries[1][0]])
    work.commit(0, *map(work.record, (0, 1, 2)))
    work.commit(1, *map(work.record, (3, 4)))
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
