"""The queue in a real Redis: its scripts, asked directly, and what they leave behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

from tests.redis_servers import RedisServer
from workers.hosts_counted import MOST_HOSTS, MOST_JSON_BYTES, MOST_REASONS, HostsCounted
from workers.jobs import keys
from workers.jobs.connection import Redis, connect, drop_connections
from workers.jobs.scripts import Script
from workers.settings import WorkSettings

__all__ = ["KIND", "SHARDS", "TTL", "Queue", "memory_short", "opened", "pairs", "text"]

KIND = "images_info"
SHARDS = keys.shards(KIND)
TTL = 1000
#: Results of a job may be so large, where a test does not care.
PLENTY = 10**9


@cache
def script(name: str) -> Script:
    """One of the Lua scripts."""
    return Script(name)


def text(answer: Any) -> Any:
    """An answer with text instead of bytes."""
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, list):
        return [text(one) for one in answer]
    return answer


def pairs(flat: Mapping[Any, Any] | Sequence[Any]) -> dict[str, str]:
    """Fields as a dict of text, from whichever shape the client gives."""
    if isinstance(flat, Mapping):
        return {text(name): text(value) for name, value in flat.items()}
    found = text(list(flat))
    return dict(zip(found[::2], found[1::2], strict=True))


class Queue:
    """Calls take what a test is about; the rest is what consumers say."""

    def __init__(self, redis: Redis, members: Sequence[RedisServer]) -> None:
        self.redis = redis
        self.members = members

    async def do(self, *command: Any) -> Any:
        """One command; the answer as text."""
        return text(await self.redis.execute_command(*command))

    async def run(self, name: str, named: Sequence[str], *said: Any) -> Any:
        """A script by its name; the answer as text."""
        return text(await script(name)(self.redis, named, *said))

    async def dialled_anew(self) -> None:
        """The server was another process before."""
        await drop_connections(self.redis)

    # The intake and the splitter.

    async def added(self, **fields: Any) -> str:
        """XADD to the intake, as people do; the id."""
        fields = fields or {"kind": KIND, "filepath": "a.tsv"}
        flat = [part for pair in fields.items() for part in pair]
        job: str = await self.do("XADD", keys.INTAKE, "*", *flat)
        return job

    async def submit(self, token: str, fingerprint: str = "same", ttl: int = 60) -> Any:
        """Hand a job in under a token."""
        said = (ttl, fingerprint, "kind", KIND, "filepath", "a.tsv")
        return await self.run("submit", [keys.once(token), keys.INTAKE], *said)

    async def open(self, job: str, deliveries: int = 1) -> Any:
        """Begin to split, or go on."""
        named = [keys.INTAKE, keys.job(job), keys.INDEX, keys.open_jobs(KIND), *keys.COUNTED]
        head = ("kind", KIND, "manifest", "a.tsv", "options", "{}", "created", "1.000")
        return await self.run("open", named, job, keys.member(job), deliveries, *head)

    async def feed(
        self,
        job: str,
        shard: int,
        *,
        rows: int = 10,
        first: int | None = None,
        most: int = PLENTY,
        text: str | None = None,
    ) -> Any:
        """Add the shard *shard* of *rows* rows, behind as many of that size; with no text, ask."""
        text = f"rows of {shard}" if text is None else text
        first = shard * rows if first is None else first
        named = [
            *(keys.job(job), keys.input_of(job), SHARDS),
            *(keys.open_jobs(KIND), keys.CAPACITY + KIND),
        ]
        said = (job, shard, first, text, first + rows, 7 * (first + rows), most)
        return await self.run("feed", named, *said, "stamp", "s")

    async def seal(self, job: str, fed: int) -> Any:
        """All of it is fed."""
        said = (job, fed, TTL, "manifest_sha256", "abc")
        return await self.run("seal", self._ended(job), *said)

    async def fail(self, job: str, reason: str = "of the test") -> Any:
        """It cannot be split on."""
        return await self.run("fail", self._ended(job), job, reason, TTL)

    def _ended(self, job: str) -> list[str]:
        return [*keys.of_job(job), keys.INTAKE, keys.open_jobs(KIND), *keys.COUNTED]

    async def begun(self, shards: int = 0, consumer: str = "splitter") -> str:
        """A job whose entry is taken, with so many shards fed."""
        job = await self.added()
        await self.read(keys.INTAKE, consumer)
        assert (await self.open(job))[0] == "OK"
        await self.room(100)
        for shard in range(shards):
            assert await self.feed(job, shard) == ["OK"]
        return job

    async def room(self, shards: int) -> None:
        """As if living consumers ran so many shards at once."""
        await self.do("SET", keys.CAPACITY + KIND, shards)

    # Whoever runs shards.

    async def read(self, stream: str = SHARDS, consumer: str = "a", count: int = 1) -> list[str]:
        """New entries of a stream, for *consumer*: their ids."""
        said = ("GROUP", keys.GROUP, consumer, "COUNT", count, "STREAMS", stream, ">")
        found = await self.redis.execute_command("XREADGROUP", *said)
        return [text(entry) for _, entries in found or () for entry, _ in entries]

    async def groups(self) -> None:
        """Make the groups, as consumers do."""
        for stream in (keys.INTAKE, *map(keys.shards, keys.KINDS)):
            await self.do("XGROUP", "CREATE", stream, keys.GROUP, "0", "MKSTREAM")

    async def claim(self, consumer: str, idle_ms: int = 0, count: int = 100) -> Any:
        """Entries of the shards' stream whose lease ran out."""
        return await self.run("claim", [SHARDS], consumer, idle_ms, count)

    async def moved(self, entry: str, consumer: str, idle_ms: int = 0) -> None:
        """Make a shard's entry another's, as if its lease was renewed so long ago."""
        said = ("XCLAIM", SHARDS, keys.GROUP, consumer, 0, entry, "IDLE", idle_ms, "JUSTID")
        await self.redis.execute_command(*said, parse_justid=True)

    async def commit(
        self,
        entry: str,
        job: str,
        shard: int,
        *,
        lines: str = "{}\n",
        rows: int = 10,
        ok: int = 9,
        hosts: HostsCounted | None = None,
    ) -> str:
        """Record a shard."""
        told = (hosts.json() if hosts else "", MOST_HOSTS, MOST_REASONS, MOST_JSON_BYTES)
        counts = ("error:timeout", 1, "status:404", 2)
        said = (entry, shard, rows, lines, TTL, ok, 100, *told, *counts)
        named = [*keys.of_job(job), SHARDS, *keys.COUNTED]
        answer: str = await self.run("commit", named, *said)
        return answer

    async def drop(self, entry: str, job: str, shard: int) -> int:
        """Let go of a shard."""
        named = [*keys.of_job(job), SHARDS, *keys.COUNTED]
        taken: int = await self.run("drop", named, entry, shard, TTL)
        return taken

    async def finished(self, shards: int = 1) -> str:
        """A job that is done."""
        job = await self.begun(shards)
        for shard, entry in enumerate(await self.read(count=shards)):
            assert await self.commit(entry, job, shard) == "OK"
        assert await self.seal(job, shards) == ["OK"]
        return job

    # Whoever looks after jobs.

    async def cancel(self, job: str) -> Any:
        """Cancel it."""
        named = [*keys.of_job(job), keys.INTAKE, keys.INDEX, keys.open_jobs(KIND), SHARDS]
        named += keys.COUNTED
        head = ("kind", KIND, "manifest", "a.tsv")
        return await self.run("cancel", named, job, keys.member(job), TTL, *head)

    async def delete(self, job: str) -> int:
        """Remove it."""
        named = [*keys.of_job(job), keys.INTAKE, keys.INDEX, keys.open_jobs(KIND), SHARDS]
        named += keys.COUNTED
        removed: int = await self.run("delete", named, job, keys.member(job))
        return removed

    async def release(self, job: str, through: str, count: int = 10) -> Any:
        """Drop results up to and with *through*."""
        return await self.run("release", [keys.job(job), keys.results(job)], through, count)

    # What is there.

    async def job(self, job: str) -> dict[str, str]:
        """The hash of a job."""
        return pairs(await self.redis.execute_command("HGETALL", keys.job(job)))

    async def state(self, job: str) -> str | None:
        """As its hash says."""
        found: str | None = await self.do("HGET", keys.job(job), "state")
        return found

    async def results(self, job: str) -> list[tuple[str, dict[str, str]]]:
        """What is recorded of a job."""
        found = await self.redis.execute_command("XRANGE", keys.results(job), "-", "+")
        return [(text(entry), pairs(fields)) for entry, fields in found]

    async def dead(self) -> list[dict[str, str]]:
        """The dead letters."""
        found = await self.redis.execute_command("XRANGE", keys.DEAD, "-", "+")
        return [pairs(fields) for _, fields in found]

    async def length(self, stream: str = SHARDS) -> int:
        """How many entries a stream has."""
        found: int = await self.do("XLEN", stream)
        return found

    async def pending(self, stream: str = SHARDS) -> list[tuple[str, str, int]]:
        """Entries under way: id, whose, how often delivered."""
        said = ("XPENDING", stream, keys.GROUP, "-", "+", 1000)
        found = await self.redis.execute_command(*said, parse_detail=True)
        names = ("message_id", "consumer", "times_delivered")
        return [tuple(text(one[name]) for name in names) for one in found]

    async def there(self, job: str) -> dict[str, int]:
        """Which keys of a job are there, by a short name: their seconds to live, -1 for ever."""
        found = {}
        for key in keys.of_job(job):
            if await self.do("EXISTS", key):
                found[key.split(":")[2]] = await self.do("TTL", key)
        return found

    def dump(self) -> dict[bytes, bytes]:
        """Every key and all that is in it, to be compared."""
        found = {}
        for member in self.members:
            with member.client() as client:
                for key in client.execute_command("KEYS", "*"):
                    found[key] = client.execute_command("DUMP", key)
        return found


@asynccontextmanager
async def opened(settings: WorkSettings, members: Sequence[RedisServer]) -> AsyncIterator[Queue]:
    """The queue of these settings."""
    redis = connect(settings)
    try:
        yield Queue(redis, members)
    finally:
        await redis.aclose()


@contextmanager
def memory_short(members: Sequence[RedisServer]) -> Iterator[None]:
    """No more is taken in by any member."""
    for member in members:
        member.call("CONFIG", "SET", "maxmemory", 1)
    try:
        yield
    finally:
        for member in members:
            member.call("CONFIG", "SET", "maxmemory", 0)
