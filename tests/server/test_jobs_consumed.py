"""Jobs handed in over HTTP and done by a consumer: what comes back is what a stream would say."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server import keys
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.recording import Queue
from workers.jobs.consumer import open_consumer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def consumed(queue: Queue) -> AsyncIterator[Queue]:
    """The queue with a consumer, in the server's own process."""
    async with open_consumer(queue.served.app[keys.ENGINE]) as consumer:
        working = asyncio.create_task(consumer.run())
        yield queue
        consumer.stop()
        await working


async def test_an_upload_is_done_as_a_stream_is(consumed: Queue) -> None:
    """The same lines, in shards; the file goes when it was read."""
    rows = b"".join(b"%d\tfoo%d\n" % (number, number) for number in range(1000))
    streamed = await consumed.served.upload(rows)

    answer = await consumed.upload(rows)
    job = answer.json()["job"]
    followed = await consumed.get(f"/{job}/results", follow="1")

    def records(body: bytes) -> list[bytes]:
        return sorted(line for line in body.splitlines() if line.startswith(b'{"type":"image"'))

    summary = followed.summary()
    assert records(followed.body) == records(streamed.body)
    assert summary["manifest_sha256"] == hashlib.sha256(rows).hexdigest()
    assert (summary["rows"], summary["errors"], summary["complete"]) == (
        1000,
        streamed.summary()["errors"],
        True,
    )
    assert (await consumed.state(job))["rows"]["total"] == 1000
    await wait_until(lambda: not consumed.uploads())


async def test_a_job_under_way_is_cancelled(consumed: Queue, host: PictureHost) -> None:
    """Rows under way are recorded as cancelled; whoever follows gets them, and the end."""
    rows = [f"{host}/silent/{number}" for number in range(300)]
    job = await consumed.submit(*rows, timeout=600)
    following = asyncio.create_task(consumed.get(f"/{job}/results", follow="1"))
    await wait_until(host.requests)
    assert (await consumed.cancel(job)).status == 200

    answer = await following

    images = [line for line in answer.lines() if line["type"] == "image"]
    assert {line["error"]["code"] for line in images} <= {"cancelled"}
    assert len({line["index"] for line in images}) == len(images)
    assert answer.summary()["reason"] == "cancelled"
    assert answer.summary()["rows"] == len(images)
    assert json.loads(answer.body.splitlines()[0])["job"] == job
