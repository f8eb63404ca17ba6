"""What batches of a job are predicted with: it is told, the same for all, or the job failed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.asserts import wait_for, wait_until
from tests.imaging.predictors import models
from tests.picture_hosts import PictureHost
from tests.workers.jobs.batches import COLOURS, STREAM, condemned
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.queues import TTL, Queue
from tests.workers.jobs.running import (
    consuming,
    entry_of,
    fed,
    lines_of,
    predicted,
    recorded,
    until_over,
)
from tests.workers.pool import hostile_work
from workers.engine import Engine
from workers.jobs import batch_work, keys, runner
from workers.jobs.ledger import Ledger
from workers.jobs.states import JobState
from workers.manifest.rows import Row
from workers.options import BatchOptions

OPTIONS = BatchOptions(2, "colours", size=(8, 8))
UPLOAD = f"{'0f' * 16}.tsv"


@pytest.fixture
async def engine(engine_of: EngineOf, models_folder: Path) -> AsyncIterator[Engine]:
    """One that has the model."""
    async with engine_of(models_dir=models_folder) as engine:
        yield engine


async def told_of(queue: Queue, job: str, root: Path) -> JobState:
    """How a job stands, as clients are told."""
    return await Ledger(queue.redis, root=root, ttl=TTL).state(job)


#: Of what decodes and predicts, as it is installed for tests.
SOFTWARE = ("onnxruntime", "pillow", "pillow-heif")


async def test_what_predicts_is_told_with_every_version_of_it(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """Pinned by the first shard; consumers may have other software, which is told by all."""
    name = written(pictures(9))
    async with consuming(engine):
        job = await queue.added(**entry_of(name, **COLOURS))
        told = await until_over(queue, job)
    assert await lines_of(queue, job) == await predicted(engine, name, OPTIONS)
    expected = (await engine.recipe(OPTIONS)).provenance()
    assert orjson.loads(told["provenance"]) == expected
    assert len(expected["model_sha256"]) == len(expected["settings_sha256"]) == 64
    named = {f"software:{name} {version(name)}": "9" for name in SOFTWARE}
    assert {field: rows for field, rows in told.items() if "software" in field} == named
    root = Path(engine.settings.data_root)
    assert (await told_of(queue, job, root)).json()["provenance"] == expected

    long = "1.20.0.dev20240910005+cu125.of.somebody"
    for field in (f"software:onnxruntime {long}", "software:pillow 1.2.3", "software:odd"):
        await queue.do("HSET", keys.job(job), field, 3)
    provenance = (await told_of(queue, job, root)).provenance
    assert provenance == expected | {
        "software": {
            "odd": "",
            "onnxruntime": ", ".join(sorted([long, version("onnxruntime")])),
            "pillow": f"1.2.3, {version('pillow')}",
            "pillow-heif": version("pillow-heif"),
        }
    }


async def test_facts_have_no_provenance(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """Nor has a job that nobody has taken."""
    root = Path(engine.settings.data_root)
    waiting = await queue.added(**entry_of("a.tsv", **COLOURS))
    assert "provenance" not in (await told_of(queue, waiting, root)).json()
    await queue.cancel(waiting)
    async with consuming(engine):
        told = await until_over(queue, job := await queue.added(**entry_of(written(pictures(2)))))
    assert not [field for field in told if "software" in field or field == "provenance"]
    assert "provenance" not in (await told_of(queue, job, root)).json()


@pytest.mark.parametrize(
    ("others", "differs"),
    [
        ({"colours.onnx": models.colours(softmax=True, version=1)}, "its model file differs"),
        ({"colours.json": b'{"softmax": true}'}, "the JSON file beside its model differs"),
        ({"colours.json": None}, "the JSON file beside its model differs"),
        ({"colours.onnx": None}, "there is none of that name; known: appearance, none"),
        ({"colours.onnx": b"no model"}, "colours cannot be used: colours.onnx: "),
    ],
)
async def test_a_consumer_that_has_another_fails_the_job(
    queue: Queue,
    engine_of: EngineOf,
    models_folder: Path,
    pictures: Pictures,
    written: Written,
    tmp_path: Path,
    others: dict[str, bytes | None],
    differs: str,
) -> None:
    """With what was recorded by the first; the rest is not begun, and its upload not kept."""
    upload = tmp_path / "data" / ".uploads" / UPLOAD
    upload.parent.mkdir()
    upload.write_bytes((tmp_path / "data" / written(pictures(30))).read_bytes())
    async with (
        engine_of(models_dir=models_folder, max_redis_results=1) as engine,
        consuming(engine),
    ):
        job = await queue.added(**COLOURS | {"upload": UPLOAD, "batch_size": 4})
        await wait_for(lambda: paused(queue, job))
        done = int((await queue.job(job))["done"])
    for name, content in others.items():
        (models_folder / name).unlink()
        if content is not None:
            (models_folder / name).write_bytes(content)
    assert upload.exists()
    async with engine_of(models_dir=models_folder) as engine, consuming(engine):
        reason = await condemned(queue, job)
        await wait_until(lambda: not upload.exists())
    assert reason.startswith(f"predictor colours: {differs}")
    assert reason.endswith(f"(on the consumer that took shard {done})")
    told = await queue.job(job)
    assert (int(told["done"]), int(told["rows"])) == (done, 4 * done)
    assert len(await lines_of(queue, job)) == done < 8
    assert "total" not in told


async def paused(queue: Queue, job: str) -> bool:
    told = await queue.job(job)
    return "paused" in told and told["fed"] == told["done"]


async def test_a_file_that_is_replaced_fails_the_job_with_the_next_shard(
    queue: Queue, engine: Engine, models_folder: Path, picture_host: PictureHost, written: Written
) -> None:
    """Also where it is the same consumer; a job handed in afterwards is predicted with the new."""
    name = written([f"{picture_host}/slow/50/{n}.jpg" for n in range(60)])
    async with consuming(engine):
        job = await queue.added(**entry_of(name, **COLOURS))
        await wait_for(lambda: recorded(queue, job, 1))
        (models_folder / "colours.onnx").write_bytes(models.colours(softmax=True, version=1))
        reason = await condemned(queue, job)
        again = await until_over(queue, await queue.added(**entry_of(name, **COLOURS, limit=3)))
    assert reason.startswith("predictor colours: its model file differs from the one the job began")
    assert again["ok"] == "3"
    first = json.loads((await queue.job(job))["provenance"])
    assert first["model_sha256"] != json.loads(again["provenance"])["model_sha256"]


@pytest.mark.parametrize("deliveries", [1, runner.QUARANTINE_DELIVERIES])
async def test_a_file_that_is_replaced_while_a_batch_is_under_way(
    queue: Queue,
    engine: Engine,
    models_folder: Path,
    pictures: Pictures,
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
    deliveries: int,
) -> None:
    """The batch is predicted with neither: a process that holds the old one may be gone by then."""

    def replaced(opening: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def after(engine: Engine, rows: AsyncIterator[Row], *rest: Any) -> AsyncIterator[Any]:
            (models_folder / "colours.onnx").write_bytes(models.colours(version=2))
            await engine.predictors.find("colours")
            async with engine.pool.slot() as slot:  # whose process has the old one
                await slot.run(hostile_work.act, ["leave"])
            async with opening(engine, rows, *rest) as flow:
                yield flow

        return after

    for name in ("predict_batches", "prepare_rows"):
        monkeypatch.setattr(batch_work, name, replaced(getattr(batch_work, name)))
    async with consuming(engine, kinds=()):
        job = await queue.added(**entry_of(written(pictures(6)), **COLOURS))
        await wait_for(lambda: fed(queue, job, 2))
    await taken(queue, deliveries - 1)
    async with consuming(engine):
        reason = await condemned(queue, job)
    assert reason.startswith("the predictor colours is gone: ")
    assert "another than the one it began with" in reason
    assert await queue.results(job) == []


async def taken(queue: Queue, times: int) -> None:
    """Give the first shard to somebody who is gone."""
    if times:
        [entry] = await queue.read(STREAM, "gone")
        said = ("XCLAIM", STREAM, keys.GROUP, "gone", 0, entry, "IDLE", 86_400_000)
        await queue.do(*said, "RETRYCOUNT", times)
