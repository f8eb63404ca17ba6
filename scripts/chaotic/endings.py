"""Work that is ended: a consumer asked to stop, a job cancelled."""

from __future__ import annotations

import signal
import time

from scripts.chaotic import appended
from scripts.chaotic.book import SHARDS
from scripts.chaotic.consumers import Consumer
from scripts.chaotic.crashes import LATE
from scripts.chaotic.stage import Setting, Stage, staged
from scripts.chaotic.verdict import Verdict
from workers.jobs import keys

__all__ = ["consumers_stopped", "job_cancelled"]

#: Of CENSUS_SHUTDOWN_GRACE, in a run of this.
GRACE_SECONDS = 4.0
#: Beyond it, for the interpreter to end on a busy machine.
SPARE_SECONDS = 2.0
#: A shard takes longer than what there is of the grace before work is handed back.
STILL = "/slow/1500"
DAY_MS = 86_400_000
HANDED_SECONDS = 3.0
CANCELLED_SECONDS = 10.0


def consumers_stopped(setting: Setting) -> Verdict:
    """F10: SIGTERM under load, also while Redis is frozen or gone."""
    total = Verdict()
    for trouble in ("none",) if setting.short else ("none", "frozen", "gone"):
        with staged(setting, f"F10-{trouble}") as stage:
            _stopped(stage, trouble)
        total.add(stage.verdict)
        total.figures |= stage.verdict.figures
    return total


def _stopped(stage: Stage, trouble: str) -> None:
    grace = str(GRACE_SECONDS)
    # Where work is handed back, nobody gets it for the end of a lease.
    lease = "30" if trouble == "none" else "1"
    (first,) = stage.crew.hire(1, shutdown_grace=grace, lease_seconds=lease)
    kinds = len(stage.setting.kinds)
    stage.enter_each(64 * kinds, prefix=lambda _: STILL, timeout="60")
    stage.until(lambda: len(_held(stage, first)) == 2 * kinds)
    # The other has nothing to do but what the first lets go of.
    stage.crew.hire(1, lease_seconds=lease, max_connections="64")
    if trouble == "frozen":
        stage.redis.freeze()
    elif trouble == "gone":
        stage.redis.kill()
    first.send(signal.SIGTERM)
    begun = time.monotonic()
    stage.crew.members.remove(first)
    while not first.ended and time.monotonic() - begun < 60:
        time.sleep(0.01)
    seconds = time.monotonic() - begun
    first.end()
    named = "" if trouble == "none" else f" while Redis was {trouble}"
    stage.done["SIGTERM" + named] += 1
    stage.verdict.figures[f"ended{named} after"] = f"{seconds:.1f} s"
    stage.verdict.check(
        seconds <= GRACE_SECONDS + SPARE_SECONDS, f"SIGTERM{named}: it took {seconds:.1f} s"
    )
    stage.verdict.equal(f"SIGTERM{named}: exit code", first.process.returncode, 0)
    if trouble == "frozen":
        stage.redis.thaw()
    elif trouble == "gone":
        stage.redis.start()
    stage.judge()
    if trouble == "none":
        _handed_back(stage)


def _held(stage: Stage, member: Consumer) -> list[str]:
    with stage.client() as client:
        found = [
            one
            for stream in SHARDS
            for one in client.xpending_range(stream, keys.GROUP, "-", "+", 100)
        ]
    mark = b":%d:" % member.pid
    return [one["message_id"].decode() for one in found if mark in one["consumer"]]


def _handed_back(stage: Stage) -> None:
    """Each was started elsewhere soon, and its count of deliveries stayed."""
    given: dict[tuple[bytes, bytes], int] = {}
    waits, highest = [], 0
    for delivery in appended.deliveries(stage.redis.folder):
        highest, entry = max(highest, delivery.count), (delivery.stream, delivery.entry)
        if delivery.count == 0:
            given[entry] = delivery.at_ms + DAY_MS
        elif entry in given:
            waits.append(delivery.at_ms - given.pop(entry))
    stage.verdict.check(bool(waits), "no shard was handed back")
    stage.verdict.equal("handed back and not begun again", len(given), 0)
    stage.verdict.equal("most deliveries of a shard", highest, 1)
    longest = max(waits, default=0) / 1000
    stage.verdict.check(longest < HANDED_SECONDS, f"a shard handed back waited {longest:.1f} s")
    stage.verdict.figures["shards handed back"] = str(len(waits))
    stage.verdict.figures["begun elsewhere within"] = f"{longest:.1f} s"


def job_cancelled(setting: Setting) -> Verdict:
    """F19: a job of each kind is cancelled while it runs."""
    with staged(setting, "F19") as stage:
        stage.crew.hire(2)
        stage.enter_each(2000, prefix=lambda _: LATE)
        stage.until(lambda: all(stage.recorded(kind) > 30 for kind in setting.kinds))
        with stage.client() as client:
            before = stage.recorded()
            for entered in stage.book.jobs:
                client.xadd(keys.INTAKE, {"kind": "cancel", "job": entered.job})
                entered.cancelled = True
            seconds = stage.until(stage.settled)
            after = stage.recorded() - before
            rows = sum(entered.shard_rows for entered in stage.book.jobs)
            flying = 2 * rows * len(stage.crew.members)  # shards at once × rows × consumers
        stage.verdict.check(after <= flying, f"{after} rows after the cancel, {flying} under way")
        stage.verdict.check(seconds < CANCELLED_SECONDS, f"it took {seconds:.1f} s to end")
        stage.verdict.figures["rows after the cancel"] = f"{after} of 2000"
        stage.verdict.figures["over after"] = f"{seconds:.1f} s"
        stage.judge()
        stage.verdict.rows = stage.recorded()
    return stage.verdict
