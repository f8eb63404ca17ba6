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
from tests.server.serving import BATCH
from workers.jobs.consumer import open_consumer
from workers.jobs.keys import INTAKE

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def consumed(queue: Queue) -> AsyncIterator[Queue]:
    """The queue with a consumer, in the server's own process."""
    async with open_consumer(queue.served.app[keys.ENGINE]) as consumer:
        working = asyncio.create_task(consumer.run())
        yield queue
        consumer.stop()
        await working


def records(body: bytes, kind: str) -> list[bytes]:
    """The record lines of an answer, in an order of their own."""
    return sorted(
        line for line in body.splitlines() if line.startswith(f'{{"type":"{kind}"'.encode())
    )


async def test_an_upload_is_done_as_a_stream_is(consumed: Queue) -> None:
    """The same lines, in shards; the file goes when it was read."""
    rows = b"".join(b"%d\tfoo%d\n" % (number, number) for number in range(1000))
    streamed = await consumed.served.upload(rows)

    answer = await consumed.upload(rows)
    job = answer.json()["job"]
    followed = await consumed.get(f"/{job}/results", follow="1")

    summary = followed.summary()
    assert records(followed.body, "image") == records(streamed.body, "image")
    assert summary["manifest_sha256"] == hashlib.sha256(rows).hexdigest()
    assert (summary["rows"], summary["errors"], summary["complete"]) == (
        1000,
        streamed.summary()["errors"],
        True,
    )
    state = await consumed.state(job)
    assert state["rows"]["total"] == 1000
    assert [one["rule"] for one in state["diagnosis"]] == ["manifest"]
    assert state["diagnosis"] == summary["diagnosis"] == streamed.summary()["diagnosis"]
    await wait_until(lambda: not consumed.uploads())


async def test_batches_are_those_of_a_stream(consumed: Queue, host: PictureHost) -> None:
    """The same lines, whole batches to each shard, and told with what they were made."""
    urls = [f"{host}/status/404/" if row % 7 == 3 else f"{host}/{row}" for row in range(300)]
    asked = {"images": urls, "batch_size": 50, "pixels": "npy", "size": [24, 16]}
    streamed = await consumed.served.ask(BATCH, json=asked)

    answer = await consumed.served.ask(f"{BATCH}_async", json=asked)
    job = answer.json()["job"]
    followed = await consumed.get(f"/{job}/results", follow="1")

    assert records(followed.body, "batch") == records(streamed.body, "batch")
    assert len(records(streamed.body, "batch")) == 6
    first, last = followed.lines()[0], followed.summary()
    assert (first["kind"], first["job"]) == ("batch_predict", job)
    assert first["options"] == streamed.lines()[0]["options"]
    told = streamed.summary()
    assert {**last, "seconds": 0} == {**told, "seconds": 0, "cursor": last["cursor"]}
    state = await consumed.state(job)
    assert state["provenance"] == told["provenance"]
    assert state["rows"] == {"total": 300, "expected": None, "done": 300, "ok": 257, "failed": 43}


async def test_a_predictor_that_is_not_there_fails_its_job(consumed: Queue) -> None:
    """By redis-cli anything may be asked for; the job says what is wrong, and does not loop."""
    said = ["kind", "batch_predict", "images", '["foo"]', "predictor", "cats"]
    job = (await consumed.redis.execute_command("XADD", INTAKE, "*", *said)).decode()

    answer = await consumed.get(f"/{job}/results", follow="1")

    assert "there is none of that name" in answer.summary()["reason"]
    assert answer.summary()["reason"].startswith("failed: ")
    assert (await consumed.state(job))["state"] == "failed"


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
