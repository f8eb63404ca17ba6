"""Consumers and Redis are killed, frozen, and lose the end of what they wrote."""

from __future__ import annotations

import signal
import time

from scripts.chaotic import appended
from scripts.chaotic.forgery import Forger
from scripts.chaotic.stage import LEASE_SECONDS, Setting, Stage, staged
from scripts.chaotic.verdict import Verdict

__all__ = ["aof_cut", "consumers_frozen", "consumers_killed", "redis_killed", "storm"]

#: Late enough that a shard takes a second or two.
LATE = "/slow/300"
CREW = 3


class Timer:
    """What happens again and again, by chance."""

    def __init__(self, stage: Stage, least: float, most: float) -> None:
        self._stage = stage
        self._between = (least, most)
        self._next = time.monotonic() + stage.dice.uniform(*self._between)

    def due(self) -> bool:
        """Whether it is time for it."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._stage.dice.uniform(*self._between)
        return True


class Killer:
    """kill -9 of a consumer every two or three seconds, of one that splits in half the cases."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._timer = Timer(stage, 2.0, 3.0)

    def __call__(self) -> None:
        """Kill, if it is time."""
        stage = self._stage
        if not self._timer.due():
            return
        splits = stage.splitter() if stage.dice.random() < 0.5 else None
        victim = splits or stage.dice.choice(stage.crew.members)
        stage.done["kills"] += 1
        stage.done["of a splitter"] += splits is not None
        stage.crew.kill(victim)


class Freezer:
    """SIGSTOP of one that runs shards for longer than its lease, then SIGCONT."""

    def __init__(self, stage: Stage, least: float, most: float) -> None:
        self._stage = stage
        self._timer = Timer(stage, least, most)
        self._thaw: list[tuple[float, object]] = []

    def __call__(self) -> None:
        """Freeze or thaw, if it is time."""
        stage, now = self._stage, time.monotonic()
        for member in stage.crew.members:
            if member.frozen and all(member is not one for _, one in self._thaw):
                member.send(signal.SIGCONT)
        for at, member in list(self._thaw):
            if now >= at:
                self._thaw.remove((at, member))
        if self._timer.due() and (victim := stage.runner()) is not None and not victim.frozen:
            victim.send(signal.SIGSTOP)
            stage.done["freezes"] += 1
            self._thaw.append((now + LEASE_SECONDS * stage.dice.uniform(1.5, 3), victim))


class RedisKiller:
    """kill -9 of Redis, which is started again on its files a moment later."""

    def __init__(self, stage: Stage, least: float, most: float, *, cut: bool = False) -> None:
        self._stage = stage
        self._timer = Timer(stage, least, most)
        self._cut = cut

    def __call__(self) -> None:
        """Kill, if it is time."""
        stage = self._stage
        if not self._timer.due():
            return
        stage.redis.kill()
        stage.done["kills of Redis"] += 1
        time.sleep(stage.dice.uniform(0, 0.5))
        if self._cut:
            stage.done["bytes cut"] += appended.cut(stage.redis.folder, stage.dice.randint(1, 700))
            appended.repair(stage.redis.folder, stage.redis.binary)
        stage.redis.start()


def consumers_killed(setting: Setting) -> Verdict:
    """F1: kill -9 of consumers mid-shard, of those that split as well."""
    wanted = 4 if setting.short else 20
    with staged(setting, "F1") as stage:
        stage.crew.hire(CREW)
        _feed_until(stage, [Killer(stage)], lambda: stage.done["kills"] >= wanted)
    return stage.verdict


def consumers_frozen(setting: Setting) -> Verdict:
    """F2: consumers stand still longer than their lease, and go on as if nothing were."""
    wanted = 2 if setting.short else 10
    with staged(setting, "F2") as stage:
        stage.crew.hire(CREW)
        freezer = Freezer(stage, 1.5, 3)
        _feed_until(stage, [freezer], lambda: stage.done["freezes"] >= wanted)
    return stage.verdict


def redis_killed(setting: Setting) -> Verdict:
    """F3: kill -9 of Redis, which syncs its file every second or always."""
    total = Verdict()
    for policy in ("everysec", "always"):
        with staged(setting, f"F3-{policy}", appendfsync=policy) as stage:
            stage.crew.hire(CREW)
            wanted = 1 if setting.short else 4
            killer = RedisKiller(stage, 1.5, 4)
            _feed_until(stage, [killer], lambda: stage.done["kills of Redis"] >= wanted)  # noqa: B023
        total.add(stage.verdict)
    return total


def aof_cut(setting: Setting) -> Verdict:
    """F4: the machine dies: up to 700 bytes of the file never reached the disk; it is repaired."""
    wanted = 1 if setting.short else 8
    with staged(setting, "F4") as stage:
        stage.crew.hire(CREW)
        # All jobs are known before the first cut: one that Redis forgot nobody can know of.
        for _ in range(2 if setting.short else 6):
            stage.enter(200 if setting.short else 500, prefix=lambda _: LATE)
        stage.until(lambda: stage.recorded() > 0)
        killer = RedisKiller(stage, 1.5, 3, cut=True)
        stage.until(
            lambda: stage.done["kills of Redis"] >= wanted or stage.settled(),
            each=killer,
        )
        stage.judge()
    return stage.verdict


def storm(setting: Setting) -> Verdict:
    """F1, F2, F3 and F7 together, until there were as many rows and kills as asked for."""
    with staged(setting, "storm") as stage:
        stage.crew.hire(CREW)
        pace = 0.3 if setting.short else 1.0
        faults = [
            Killer(stage),
            Freezer(stage, 6 * pace, 12 * pace),
            RedisKiller(stage, 12 * pace, 20 * pace),
            Forger(stage),
        ]
        redis_kills = 1 if setting.short else max(5, setting.kills // 10)
        begun = time.monotonic()

        def over() -> bool:
            return (
                stage.done["kills"] >= setting.kills
                and stage.done["kills of Redis"] >= redis_kills
                and stage.book.rows >= setting.rows
            ) or time.monotonic() - begun > 60 * setting.minutes

        _feed_until(stage, faults, over)
        seconds = time.monotonic() - begun
        stage.verdict.figures["rows/s"] = f"{stage.verdict.rows / seconds:.0f}"
    return stage.verdict


def _feed_until(stage: Stage, faults: list, over) -> None:  # type: ignore[type-arg,no-untyped-def]
    """Hand jobs in, large and small, while things break; then let the rest be done in peace."""
    short = stage.setting.short
    sizes = (40, 100) if short else (100, 600, 1500)
    waiting = 80 if short else 400

    def step() -> None:
        for fault in faults:
            fault()
        if stage.recorded() > stage.book.rows - waiting:
            size = stage.dice.choice(sizes)
            inline = stage.dice.random() < 0.25
            stage.enter(size, prefix=lambda _: LATE, inline=inline)

    stage.until(over, each=step, seconds=3600)
    for member in stage.crew.members:
        member.send(signal.SIGCONT)
    stage.judge()
