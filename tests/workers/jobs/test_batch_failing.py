"""Jobs of batches that nobody can predict, or that somebody broke: they fail, and say why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.asserts import wait_for
from tests.imaging.predictors import models
from tests.workers.batches.own_predictors import HERE
from tests.workers.jobs.batches import COLOURS, KIND, STREAM, condemned
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import (
    consuming,
    entry_of,
    fed,
    lines_of,
    predicted,
    until_over,
)
from workers.engine import Engine
from workers.jobs import keys, runner
from workers.options import BatchOptions


@pytest.fixture
async def engine(engine_of: EngineOf, models_folder: Path) -> AsyncIterator[Engine]:
    """One that has the model."""
    async with engine_of(models_dir=models_folder) as engine:
        yield engine


UNUSABLE: Sequence[tuple[dict[str, Any], str]] = [
    ({"predictor": "nobody"}, "predictor nobody: there is none of that name; known: appearance, "),
    ({"predictor": ""}, "predictor : there is none of that name"),
    ({"predictor": "fixed"}, "size: fixed takes pictures of 12x10, not of 8x8"),
    ({"predictor": "none", "batch_size": 1024, "size": 200}, "batch_size: a batch is an array of"),
]


@pytest.mark.parametrize(("said", "reason"), UNUSABLE)
async def test_what_cannot_be_predicted_fails_its_job(
    queue: Queue,
    engine_of: EngineOf,
    models_folder: Path,
    pictures: Pictures,
    written: Written,
    said: dict[str, Any],
    reason: str,
) -> None:
    """It names the option; a valid entry is no dead letter, and others go on."""
    (models_folder / "fixed.onnx").write_bytes(models.colours(("N", 3, 10, 12)))
    async with (
        engine_of(
            models_dir=models_folder, max_inflight_bytes="100MiB", max_image_bytes="10MiB"
        ) as engine,
        consuming(engine),
    ):
        name = written(pictures(20))
        job = await queue.added(**entry_of(name, **(COLOURS | said)))
        assert (await condemned(queue, job)).startswith(reason)
        assert (await until_over(queue, await queue.added(**entry_of(name, **COLOURS))))[
            "ok"
        ] == "20"
    assert await queue.results(job) == []


async def test_what_cannot_be_loaded_just_now_is_left_to_others(
    queue: Queue, engine_of: EngineOf, pictures: Pictures, written: Written
) -> None:
    """One host that is short of memory does not fail the jobs of all."""
    job = await queue.added(**entry_of(written(pictures(8)), kind=KIND, predictor="mean"))
    ill = engine_of(predictors=f"mean={HERE}:Deadly", lease_seconds=0.5)
    async with ill as engine, consuming(engine):
        await wait_for(lambda: fed(queue, job, 1))
        await wait_for(lambda: _given_again(queue))
    assert (await queue.job(job))["state"] == "running"
    well = engine_of(predictors=f"mean={HERE}:Mean", lease_seconds=0.5)
    async with well as engine, consuming(engine):
        assert (await until_over(queue, job))["ok"] == "8"


async def _given_again(queue: Queue) -> bool:
    """Whether a shard was given out a second time."""
    return any(times > 1 for _, _, times in await queue.pending(STREAM))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("provenance", "[[1", "the provenance of the job is not JSON"),
        ("provenance", "[" * 5000, "the provenance of the job is not JSON"),
        ("provenance", "[]", "the provenance of the job is not an object"),
        ("options", "{", "the options of the job cannot be read"),
        ("options", '{"batch_size":0,"size":[0,0]}', "by this version: size: give two whole"),
        ("options", '{"batch_size":"many"}', "by this version: batch_size: "),
        ("options", '{"hue":1}', "by this version: hue: there is no such option"),
        ("options", "[]", "by this version: body: "),
        ("kind", "batch_dream", "by this version: there is no kind 'batch_dream'"),
    ],
)
async def test_what_another_wrote_into_a_job_fails_it(
    queue: Queue,
    engine: Engine,
    pictures: Pictures,
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
    field: str,
    value: str,
    reason: str,
) -> None:
    """No shard is tried for ever."""
    monkeypatch.setattr(runner, "MOST_DELIVERIES", 1)
    async with consuming(engine, kinds=()):
        job = await queue.added(**entry_of(written(pictures(4)), **COLOURS))
        await wait_for(lambda: fed(queue, job, 1))
        await queue.do("HSET", keys.job(job), field, value)
    async with consuming(engine, intake=False):
        told = await until_over(queue, job, "failed")
        await wait_for(lambda: none_left(queue))
    assert reason in told["reason"]
    assert await queue.results(job) == []


async def test_a_broken_key_does_not_keep_a_job_from_failing(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """The set of jobs being split is not one: its shards are let go of all the same."""
    async with consuming(engine, kinds=()):
        asked = COLOURS | {"predictor": "nobody"}
        job = await queue.added(**entry_of(written(pictures(4)), **asked))
        await wait_for(lambda: fed(queue, job, 1))
    await queue.do("DEL", keys.open_jobs(KIND))
    await queue.do("SET", keys.open_jobs(KIND), "of another kind")
    async with consuming(engine, intake=False):
        await wait_for(lambda: none_left(queue))
    assert "there is none of that name" in (await queue.job(job))["reason"]


async def none_left(queue: Queue) -> bool:
    return await queue.length(STREAM) == 0 and not await queue.pending(STREAM)


async def test_options_of_an_older_version_have_what_was_usual(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """An option that came later is as if nobody had asked for it."""
    name = written(pictures(4))
    async with consuming(engine, kinds=()):
        job = await queue.added(**entry_of(name, kind=KIND))
        await wait_for(lambda: fed(queue, job, 1))
    await queue.do("HSET", keys.job(job), "options", '{"batch_size":4,"size":null}')
    async with consuming(engine):
        await until_over(queue, job)
    assert await lines_of(queue, job) == await predicted(engine, name, BatchOptions(4))
