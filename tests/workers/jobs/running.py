"""Consumers in this process: running, stopped as asked, or dead as if killed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.asserts import wait_for
from tests.workers.jobs.queues import KIND, Queue
from workers.engine import Engine
from workers.jobs import keys
from workers.jobs.consumer import Consumer, open_consumer
from workers.manifest.files import FileSource
from workers.manifest.objects import inline_rows
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row
from workers.options import InfoOptions
from workers.pipeline import inspect_rows

__all__ = [
    "Running",
    "consuming",
    "entry_of",
    "inspected",
    "lines_of",
    "plain",
    "recorded",
    "records_of",
    "until_over",
]

SECONDS = 20.0


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
        assert len(told) == int(fields[b"rows"])
        lines += told
    return sorted(lines, key=lambda line: int(orjson.loads(line)["index"]))


async def records_of(queue: Queue, job: str) -> list[dict[str, Any]]:
    """The same, read."""
    return [orjson.loads(line) for line in await lines_of(queue, job)]


async def inspected(
    engine: Engine, manifest: str | list[Any], options: InfoOptions | None = None
) -> list[bytes]:
    """The record lines that every other door would give, by the index of their rows."""
    options = options or InfoOptions()
    chosen: dict[str, Any] = {"limit": options.limit, "extra": options.extra}

    async def inline() -> AsyncIterator[Row]:
        for row in inline_rows(manifest, **chosen):
            yield row

    if isinstance(manifest, list):
        rows = inline()
    else:
        source = FileSource(Path(engine.settings.data_root), manifest, max_bytes=10**9)
        rows = read_rows(source, kind=None, **chosen)
    async with inspect_rows(engine, rows, options) as inspection:
        found = [record async for some in inspection.batches(idle=5) for record in some]
    if not isinstance(manifest, list):
        source.close()
    return [plain(one.line()) for one in sorted(found, key=lambda record: record.index)]


async def recorded(queue: Queue, job: str, shards: int) -> bool:
    """Whether so many shards of a job are recorded."""
    return int((await queue.job(job)).get("done", 0)) >= shards


def entry_of(filepath: str, **options: Any) -> dict[str, Any]:
    """The fields of a job."""
    return {"kind": KIND, "filepath": filepath, **options}
