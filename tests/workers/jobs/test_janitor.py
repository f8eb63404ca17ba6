"""What nobody else removes: dead names, jobs that expired, uploads without a job."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asserts import wait_for
from tests.workers.jobs.queues import KIND, SHARDS, Queue
from workers.jobs import janitor, keys
from workers.jobs.janitor import Janitor
from workers.jobs.patience import Patience
from workers.jobs.streams import Streams
from workers.settings import WorkSettings


@pytest.fixture
def settings(queue_settings: Callable[..., WorkSettings]) -> WorkSettings:
    return queue_settings(result_ttl=1000)


@pytest.fixture
def cleaner(queue: Queue, settings: WorkSettings) -> Janitor:
    patience = Patience(queue.redis)
    streams = Streams(queue.redis, queue.redis, "cleaner", patience)
    return Janitor(settings, queue.redis, patience, streams, [SHARDS, keys.INTAKE])


async def test_dead_names_are_removed(
    queue: Queue, cleaner: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after; but for those who hold something still."""
    await queue.begun(1)
    await queue.read(consumer="holding")
    await queue.do("XGROUP CREATECONSUMER", SHARDS, keys.GROUP, "dead")
    await cleaner.round()
    assert await names(queue) == ["dead", "holding"]
    monkeypatch.setattr(janitor, "IDLE_SECONDS", 0.001)

    async def removed() -> bool:
        await cleaner.round()
        return await names(queue) == ["holding"]

    await wait_for(removed)
    assert len(await queue.pending()) == len(await queue.pending(keys.INTAKE)) == 1


async def names(queue: Queue) -> list[str]:
    found = await queue.redis.execute_command("XINFO CONSUMERS", SHARDS, keys.GROUP)
    return sorted(one["name"].decode() for one in found)


async def test_jobs_that_expired_leave_the_index(
    queue: Queue, cleaner: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In rounds of some; those that are there, or young, or no jobs, stay."""
    monkeypatch.setattr(janitor, "ROUND", 3)
    running = await queue.begun()
    old = f"{int(time.time() - 2100) * 1000}-0"
    await queue.do("HSET", keys.job(old), "state", "running")
    young = f"{int(time.time() - 1900) * 1000}-0"
    expired = [f"{number}-{number}" for number in range(1, 11)]
    for job in (old, young, *expired):
        await queue.do("ZADD", keys.INDEX, 0, keys.member(job))
    await queue.do("ZADD", keys.INDEX, 0, "garbage", 0, b"\xff")
    for _ in range(6):
        await cleaner.round()
    left = await queue.redis.execute_command("ZRANGE", keys.INDEX, 0, -1)
    assert left == [
        *(keys.member(job).encode() for job in (old, young, running)),
        b"garbage",
        b"\xff",
    ]


async def test_uploads_without_a_job_are_removed(
    queue: Queue, cleaner: Janitor, settings: WorkSettings
) -> None:
    """Those of an hour ago; not such as wait in the intake, and nothing that is no upload."""
    folder = Path(settings.data_root) / ".uploads"
    folder.mkdir()
    waiting, orphan, part, young = (
        *(f"{digit * 32}.tsv" for digit in "ab"),
        f"{'c' * 32}.csv.part",
        f"{'d' * 32}.tsv",
    )
    for name in (waiting, orphan, part, young, "notes.txt"):
        path = folder / name
        path.write_text("x")
        if name != young:
            os.utime(path, (time.time() - 4000,) * 2)
    await queue.added(kind=KIND, upload=waiting)
    await queue.added(kind=KIND, upload="\udc80".encode("utf-8", "surrogateescape"))
    await cleaner.round()
    assert sorted(path.name for path in folder.iterdir()) == sorted([waiting, young, "notes.txt"])
    await queue.do("DEL", keys.INTAKE)
    await cleaner.round()
    assert sorted(path.name for path in folder.iterdir()) == sorted([young, "notes.txt"])


async def test_without_a_folder_of_uploads(cleaner: Janitor, queue: Queue) -> None:
    """There is nothing to remove, nor where streams are not there."""
    await queue.do("DEL", SHARDS, keys.INTAKE) if not queue.members[1:] else None
    await cleaner.round()
