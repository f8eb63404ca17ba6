"""Where a scenario takes place: a Redis, consumers and the book of jobs, all gone at the end."""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from scripts.bench_processes import environment
from scripts.chaotic import appended
from scripts.chaotic.book import SHARDS, STREAMS, Book
from scripts.chaotic.consumers import Consumer, Crew
from scripts.chaotic.entered import SHARD_ROWS
from scripts.chaotic.pictures import Foretold
from scripts.chaotic.verdict import Verdict
from tests.redis_servers import RedisServer
from workers.jobs import keys

__all__ = ["Setting", "Stage", "staged"]

TICK_SECONDS = 0.05
LEASE_SECONDS = 1.0
SETTLING_SECONDS = 120.0
PROGRAM = ("-m", "workers")
#: The same, but rows below `/deadly/` kill it, and one picture a process of its pool.
DEADLY = ("-m", "scripts.chaotic.deadly")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all scenarios of a run."""

    binary: Path
    folder: Path
    host: str
    foretold: Foretold
    seed: int
    kinds: Sequence[str]  #: of the jobs that are handed in
    short: bool
    rows: int
    kills: int
    minutes: float


class Stage:
    """One scenario's."""

    def __init__(self, setting: Setting, name: str, redis_options: Mapping[str, str]) -> None:
        self.setting = setting
        self.dice = random.Random(f"{setting.seed} {name}")
        self.folder = setting.folder / name
        self.root = self.folder / "data"
        self.root.mkdir(parents=True)
        (self.folder / "r").mkdir()
        options = {"appendonly": "yes", "appendfsync": "everysec", "loglevel": "warning"}
        # Never rewritten: what was delivered to whom is read from it at the end.
        options |= {"auto-aof-rewrite-percentage": "0", **redis_options}
        self.redis = RedisServer(setting.binary, self.folder / "r", options)
        self.book = Book(
            setting.foretold, setting.host, self.root, dice=self.dice, kinds=setting.kinds
        )
        self.verdict = Verdict()
        self.done = self.verdict.done
        self.crew = self.crew_of()

    def crew_of(self, url: str | None = None, program: Sequence[str] = PROGRAM) -> Crew:
        """Consumers for another way to Redis, or of another program; instead of those before."""
        settings = {
            "REDIS_URL": url or self.redis.url,
            "DATA_ROOT": str(self.root),
            "ALLOW_NETWORKS": f"127.0.0.1/32:{self.setting.host.rpartition(':')[2]}",
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "SHARD_ROWS": str(SHARD_ROWS),
            "MAX_CONNECTIONS": "16",
            "POOL_SLOTS": "1",
            "SHUTDOWN_GRACE": "5",
            "LOG_FORMAT": "json",
        }
        env = environment(**settings) | {"PYTHONDONTWRITEBYTECODE": "1"}
        self.crew = Crew(env, self.folder, program)
        return self.crew

    def client(self) -> redis.Redis:
        """To be closed."""
        return self.redis.client()

    def enter(self, rows: int, **more: Any) -> str:
        """Hand a job in; returns its id."""
        with self.client() as client:
            return self.book.enter(client, rows, **more).job

    def enter_each(self, rows: int, **more: Any) -> None:
        """Hand in a job of each kind, with so many rows together."""
        for kind in self.setting.kinds:
            self.enter(rows // len(self.setting.kinds), kind=kind, **more)

    def recorded(self, kind: str | None = None) -> int:
        """Rows recorded so far, of the kind or of all; -1 where Redis does not say."""
        with suppress(redis.RedisError, OSError), self.client() as client:
            return self.book.recorded(client, kind)
        return -1

    def settled(self) -> bool:
        """Whether nothing is left to do."""
        with suppress(redis.RedisError, OSError), self.client() as client:
            return self.book.settled(client)
        return False

    def splitter(self) -> Consumer | None:
        """A consumer that splits a job just now."""
        with suppress(redis.RedisError, OSError), self.client() as client:
            return self._owner(client, [keys.INTAKE])
        return None

    def runner(self) -> Consumer | None:
        """One that runs a shard."""
        with suppress(redis.RedisError, OSError), self.client() as client:
            return self._owner(client, SHARDS)
        return None

    def _owner(self, client: redis.Redis, streams: Sequence[str]) -> Consumer | None:
        found = [
            one
            for stream in streams
            for one in client.xpending_range(stream, keys.GROUP, "-", "+", 10)
        ]
        pids = [int(one["consumer"].split(b":")[-2]) for one in found]
        owners = [owner for pid in pids if (owner := self.crew.of_pid(pid)) is not None]
        return self.dice.choice(owners) if owners else None

    def until(
        self,
        holds: Callable[[], bool],
        *,
        each: Callable[[], None] = lambda: None,
        seconds: float = SETTLING_SECONDS,
    ) -> float:
        """Wait until it *holds*, doing *each* now and then; returns seconds.

        Raises:
            TimeoutError: it did not.
        """
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"not within {seconds:g} s: {self._stand()}")
            each()
            self.crew.tend()
            time.sleep(TICK_SECONDS)
        return time.monotonic() - begun

    def _stand(self) -> str:
        with suppress(redis.RedisError, OSError), self.client() as client:
            jobs = [client.hgetall(keys.job(one.job)) for one in self.book.jobs[-3:]]
            waiting = {stream: client.xlen(stream) for stream in STREAMS}
            return f"{waiting}; the last jobs {jobs}"
        return "Redis does not answer"

    def judge(self, *, settle: bool = True) -> None:
        """The end of a scenario: wait for what is under way, and look at everything."""
        if settle:
            try:
                self.until(self.settled)
            except TimeoutError as exc:
                self.verdict.problems.append(str(exc))
        with self.client() as client:
            self.verdict.add(self.book.judge(client))
        self.verdict.recovered += appended.recovered_rows(self.redis.folder)
        self.verdict.equal("consumers that ended of themselves", self.crew.died, 0)


@contextmanager
def staged(setting: Setting, name: str, **redis_options: str) -> Iterator[Stage]:
    """A stage with its Redis running. Its files stay where the promise was not kept."""
    stage = Stage(setting, name, redis_options)
    try:
        stage.redis.start()
        yield stage
    except (redis.RedisError, OSError, AssertionError) as exc:
        stage.verdict.problems.append(f"{type(exc).__name__}: {exc}")
    finally:
        stage.crew.close()
        stage.redis.close()
    stage.verdict.equal("processes left behind", stage.crew.left_behind(), 0)
    if stage.verdict.holds:
        shutil.rmtree(stage.folder, ignore_errors=True)
    else:
        print(f"logs of {name}: {stage.folder}", file=sys.stderr)
