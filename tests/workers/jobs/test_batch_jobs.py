"""Jobs of batches: the same batches as every other door makes, in shards that never cut one."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from typing import Any

import numpy as np
import orjson
import pytest

from imaging.options import Fit, Resize
from imaging.pixels import prepare
from tests.picture_hosts import PictureHost
from tests.workers.jobs.batches import KIND, STREAM, in_batches, shards_of
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import (
    consuming,
    counted,
    entry_of,
    lines_of,
    predicted,
    until_over,
)
from workers.engine import Engine
from workers.options import BatchOptions, Pixels


@pytest.mark.parametrize(
    ("batch_size", "together"), [(1, 4), (2, 2), (3, 1), (4, 1), (7, 1), (32, 1)]
)
async def test_a_job_from_its_entry_to_its_last_record(
    queue: Queue,
    engine: Engine,
    picture_host: PictureHost,
    pictures: Pictures,
    written: Written,
    batch_size: int,
    together: int,
) -> None:
    """The lines are those of a stream, byte for byte; shards of four rows are whole batches."""
    urls = [*pictures(12), f"{picture_host}/status/404/x", "foo", f"{picture_host}/html/x"]
    name = written([*urls[10:], *urls[:10]])
    async with consuming(engine):
        job = await queue.added(**entry_of(name, kind=KIND, batch_size=batch_size))
        told = await until_over(queue, job)
    assert await lines_of(queue, job) == await predicted(engine, name, BatchOptions(batch_size))
    shards = await shards_of(queue, job)
    assert shards == in_batches(15, batch_size, together)
    numbers = {"rows": "15", "ok": "12", "total": "15", "error:bad_url": "1", "status:404": "1"}
    assert told | numbers | {"kind": KIND, "done": str(len(shards))} == told
    assert int(told["result_bytes"]) == sum(map(len, await lines_of(queue, job)))
    assert (await queue.length(STREAM), await queue.pending(STREAM)) == (0, [])
    assert await queue.dead() == []
    assert sorted(await queue.there(job)) == ["fence", "job", "results"]


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ({}, BatchOptions()),
        ({"limit": 5, "batch_size": 2}, BatchOptions(2, limit=5)),
        ({"limit": 0}, BatchOptions(limit=0)),
        (
            {"batch_size": 3, "size": "20x10", "fit": "pad", "matte": "black", "extra": 1},
            BatchOptions(3, size=(20, 10), fit=Fit.PAD, matte="#000000", extra=True),
        ),
        ({"predictor": "none", "pixels": "npy"}, BatchOptions(predictor="none", pixels=Pixels.NPY)),
        (
            {"batch_size": 5, "size": "6", "pixels": "list"},
            BatchOptions(5, size=(6, 6), pixels=Pixels.LIST),
        ),
    ],
)
async def test_inline_rows_and_options(
    queue: Queue, engine: Engine, pictures: Pictures, said: dict[str, Any], options: BatchOptions
) -> None:
    """As any other door has them."""
    images: list[Any] = [
        *pictures(4),
        *({"id": "ü", "url": url, "colour": ["red", 1]} for url in pictures(2)),
        {"id": "none"},
        7,
    ]
    async with consuming(engine):
        job = await queue.added(kind=KIND, images=orjson.dumps(images), **said)
        told = await until_over(queue, job)
    assert await lines_of(queue, job) == await predicted(engine, images, options)
    assert orjson.loads(told["options"]) == orjson.loads(orjson.dumps(options.json()))


async def test_pixels_are_at_their_positions(
    queue: Queue, engine_of: EngineOf, picture_host: PictureHost, written: Written
) -> None:
    """Rows that fail, each in its way, shift no neighbour."""
    good = [f"{picture_host}/{n}.jpg" for n in (0, 1, 8, 9, 10, 11, 18, 19)]  # all different
    bad = ["foo", "status/404/x", "", "empty/x", "hostile/png-bad-data", "hostile/png-81-mpx"]
    bad = [f"{picture_host}/{one}" if "/" in one else one for one in [*bad, *bad[:2]]]
    urls = [url for pair in zip(good, bad, strict=True) for url in pair]
    name = written(urls)
    said = {"kind": KIND, "batch_size": 5, "size": "9x7", "pixels": "npy"}
    async with engine_of() as engine, consuming(engine):
        told = await until_over(queue, job := await queue.added(**entry_of(name, **said)))
        limits = engine.limits
    assert told["ok"] == "8"
    assert {"error:http_status", "error:corrupt_image", "error:too_many_pixels"} <= told.keys()
    seen = []
    for line in await lines_of(queue, job):
        record = orjson.loads(line)
        array = np.load(BytesIO(b64decode(record["pixels"])), allow_pickle=False)
        assert list(array.shape) == record["batch_dimension"]
        placed = [row for row in record["rows"] if "position" in row]
        assert [row["position"] for row in placed] == list(range(len(array)))
        for row in placed:
            body = picture_host.body(row["url"].removeprefix(str(picture_host)))
            whole = prepare(body, limits=limits, resize=Resize((9, 7)))
            assert array[row["position"]].tobytes() == whole
        seen += [row["index"] for row in placed]
    assert seen == list(range(0, 16, 2))


async def test_two_consumers_share_a_job(
    queue: Queue, engine_of: EngineOf, picture_host: PictureHost, written: Written
) -> None:
    """Both record some of it, with the predictions that one would have made."""
    name = written([f"{picture_host}/slow/20/{n}.jpg" for n in range(50)])
    async with (
        engine_of(max_connections=2) as first,
        engine_of(max_connections=2) as second,
        consuming(first, intake=False) as one,
        consuming(second, kinds=[KIND]) as two,
    ):
        counts = [counted(running.consumer._runner._recording) for running in (one, two)]
        job = await queue.added(**entry_of(name, kind=KIND, batch_size=3))
        told = await until_over(queue, job)
        assert await lines_of(queue, job) == await predicted(first, name, BatchOptions(3))
    assert told["ok"] == "50"
    assert sum(map(len, counts)) == 17
    assert all(counts), counts
