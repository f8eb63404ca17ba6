"""Shards of batches: whole ones, however the manifest is read and whoever splits it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.asserts import wait_for
from tests.workers.jobs.batches import KIND, in_batches, shards_of
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import (
    FORMATS,
    consuming,
    entry_of,
    fed,
    lines_of,
    predicted,
    until_over,
)
from workers.engine import Engine
from workers.errors import ManifestError
from workers.jobs import splitter
from workers.jobs.fields import Job
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row
from workers.options import BatchOptions, Pixels
from workers.settings import WorkSettings


@pytest.mark.parametrize("name", FORMATS)
async def test_a_splitter_that_dies_leaves_whole_batches(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written, name: str
) -> None:
    """Who goes on begins with the next batch."""
    written(FORMATS[name](pictures(20)), name)
    async with consuming(engine, kinds=()) as dying:  # without consumers two shards are fed
        job = await queue.added(**entry_of(name, kind=KIND, batch_size=3, extra=1))
        await wait_for(lambda: fed(queue, job, 2))
        await dying.killed()
    assert (await queue.job(job))["rows_fed"] == "6"
    async with consuming(engine):
        await until_over(queue, job)
    assert await shards_of(queue, job) == in_batches(20, 3, 1)
    expected = await predicted(engine, name, BatchOptions(3, extra=True))
    assert await lines_of(queue, job) == expected


async def test_a_batch_that_an_error_cut_is_the_only_one(
    queue: Queue,
    engine: Engine,
    pictures: Pictures,
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its splitter died before it could say so, and the next one can read on: each row once."""

    def cut(*given: Any, **named: Any) -> AsyncGenerator[Row, None]:
        async def rows() -> AsyncGenerator[Row, None]:
            async for row in read_rows(*given, **named):
                if row.index == 5:
                    raise ManifestError("of the test")
                yield row

        return rows()

    async with consuming(engine, kinds=()) as dying:
        with monkeypatch.context() as patch:
            patch.setattr(splitter, "read_rows", cut)
            patch.setattr("workers.jobs.feeding.Feed.fail", lambda *_: asyncio.Event().wait())
            name = written(pictures(12))
            job = await queue.added(**entry_of(name, kind=KIND, batch_size=4))
            await wait_for(lambda: fed(queue, job, 2))
            await dying.killed()
    assert (await queue.job(job))["rows_fed"] == "5"
    async with consuming(engine):
        assert (await until_over(queue, job))["rows"] == "12"
    assert await shards_of(queue, job) == [
        *([(0, [0, 1, 2, 3])], [(1, [4])], [(1, [5, 6, 7])], [(2, [8, 9, 10, 11])])
    ]


async def test_a_shard_has_only_so_much_text(
    queue: Queue, engine_of: EngineOf, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it ends with the batch that is begun; a batch that is more text fails the job."""
    monkeypatch.setattr(splitter, "SHARD_BYTES", 500)
    monkeypatch.setattr(splitter, "LARGEST_BATCH", 5000)
    rows = [f"nowhere-{'x' * 100}"] * 20
    async with engine_of(shard_rows=100) as engine, consuming(engine):
        job = await queue.added(**entry_of(written(rows), kind=KIND, batch_size=3))
        await until_over(queue, job)
        assert await shards_of(queue, job) == in_batches(20, 3, 2)
        rows = [f"nowhere-{'x' * 1000}"] * 20
        job = await queue.added(**entry_of(written(rows), kind=KIND, batch_size=10))
        told = await until_over(queue, job, "failed")
    assert told["reason"].endswith("take a smaller batch_size")


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (BatchOptions(), 128),
        (BatchOptions(size=(100, 100)), 128),
        (BatchOptions(size=(100, 100), pixels=Pixels.NPY), 64),
        (BatchOptions(10, size=(100, 100), pixels=Pixels.LIST), 60),
        (BatchOptions(1, pixels=Pixels.NPY), 10),  # what the predictor wants: 256 is taken for it
        (BatchOptions(64, size=(256, 256), pixels=Pixels.NPY), 64),
        (BatchOptions(100, size=(8, 8), pixels=Pixels.NPY), 100),
    ],
)
def test_lines_with_arrays_make_small_shards(
    settings: WorkSettings, options: BatchOptions, rows: int
) -> None:
    """Whole batches all the same; of a batch there is one at least."""
    assert splitter.rows_of_shard(settings, Job(KIND, options, "a.tsv")) == rows
