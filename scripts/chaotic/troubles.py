"""F9: Redis is there, and yet not: full, read-only, loading, frozen, emptied, or without groups.

Each for some seconds, under load. No consumer may end of it, and work goes on soon afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scripts.chaotic.book import STREAMS
from scripts.chaotic.stage import Setting, Stage, staged
from scripts.chaotic.verdict import Verdict
from workers.jobs import keys

__all__ = ["redis_in_trouble"]

#: A shard takes some 0.6 s: there is work under way at any time.
LATE = "/slow/300"
#: Work goes on within so many seconds of the end of a trouble: the longest pause, and a lease.
RESUMED_SECONDS = 15.0
#: Commands whose loading takes about as long as a trouble.
LOADED = 4000


def redis_in_trouble(setting: Setting) -> Verdict:
    """F9."""
    total, names = Verdict(), list(TROUBLES)
    if setting.short:
        names = ["destroyed", "full"]
    seconds = 1.0 if setting.short else 4.0
    with staged(setting, "F9") as stage:
        stage.crew.hire(2)
        for name in names:
            stage.enter_each(300 if setting.short else 900, prefix=lambda _: LATE)
            if name == "emptied":
                stage.judge()  # of what was promised before
                stage.enter_each(600, prefix=lambda _: LATE)
            _underway(stage)
            begin, mend = TROUBLES[name]
            begin(stage)
            stage.done[name] += 1
            end = time.monotonic() + seconds
            stage.until(lambda: time.monotonic() >= end)  # noqa: B023
            mend(stage)
            if name == "emptied":
                stage.enter_each(200, prefix=lambda _: LATE)
            resumed = stage.until(_grown(stage))
            stage.verdict.figures[f"resumed after {name}"] = f"{resumed:.1f} s"
            stage.verdict.check(
                resumed < RESUMED_SECONDS, f"{name}: work went on after {resumed:.1f} s only"
            )
        stage.judge()
    total.add(stage.verdict)
    total.figures = stage.verdict.figures
    return total


def _underway(stage: Stage) -> None:
    stage.until(_grown(stage))


def _grown(stage: Stage) -> Callable[[], bool]:
    """Whether rows of each kind were recorded since now, where any are left to be."""
    kinds = stage.setting.kinds
    before = {kind: max(0, stage.recorded(kind)) for kind in kinds}
    wanted = {kind: min(before[kind] + 1, stage.book.rows_of(kind)) for kind in kinds}
    return lambda: all(stage.recorded(kind) >= wanted[kind] for kind in kinds)


def _call(*command: str | int) -> Callable[[Stage], None]:
    def call(stage: Stage) -> None:
        stage.redis.call(*command)

    return call


def _nothing(_: Stage) -> None:
    """It is over by itself."""


def _empty(stage: Stage) -> None:
    """All jobs are gone with it, and so is every promise about them."""
    stage.redis.call("FLUSHALL")
    stage.verdict.figures["jobs lost with FLUSHALL"] = str(len(stage.book.jobs))
    stage.book.jobs.clear()


def _load(stage: Stage) -> None:
    with stage.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(LOADED):
            pipe.set("chaos:load", number)
        pipe.execute()
    stage.redis.options["key-load-delay"] = "1000"
    stage.redis.kill()
    begun = time.monotonic()
    stage.redis.start()
    stage.verdict.figures["loading took"] = f"{time.monotonic() - begun:.1f} s"
    del stage.redis.options["key-load-delay"]
    stage.redis.call("DEL", "chaos:load")


def _spoil(stage: Stage) -> None:
    with stage.client() as client:
        pipe = client.pipeline()
        pipe.delete(keys.CONSUMERS)
        pipe.set(keys.CONSUMERS, "no hash")
        pipe.execute()


#: Name → how it begins, how it ends.
TROUBLES: dict[str, tuple[Callable[[Stage], None], Callable[[Stage], None]]] = {
    "destroyed": (
        lambda stage: (
            [_call("XGROUP", "DESTROY", key, keys.GROUP)(stage) for key in STREAMS] and None
        ),
        _nothing,
    ),
    "full": (_call("CONFIG", "SET", "maxmemory", 1), _call("CONFIG", "SET", "maxmemory", 0)),
    "read-only": (_call("REPLICAOF", "127.0.0.1", 1), _call("REPLICAOF", "NO", "ONE")),
    "loading": (_load, _nothing),
    "wrong type": (_spoil, _call("DEL", keys.CONSUMERS)),
    "frozen": (lambda stage: stage.redis.freeze(), lambda stage: stage.redis.thaw()),
    "emptied": (_empty, _nothing),
}
