"""The same URL once, in jobs: the shards that a consumer runs know of one another's URLs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.asserts import wait_for, wait_until
from tests.picture_hosts import PictureHost
from tests.workers.jobs.conftest import EngineOf, Written
from tests.workers.jobs.dying import give_up
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import consuming, entry_of, fed, records_of, until_over
from workers.jobs.runner import QUARANTINE_DELIVERIES

SMALL = "by-name/made-0012-grey.jpg"
KINDS: list[dict[str, Any]] = [
    {},
    {"depth": "full", "thumbnail": 16},
    {"kind": "batch_predict", "batch_size": 4},
]


@pytest.fixture(autouse=True)
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, having forgotten the tests before."""
    picture_host.reset()
    return picture_host


@pytest.mark.parametrize("options", KINDS, ids=["header", "full", "batches"])
async def test_repeats_across_shards(
    queue: Queue, engine_of: EngineOf, host: PictureHost, written: Written, options: dict[str, Any]
) -> None:
    """Each URL is fetched once, and each row has its record."""
    urls = [f"{host}/slow/30/{SMALL}?n={n % 3}" for n in range(80)]
    async with engine_of(max_connections=8) as engine, consuming(engine):
        job = await queue.added(**entry_of(written(urls), **options))
        told = await until_over(queue, job)
        assert host.counts()["requests"] == 3
        again = await queue.added(**entry_of(written(urls), **options))  # another run
        await until_over(queue, again)
        assert host.counts()["requests"] == 6
    assert (told["rows"], told["ok"]) == ("80", "80")
    records = await records_of(queue, job)
    rows = [row for record in records for row in record.get("rows", [record])]
    assert [row["index"] for row in rows] == list(range(80))
    if "kind" in options:
        assert len({str(row["prediction"]) for row in rows}) == 1
        return
    shared = Counter(row["fetch"].get("same_as") for row in rows)
    assert shared.pop(None) == 3
    assert all(rows[leader]["fetch"]["requests"] == 1 for leader in shared)
    assert len({str(row["image_info"]) for row in rows}) == 1


@pytest.mark.parametrize("options", KINDS, ids=["header", "full", "batches"])
async def test_suspects_share_nothing(
    queue: Queue, engine_of: EngineOf, host: PictureHost, written: Written, options: dict[str, Any]
) -> None:
    """In quarantine each row is fetched for itself, though its URL is known here."""
    urls = [f"{host}/{SMALL}"] * 16
    async with engine_of(max_connections=8, shard_rows=8) as engine:
        async with consuming(engine, kinds=()):
            job = await queue.added(**entry_of(written(urls), **options))
            await wait_for(lambda: fed(queue, job, 2))
        stream = f"{{census:jobs}}:shards:{options.get('kind', 'images_info')}"
        assert len(await queue.read(stream, "gone")) == 1
        await give_up(queue, QUARANTINE_DELIVERIES - 1, stream)
        async with consuming(engine):
            told = await until_over(queue, job)
    assert told["ok"] == "16"
    assert host.counts()["requests"] == 8 + 1


@pytest.mark.parametrize("options", KINDS, ids=["header", "full", "batches"])
async def test_a_job_that_is_cancelled_while_rows_wait(
    queue: Queue, engine_of: EngineOf, host: PictureHost, written: Written, options: dict[str, Any]
) -> None:
    """For rows of other shards, too: it ends, and who waited is cancelled or was not begun."""
    urls = [f"{host}/silent/{n % 3}" for n in range(60)]
    async with engine_of(max_connections=8) as engine, consuming(engine):
        job = await queue.added(**entry_of(written(urls), **options))
        await wait_until(lambda: host.counts()["in_flight"] == 3)
        await queue.added(kind="cancel", job=job)
        told = await until_over(queue, job, "cancelled")
    rows = [row for one in await records_of(queue, job) for row in one.get("rows", [one])]
    assert int(told["rows"]) == len(rows) == len({row["index"] for row in rows})
    assert {row["error"]["code"] for row in rows} == {"cancelled"}
    assert len(rows) > 3
