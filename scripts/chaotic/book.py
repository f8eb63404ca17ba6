"""Every job that was handed in, what must come of each row, and the look at what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import redis

from scripts.chaotic.pictures import Facts, Foretold
from scripts.chaotic.verdict import Verdict
from workers.jobs import keys

__all__ = ["Book", "Entered"]

#: Entries of results read at once.
PAGE = 50
#: Rows that are told one by one when they are wrong.
SHOWN = 5

SHARDS = keys.shards(keys.KINDS[0])


class Entered:
    """One job: its rows are `r0`, `r1`, …, each with a path of the picture host."""

    def __init__(
        self, job: str, paths: Sequence[str], wanted: Sequence[Facts | str], base: str
    ) -> None:
        self.job = job
        self.paths = paths
        self.wanted = wanted  #: of each row the facts, or the code of the error it must be
        self.base = base
        self.cancelled = False

    def right(self, record: dict[str, Any]) -> bool:
        """Whether a record is what its row must become."""
        index = record["index"]
        if record["id"] != f"r{index}" or record["url"] != self.base + self.paths[index]:
            return False
        info, error = record["image_info"], record.get("error")
        if self.cancelled and error is not None and error["code"] == "cancelled":
            return True
        wanted = self.wanted[index]
        if isinstance(wanted, str):
            return error is not None and error["code"] == wanted
        return info is not None and Facts(*(info[name] for name in Facts._fields)) == wanted


class Book:
    """Hands jobs in as redis-cli does, and reads what is in Redis at the end."""

    def __init__(self, foretold: Foretold, base: str, root: Path) -> None:
        self._foretold = foretold
        self._base = base
        self._root = root
        self._names = 0
        self.jobs: list[Entered] = []
        self.buried = 0  #: dead letters there must be

    def enter(
        self,
        client: redis.Redis,
        rows: int,
        *,
        prefix: Callable[[int], str] = lambda _: "",
        wanted: Callable[[int], str | None] = lambda _: None,
        inline: bool = False,
        **options: str,
    ) -> Entered:
        """Hand in a job of so many rows.

        *prefix* of a row goes before its path; *wanted* is the error it must become, if any.
        """
        self._names += 1
        plain = [f"/job-{self._names}/{row}" for row in range(rows)]
        paths = [f"{prefix(row)}{path}" for row, path in enumerate(plain)]
        expected = [wanted(row) or self._foretold.facts(path) for row, path in enumerate(plain)]
        fields = ["kind", keys.KINDS[0]]
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
        self.jobs.append(Entered(job, paths, expected, self._base))
        return self.jobs[-1]

    @property
    def rows(self) -> int:
        """Asked for, all jobs together."""
        return sum(len(entered.paths) for entered in self.jobs)

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
        return not any(client.xlen(stream) for stream in (keys.INTAKE, SHARDS))

    def recorded(self, client: redis.Redis) -> int:
        """Rows recorded so far, all jobs together."""
        return sum(int(client.hget(keys.job(one.job), "rows") or 0) for one in self.jobs)

    def judge(self, client: redis.Redis) -> Verdict:
        """Read everything."""
        verdict = Verdict(rows=self.rows)
        for entered in self.jobs:
            self._judge_job(client, entered, verdict)
        for stream in (keys.INTAKE, SHARDS):
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
        seen: Counter[int] = Counter()
        ok, entries, wrong = 0, 0, []
        for record in self._records(client, entered.job):
            if record is None:
                entries += 1
                continue
            index = record["index"]
            ok += record["image_info"] is not None
            if 0 <= index < len(entered.paths) and entered.right(record):
                seen[index] += 1
            else:
                wrong.append(record)
        missing = [row for row in range(len(entered.paths)) if not seen[row]]
        # A row recorded wrongly is unexpected, and not lost as well.
        named = {record["index"] for record in wrong}
        lost = 0 if entered.cancelled else len([row for row in missing if row not in named])
        verdict.lost += lost
        verdict.duplicated += sum(count - 1 for count in seen.values() if count > 1)
        verdict.unexpected += len(wrong)
        where = f"job {entered.job}"
        for record in wrong[:SHOWN]:
            verdict.problems.append(f"{where}: unexpected {orjson.dumps(record).decode()[:400]}")
        if lost:
            verdict.problems.append(f"{where}: lost {missing[:SHOWN]}…, its hash says {told}")
        state = "cancelled" if entered.cancelled else "done"
        verdict.equal(f"{where}: state", told.get("state"), state)
        rows = sum(seen.values()) + len(wrong)
        verdict.equal(f"{where}: rows of its hash", int(told.get("rows", 0)), rows)
        verdict.equal(f"{where}: ok of its hash", int(told.get("ok", 0)), ok)
        errors = sum(int(value) for name, value in told.items() if name.startswith("error:"))
        verdict.equal(f"{where}: errors of its hash", errors, rows - ok)
        verdict.equal(f"{where}: shards done", int(told.get("done", 0)), entries)
        verdict.equal(f"{where}: bits", client.bitcount(keys.fence(entered.job)), entries)
        verdict.equal(f"{where}: rows kept", client.hlen(keys.input_of(entered.job)), 0)
        if not entered.cancelled:
            verdict.equal(f"{where}: total", told.get("total"), str(len(entered.paths)))

    @staticmethod
    def _records(client: redis.Redis, job: str) -> Any:
        """Its records; None behind each shard."""
        after = "-"
        while found := client.xrange(keys.results(job), after, "+", count=PAGE):
            for _, fields in found:
                for line in fields[b"lines"].splitlines():
                    yield orjson.loads(line)
                yield None
            after = f"({found[-1][0].decode()}"
