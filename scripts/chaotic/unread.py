"""F11: nobody reads the results; then a reader does, is killed, and goes on where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from scripts.bench_processes import environment
from scripts.chaotic.entered import Entered
from scripts.chaotic.reader import CURSOR
from scripts.chaotic.stage import Setting, Stage, staged
from scripts.chaotic.tally import Tally
from scripts.chaotic.verdict import Verdict
from workers.jobs import keys

__all__ = ["results_unread"]

MOST_BYTES = 200_000
#: A record is no longer than this.
RECORD_BYTES = 1000
ROOT = Path(__file__).resolve().parents[2]


def results_unread(setting: Setting) -> Verdict:
    """F11: the job pauses, memory is bounded, and a reader that is killed loses nothing."""
    total = Verdict()
    for kind in setting.kinds:
        with staged(setting, f"F11-{kind}") as stage:
            _unread(stage, kind)
        total.add(stage.verdict)
        total.figures |= stage.verdict.figures
    return total


def _unread(stage: Stage, kind: str) -> None:
    rows = 1500 if stage.setting.short else 4000
    stage.crew.hire(2, max_redis_results=str(MOST_BYTES))
    job = stage.enter(rows, kind=kind)
    (entered,) = stage.book.jobs
    with stage.client() as client:
        stage.until(lambda: client.hget(keys.job(job), "paused") == b"1")
        stage.until(lambda: client.xlen(keys.shards(kind)) == 0)
        kept = int(client.hget(keys.job(job), "result_bytes") or 0)
    # What was fed when the bound was met is recorded all the same: twice what runs at once.
    bound = MOST_BYTES + 2 * 2 * 2 * entered.shard_rows * RECORD_BYTES
    stage.verdict.check(kept <= bound, f"{kind}: {kept} bytes of results kept, of {bound}")
    stage.verdict.figures[f"bytes of {kind} kept unread"] = str(kept)
    file = stage.folder / "read.ndjson"
    while not _read(stage, job, file):
        stage.done["reader killed"] += 1
    _judge(stage, entered, file)


def _read(stage: Stage, job: str, file: Path) -> bool:
    """Have it read; kill it in the middle the first times. Returns whether it came to the end."""
    command = [sys.executable, "-m", "scripts.chaotic.reader"]
    reader = subprocess.Popen(
        [*command, str(stage.redis.socket), job, str(file)], env=environment(), cwd=ROOT
    )
    try:
        before = file.stat().st_size if file.exists() else 0
        if stage.done["reader killed"] < (2 if stage.setting.short else 5):
            stage.until(
                lambda: (
                    (file.exists() and file.stat().st_size > before + 20_000)
                    or reader.poll() is not None
                )
            )
            time.sleep(stage.dice.uniform(0, 0.3))
            return reader.poll() == 0
        stage.until(lambda: reader.poll() is not None)
        return reader.returncode == 0
    finally:
        reader.kill()
        reader.wait()


def _judge(stage: Stage, entered: Entered, file: Path) -> None:
    """What stands in the file of the reader, not in Redis, which was told to forget it."""
    tally, verdict = Tally(entered), stage.verdict
    for line in file.read_bytes().splitlines():
        if not line.startswith(CURSOR):
            tally.take(line)
    verdict.rows = rows = len(entered.paths)
    verdict.take(tally, entered.kind)
    with stage.client() as client:
        told = client.hgetall(keys.job(entered.job))
    verdict.equal("state", told.get(b"state"), b"done")
    verdict.equal("rows of its hash", int(told.get(b"rows", 0)), rows)
    verdict.equal("rows released", int(told.get(b"released_rows", 0)), rows)
    verdict.equal("bytes kept at the end", int(told.get(b"result_bytes", 0)), 0)
    verdict.equal("consumers that ended of themselves", stage.crew.died, 0)
