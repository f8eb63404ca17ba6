"""What a consumer would do to a job, done step by step: the scripts themselves, called by tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.server.serving import TSV, Answer, Served
from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.fields import Job, parse_entry
from workers.jobs.scripts import Script

__all__ = ["ASYNC", "JOBS", "Queue", "Recording", "record"]

JOBS = "/api/v1/jobs"
ASYNC = "/api/v1/images_info_async"
KIND = "images_info"
TTL = 3600


def record(index: int, *, ok: bool = True) -> bytes:
    """A record as text, as a job keeps it."""
    line: dict[str, Any] = {"type": "image", "index": index, "id": str(index), "url": "foo"}
    line["image_info"] = {} if ok else None
    if not ok:
        line["error"] = {"code": "bad_url"}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


class Recording:
    """One job, being split and recorded by hand."""

    def __init__(self, redis: Redis, job: str, root: Path = Path()) -> None:
        self.redis = redis
        self.job = job
        self.root = root
        self.fed = self.rows = 0
        self.limit = 1 << 40  #: bytes of results beyond which it pauses

    async def call(self, *command: Any) -> Any:
        """One command."""
        return await self.redis.execute_command(*command)

    async def open(self) -> None:
        """Begin, as a consumer that was given the entry."""
        ((_, fields),) = await self.call("XRANGE", keys.INTAKE, self.job, self.job)
        asked = parse_entry(fields, self.root)
        assert isinstance(asked, Job)
        head = [part for pair in asked.head().items() for part in pair]
        named = [keys.INTAKE, keys.job(self.job), keys.INDEX, keys.open_jobs(KIND), *keys.COUNTED]
        said = (self.job, keys.member(self.job), 1, *head, "created", "1700000000.000")
        answer = await Script("open")(self.redis, named, *said)
        assert answer[0] == b"OK", answer

    async def feed(self, rows: int = 1, *, offset: int = 0, size: int | None = None) -> bytes:
        """Add a shard of so many rows; the answer."""
        await self.call("SET", keys.CAPACITY + KIND, 1000)
        named = [
            keys.job(self.job),
            keys.input_of(self.job),
            keys.shards(KIND),
            keys.open_jobs(KIND),
            keys.CAPACITY + KIND,
        ]
        about = () if size is None else ("size", size)
        end = self.rows + rows
        said = (self.job, self.fed, self.rows, "[]", end, offset, self.limit, *about)
        answer: bytes = (await Script("feed")(self.redis, named, *said))[0]
        if answer == b"OK":
            self.fed, self.rows = self.fed + 1, end
        return answer

    async def commit(self, shard: int, *oks: bool, first: int | None = None) -> bytes:
        """Record a shard, a row for each of *oks*; returns its lines."""
        first = shard * len(oks) if first is None else first
        lines = b"".join(record(first + at, ok=ok) for at, ok in enumerate(oks))
        failed = oks.count(False)
        counts = ("error:bad_url", failed) if failed else ()
        named = [*keys.of_job(self.job), keys.shards(KIND), *keys.COUNTED]
        said = (
            "0-1",
            shard,
            len(oks),
            lines,
            TTL,
            len(oks) - failed,
            10 * len(oks),
            "",
            0,
            0,
            0,
            *counts,
        )
        answer = await Script("commit")(self.redis, named, *said)
        assert answer in (b"OK", b"DUP"), answer
        return lines

    async def seal(self) -> None:
        """All of it is fed."""
        said = (self.job, self.fed, TTL, "manifest_sha256", "ab" * 32)
        answer = await Script("seal")(self.redis, self._ended(), *said)
        assert answer[0] == b"OK", answer

    async def fail(self, reason: str) -> None:
        """It cannot be split on."""
        await Script("fail")(self.redis, self._ended(), self.job, reason, TTL)

    async def done(self, *shards: tuple[bool, ...]) -> bytes:
        """Open, feed, record and seal it; returns all its lines."""
        await self.open()
        lines = b""
        for number, oks in enumerate(shards):
            await self.feed(len(oks))
            lines += await self.commit(number, *oks, first=self.rows - len(oks))
        await self.seal()
        return lines

    async def results(self) -> list[str]:
        """The cursors of its results."""
        found = await self.call("XRANGE", keys.results(self.job), "-", "+")
        return [entry_id.decode() for entry_id, _ in found]

    def _ended(self) -> list[str]:
        return [*keys.of_job(self.job), keys.INTAKE, keys.open_jobs(KIND), *keys.COUNTED]


class Queue:
    """A served application, its Redis, and what clients ask of jobs."""

    def __init__(self, served: Served, redis: Redis) -> None:
        self.served = served
        self.redis = redis

    @property
    def root(self) -> Path:
        """Where its manifests lie."""
        return self.served.settings.data_root

    def uploads(self) -> list[Path]:
        """The files kept for jobs, and parts of such."""
        return sorted((self.root / ".uploads").glob("*"))

    async def submit(self, *urls: str, **options: Any) -> str:
        """Hand in a job of these rows; its id."""
        answer = await self.served.ask(ASYNC, json={"images": urls or ["foo"], **options})
        assert answer.status == 202, answer.body
        job: str = answer.json()["job"]
        return job

    async def upload(self, body: bytes, **headers: str) -> Answer:
        """Hand in a manifest as the body."""
        return await self.served.ask(ASYNC, data=body, headers={**TSV, **headers})

    async def recording(self, *urls: str) -> Recording:
        """A job, to be recorded by hand."""
        return Recording(self.redis, await self.submit(*urls), self.root)

    async def get(self, path: str = "", **params: str) -> Answer:
        """`GET /api/v1/jobs…`."""
        return await self.served.ask(JOBS + path, method="GET", params=params)

    async def cancel(self, job: str) -> Answer:
        """`POST /api/v1/jobs/{id}/cancel`."""
        return await self.served.ask(f"{JOBS}/{job}/cancel")

    async def delete(self, job: str, **params: str) -> Answer:
        """`DELETE /api/v1/jobs/{id}`."""
        return await self.served.ask(f"{JOBS}/{job}", method="DELETE", params=params)

    async def state(self, job: str) -> dict[str, Any]:
        """The job as it is told."""
        answer = await self.get(f"/{job}")
        assert answer.status == 200, answer.body
        told: dict[str, Any] = answer.json()
        return told

    async def entries(self) -> list[dict[bytes, bytes]]:
        """What waits in the intake."""
        found = await self.redis.execute_command("XRANGE", keys.INTAKE, "-", "+")
        return [fields for _, fields in found]
