"""Entries that nobody should have written: copies, forgeries and garbage, in all streams."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import redis

from scripts.chaotic.book import SHARDS
from scripts.chaotic.stage import Setting, Stage, staged
from scripts.chaotic.verdict import Verdict
from workers.jobs import keys

__all__ = ["Forger", "forged_entries"]

Fields = Mapping[str | bytes, str | bytes]

#: What is no request.
GARBAGE: list[Fields] = [
    {"kind": "nothing"},
    {"filepath": "x.tsv"},
    {"kind": "images_info"},
    {"kind": "images_info", "filepath": "../../etc/passwd"},
    {"kind": "images_info", "filepath": "/etc/passwd"},
    {"kind": "images_info", "filepath": "x.tsv", "images": "[]"},
    {"kind": "images_info", "images": "[" * 5000},
    {"kind": "images_info", "images": '{"a": 1}'},
    {"kind": "images_info", "filepath": "x.tsv", "limit": "9" * 5000},
    {"kind": "images_info", "filepath": "x.tsv", "timeout": "nan"},
    {"kind": "images_info", "filepath": "x.tsv", "depth": "bottomless"},
    {"kind": "images_info", "filepath": "x\0.tsv"},
    {"kind": "batch_predict"},
    {"kind": "batch_predict", "filepath": "x.tsv", "batch_size": "1025"},
    {"kind": "batch_predict", "filepath": "x.tsv", "batch_size": "1024", "size": "1024x1024"},
    {"kind": "batch_predict", "filepath": "x.tsv", "size": "0x64"},
    {"kind": "batch_predict", "filepath": "x.tsv", "depth": "full"},
    {"kind": "batch_predict", "filepath": "x.tsv", "predictor": "x" * 65},
    {"kind": "batch_predict", "filepath": "x.tsv", "matte": "transparent"},
    {"kind": "cancel"},
    {"kind": "cancel", "job": "1-1"},
    {"kind": "cancel", "job": "99999999999999999999-0"},
    {b"\xff\xfe": b"\x00", b"kind": b"\xff"},
    {"": ""},
    {f"f{number}": "x" for number in range(200)},
]
#: What is no shard.
NO_SHARDS: list[Fields] = [
    {"job": "x", "shard": "0"},
    {"job": "1-1"},
    {"shard": "1"},
    {"job": "1-1", "shard": "-1"},
    {"job": "1-1", "shard": "1.5"},
    {"job": "1-1", "shard": "9" * 400},
    {b"job": b"\xff", b"shard": b"\x00"},
    {"": ""},
]


class Forger:
    """About one entry in a hundred, by chance."""

    def __init__(self, stage: Stage, share: float = 0.02) -> None:
        self._stage = stage
        self._share = share

    def __call__(self) -> None:
        """Write some, if chance will have it."""
        if self._stage.dice.random() < self._share:
            with suppress(redis.RedisError, OSError), self._stage.client() as client:
                self.write(client)

    def write(self, client: redis.Redis) -> None:
        """One of each sort. A shard may be named in the stream of another kind, too."""
        stage, dice = self._stage, self._stage.dice
        self._bury(client, keys.INTAKE, dice.choice(GARBAGE))
        self._bury(client, dice.choice(SHARDS), dice.choice(NO_SHARDS))
        self._add(client, "forged", {"job": "1-1", "shard": "0"})
        if stage.book.jobs:
            job = dice.choice(stage.book.jobs).job
            # A number that is not fed is garbage; of a job that nobody took yet it is nothing.
            if int(client.hget(keys.job(job), "fed") or 0):
                self._bury(client, dice.choice(SHARDS), {"job": job, "shard": str(10**6)})
                self._add(client, "forged", {"job": job, "shard": "0"})
        jobs = {entered.job.encode() for entered in stage.book.jobs}
        for stream in SHARDS:
            for _, fields in client.xrange(stream, count=20):
                if fields.get(b"job") in jobs and fields[b"shard"] != b"1000000":  # no garbage
                    self._add(client, "copied", fields)
                    break

    def _bury(self, client: redis.Redis, stream: str, fields: Fields) -> None:
        client.xadd(stream, fields)  # type: ignore[arg-type]
        self._stage.book.buried += 1
        self._stage.done["garbage"] += 1

    def _add(self, client: redis.Redis, what: str, fields: Fields) -> None:
        stream = self._stage.dice.choice(SHARDS)
        client.xadd(stream, fields)  # type: ignore[arg-type]
        self._stage.done[what] += 1


def forged_entries(setting: Setting) -> Verdict:
    """F7: all of that at once, beside a few jobs."""
    with staged(setting, "F7") as stage:
        stage.crew.hire(2)
        forger = Forger(stage, 1.0)
        for size in (100, 300) if setting.short else (500, 1500, 1):
            stage.enter(size)
        stage.until(lambda: stage.recorded() > 0)
        with stage.client() as client:
            for fields in GARBAGE:
                forger._bury(client, keys.INTAKE, fields)  # noqa: SLF001
            for fields in NO_SHARDS:
                for stream in SHARDS:
                    forger._bury(client, stream, fields)  # noqa: SLF001
        stage.until(stage.settled, each=forger if not setting.short else lambda: None)
        with stage.client() as client:  # of jobs that are over, too
            forger.write(client)
        stage.judge()
    return stage.verdict
