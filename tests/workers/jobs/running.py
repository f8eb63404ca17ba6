"""Consumers in this process: running, stopped as asked, or dead as if killed."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.asserts import wait_for
from tests.workers.jobs.queues import KIND, Queue
from workers.engine import Engine
from workers.jobs import keys
from workers.jobs.collecting import given
from workers.jobs.consumer import Consumer, open_consumer
from workers.manifest.files import FileSource
from workers.manifest.objects import inline_rows
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row
from workers.options import BatchOptions, InfoOptions, Options
from workers.pipeline import inspect_rows, predict_batches

__all__ = [
    "FORMATS",
    "Running",
    "consuming",
    "counted",
    "entry_of",
    "fed",
    "inspected",
    "lines_of",
    "plain",
    "predicted",
    "recorded",
    "records_of",
    "until_over",
]

SECONDS = 20.0

#: A manifest of URLs, by a name that says how it is written.
FORMATS: dict[str, Callable[[list[str]], Any]] = {
    "list.tsv": lambda urls: "".join(f"id-{n}\t{url}\n" for n, url in enumerate(urls)),
    "list.csv": lambda urls: (
        "name,id,url\n" + "".join(f'"a, {n}",id-{n},"{url}"\r\n' for n, url in enumerate(urls))
    ),
    "list.ndjson": lambda urls: "".join(
        f'{{"id":"id-{n}","url":"{url}","n":{n}}}\n' for n, url in enumerate(urls)
    ),
    "list.tsv.gz": lambda urls: gzip.compress(FORMATS["list.tsv"](urls).encode()),
}


class Running:
    """A consumer at work."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.ready = asyncio.Event()
        self.task = asyncio.create_task(consumer.run(self.ready.set))

    async def stop(self) -> None:
        """As SIGTERM does."""
        self.consumer.stop()
        await self.task

    def die(self) -> None:
        """As SIGKILL does: nothing is said to Redis any more."""

        async def refuse(*_: object, **__: object) -> None:
            raise RedisConnectionError("it is dead")

        for client in (self.consumer._streams._redis, self.consumer._streams._reader):
            client.execute_command = refuse  # type: ignore[method-assign]
        self.consumer._patience.end_by(asyncio.get_running_loop().time())
        self.task.cancel()

    async def killed(self) -> None:
        """Die, and wait until it is so."""
        self.die()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def consuming(
    engine: Engine, *, kinds: Sequence[str] = keys.KINDS, intake: bool = True
) -> AsyncIterator[Running]:
    """A consumer, which Redis knows of; stopped at the end unless it is dead."""
    async with open_consumer(engine, kinds=kinds, intake=intake) as consumer:
        running = Running(consumer)
        waiting = asyncio.create_task(running.ready.wait())
        await asyncio.wait({waiting, running.task}, return_when="FIRST_COMPLETED", timeout=SECONDS)
        assert running.ready.is_set()
        try:
            yield running
        finally:
            running.consumer.stop()
            with suppress(asyncio.CancelledError):
                await running.task


async def until_over(queue: Queue, job: str, state: str = "done") -> dict[str, str]:
    """Wait until a job ended and settled; its hash. It must have ended as *state* says."""

    async def settled() -> dict[str, str] | None:
        told = await queue.job(job)
        counted = int(told.get("done", 0)) + int(told.get("dropped", 0))
        over = told.get("state", "queued") not in ("queued", "running")
        return told if over and counted == int(told.get("fed", 0)) else None

    told = await wait_for(settled, SECONDS)
    assert told is not None
    assert told["state"] == state, told
    return told


def plain(lines: bytes) -> bytes:
    """Record lines without what differs from run to run: how long it took."""
    return re.sub(rb'"ms":[0-9.]+', b'"ms":0', lines)


async def lines_of(queue: Queue, job: str) -> list[bytes]:
    """The record lines of a job as they are in Redis, by the index of their rows."""
    found = await queue.redis.execute_command("XRANGE", keys.results(job), "-", "+")
    lines: list[bytes] = []
    for _, fields in found:
        told = fields[b"lines"].splitlines(keepends=True)
        assert sum(len(_rows(line)) for line in told) == int(fields[b"rows"])
        lines += told
    return sorted(lines, key=lambda line: int(_rows(line)[0]["index"]))


def _rows(line: bytes) -> list[dict[str, Any]]:
    """What a record line tells, row by row: of a batch its rows."""
    record = orjson.loads(line)
    rows: list[dict[str, Any]] = record.get("rows", [record])
    return rows


async def records_of(queue: Queue, job: str) -> list[dict[str, Any]]:
    """The same, read."""
    return [orjson.loads(line) for line in await lines_of(queue, job)]


async def inspected(
    engine: Engine, manifest: str | list[Any], options: InfoOptions | None = None
) -> list[bytes]:
    """The record lines that every other door would give, by the index of their rows."""
    options = options or InfoOptions()
    with _read(engine, manifest, options) as rows:
        async with inspect_rows(engine, rows, options) as inspection:
            found = [record async for some in inspection.batches(idle=5) for record in some]
    return [plain(one.line()) for one in sorted(found, key=lambda record: record.index)]


async def predicted(
    engine: Engine, manifest: str | list[Any], options: BatchOptions
) -> list[bytes]:
    """The same of batches."""
    recipe = await engine.recipe(options)
    with _read(engine, manifest, options) as rows:
        async with predict_batches(engine, rows, options, recipe) as prediction:
            found = [record async for some in prediction.batches(idle=5) for record in some]
    return [one.line() for one in sorted(found, key=lambda record: record.index)]


@contextmanager
def _read(
    engine: Engine, manifest: str | list[Any], options: Options
) -> Iterator[AsyncIterator[Row]]:
    """The rows of a manifest, by name or inline."""
    chosen: dict[str, Any] = {"limit": options.limit, "extra": options.extra}
    if isinstance(manifest, list):
        yield given(list(inline_rows(manifest, **chosen)))
        return
    source = FileSource(Path(engine.settings.data_root), manifest, max_bytes=10**9)
    try:
        yield read_rows(source, kind=None, **chosen)
    finally:
        source.close()


def counted(recording: Any) -> list[int]:
    """The shards that this consumer records, from now on."""
    commit, shards = recording.commit, []

    async def counting(*args: Any, **named: Any) -> str:
        answer: str = await commit(*args, **named)
        shards.append(args[3])
        return answer

    recording.commit = counting
    return shards


async def recorded(queue: Queue, job: str, shards: int) -> bool:
    """Whether so many shards of a job are recorded."""
    return int((await queue.job(job)).get("done", 0)) >= shards


async def fed(queue: Queue, job: str, shards: int) -> bool:
    """Whether so many shards of a job were fed."""
    return int((await queue.job(job)).get("fed", 0)) >= shards


async def split(queue: Queue, job: str) -> bool:
    """Whether all of a job was fed, and that is known: nobody needs to split it on."""
    return "total" in await queue.job(job)


def entry_of(filepath: str, **options: Any) -> dict[str, Any]:
    """The fields of a job."""
    return {"kind": KIND, "filepath": filepath, **options}
