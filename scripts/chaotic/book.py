"""Every job that was handed in, and the look at what came of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson
import redis

from imaging.predictors.appearance import Appearance
from scripts.chaotic.entered import BATCH, Entered, Wanted
from scripts.chaotic.pictures import Foretold
from scripts.chaotic.tally import SHOWN, Tally
from scripts.chaotic.verdict import Verdict
from workers.jobs import keys

__all__ = ["SHARDS", "STREAMS", "Book"]

#: Entries of results read at once.
PAGE = 50
#: None divides the rows of a shard; the last is more than these are.
BATCH_SIZES = (5, 12, 20, 48)

#: The streams of shards of each kind, whichever are handed in.
SHARDS = tuple(keys.shards(kind) for kind in keys.KINDS)
STREAMS = (keys.INTAKE, *SHARDS)


class Book:
    """Hands jobs in as redis-cli does, and reads what is in Redis at the end."""

    def __init__(
        self,
        foretold: Foretold,
        base: str,
        root: Path,
        *,
        dice: random.Random,
        kinds: Sequence[str] = keys.KINDS,
    ) -> None:
        self._foretold = foretold
        self._base = base
        self._root = root
        self._dice = dice
        self._kinds = kinds
        self._names = 0
        self.jobs: list[Entered] = []
        self.buried = 0  #: dead letters there must be
        self.deadly: str | None = None  #: the picture that nobody survives who decodes it

    def enter(
        self,
        client: redis.Redis,
        rows: int,
        *,
        kind: str | None = None,
        prefix: Callable[[int], str] = lambda _: "",
        wanted: Callable[[int], str | None] = lambda _: None,
        inline: bool = False,
        **options: str,
    ) -> Entered:
        """Hand in a job of so many rows; where no kind is named, of that with the fewest so far.

        *prefix* of a row goes before its path; *wanted* is the error it must become, if any.
        """
        kind = kind or min(self._kinds, key=self.rows_of)
        self._names += 1
        if kind == BATCH:
            size = str(self._dice.choice(BATCH_SIZES))
            options = {"batch_size": size, "predictor": Appearance.about.name, **options}
        decoded = kind == BATCH or options.get("depth") == "full"
        plain = [f"/job-{self._names}/{row}" for row in range(rows)]
        paths = [f"{prefix(row)}{path}" for row, path in enumerate(plain)]
        expected = [
            wanted(row) or self._expected(path, kind, decoded=decoded)
            for row, path in enumerate(plain)
        ]
        fields = ["kind", kind]
        if inline:
            images = [{"id": f"r{row}", "url": self._base + path} for row, path in enumerate(paths)]
            fields += ["images", orjson.dumps(images).decode()]
        else:
            lines = [f"r{row}\t{self._base}{path}\n" for row, path in enumerate(paths)]
            name = f"job-{self._names}.tsv"
            (self._root / name).write_text("id\turl\n" + "".join(lines), encoding="ascii")
            fields += ["filepath", name]
        for pair in options.items():
            fields += pair
        job = client.execute_command("XADD", keys.INTAKE, "*", *fields).decode()
        together = int(options.get("batch_size", 1))
        entered = Entered(job, kind, paths, expected, base=self._base, batch_size=together)
        self.jobs.append(entered)
        return entered

    def _expected(self, path: str, kind: str, *, decoded: bool) -> Wanted:
        if decoded and self._foretold.name(path) == self.deadly:
            return "worker_died"
        foretold = self._foretold
        return foretold.prediction(path) if kind == BATCH else foretold.facts(path)

    @property
    def rows(self) -> int:
        """Asked for, all jobs together."""
        return sum(len(entered.paths) for entered in self.jobs)

    def rows_of(self, kind: str) -> int:
        """Asked for, those of one kind."""
        return sum(len(entered.paths) for entered in self.jobs if entered.kind == kind)

    def settled(self, client: redis.Redis) -> bool:
        """Whether all jobs are over and nothing waits or runs any more."""
        for entered in self.jobs:
            state, fed, done, dropped = client.hmget(
                keys.job(entered.job), "state", "fed", "done", "dropped"
            )
            if state in (None, b"running"):
                return False
            if int(done or 0) + int(dropped or 0) < int(fed or 0):
                return False
        return not any(client.xlen(stream) for stream in STREAMS)

    def recorded(self, client: redis.Redis, kind: str | None = None) -> int:
        """Rows recorded so far, all jobs of the kind together, or all."""
        counted = [one for one in self.jobs if kind in (None, one.kind)]
        return sum(int(client.hget(keys.job(one.job), "rows") or 0) for one in counted)

    def judge(self, client: redis.Redis) -> Verdict:
        """Read everything."""
        verdict = Verdict(rows=self.rows)
        for entered in self.jobs:
            self._judge_job(client, entered, verdict)
        for stream in STREAMS:
            verdict.equal(f"left in {stream}", client.xlen(stream), 0)
            pending = client.execute_command("XPENDING", stream, keys.GROUP)
            count = pending["pending"] if isinstance(pending, dict) else pending[0]
            verdict.equal(f"pending in {stream}", count, 0)
        verdict.equal("dead letters", client.xlen(keys.DEAD), self.buried)
        return verdict

    def _judge_job(self, client: redis.Redis, entered: Entered, verdict: Verdict) -> None:
        told = {
            name.decode(): value.decode(errors="replace")
            for name, value in client.hgetall(keys.job(entered.job)).items()
        }
        tally, after = Tally(entered), "-"
        while found := client.xrange(keys.results(entered.job), after, "+", count=PAGE):
            for _, fields in found:
                tally.take_shard(fields)
            after = f"({found[-1][0].decode()}"
        where = f"{entered.kind} {entered.job}"
        verdict.take(tally, where)
        if tally.lost:
            lost = tally.lost[:SHOWN]
            verdict.problems.append(f"{where}: lost {lost}…, its hash says {told}")
        verdict.equal(f"{where}: shards done", int(told.get("done", 0)), tally.shards)
        bits = client.bitcount(keys.fence(entered.job))
        verdict.equal(f"{where}: bits", bits, tally.shards)
        verdict.equal(f"{where}: rows kept", client.hlen(keys.input_of(entered.job)), 0)
        self._judge_hash(told, entered, tally, verdict)

    @staticmethod
    def _judge_hash(
        told: Mapping[str, str], entered: Entered, tally: Tally, verdict: Verdict
    ) -> None:
        """What the hash of a job says must be what its lines add up to."""
        errors = sum(int(value) for name, value in told.items() if name.startswith("error:"))
        wanted: dict[str, object] = {
            "kind": entered.kind,
            "state": "cancelled" if entered.cancelled else "done",
            "rows": str(tally.rows),
            "ok": str(tally.ok),
            "result_bytes": str(tally.bytes),
        }
        if not entered.cancelled:
            wanted["total"] = str(len(entered.paths))
        where = f"{entered.kind} {entered.job}"
        for name, value in wanted.items():
            verdict.equal(f"{where}: {name} of its hash", told.get(name, "0"), value)
        verdict.equal(f"{where}: errors of its hash", errors, tally.rows - tally.ok)
        software: Counter[str] = Counter()
        for name, value in told.items():
            if name.startswith("software:"):
                software[name.removeprefix("software:").partition(" ")[0]] += int(value)
        software.pop("pillow-heif", None)  # where its extra is installed
        names = ("numpy", "pillow") if entered.kind == BATCH and tally.rows else ()
        rows = dict.fromkeys(names, tally.rows)
        verdict.equal(f"{where}: rows by software", dict(software), rows)
