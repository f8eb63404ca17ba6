"""What a real service answers is what its description says: every line, every member."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from imaging.facts import ImageInfo
from server import keys
from server.openapi.document import describe as document
from tests.picture_hosts import PictureHost
from tests.server.described import Described, describe
from tests.server.recording import ASYNC, Queue
from tests.server.serving import BATCH, INFO, Answer, Served
from workers.jobs.consumer import open_consumer

pytestmark = pytest.mark.asyncio(loop_scope="session")

NDJSON = {"Content-Type": "application/x-ndjson"}
JOBS = "/api/v1/jobs"
ONE = f"{JOBS}/{{id}}"


@pytest_asyncio.fixture(loop_scope="session")
async def described(served: Served) -> Described:
    """As the service tells it."""
    return await describe(served)


@pytest_asyncio.fixture(loop_scope="session")
async def consumed(queue: Queue) -> AsyncIterator[Queue]:
    """The queue with a consumer, in the server's own process."""
    async with open_consumer(queue.served.app[keys.ENGINE]) as consumer:
        working = asyncio.create_task(consumer.run())
        yield queue
        consumer.stop()
        await working


def rows(host: PictureHost) -> list[Any]:
    """Pictures, and what fails in every stage."""
    return [
        *(
            {"id": f"n{number}", "url": f"{host}/p/{number}", "shelf": number}
            for number in range(8)
        ),
        f"{host}/p/0",  # again
        f"{host}/status/404/a",
        f"{host}/status/503/b",
        f"{host}/html/c",
        f"{host}/redirect/2/d",
        "http://10.0.0.1/e",
        "ftp://example.org/f",
        "foo",
        {"id": "none"},
        7,
    ]


def kinds(answer: Answer) -> set[str]:
    """Of lines in an answer."""
    return {line["type"] for line in answer.lines()}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ordered": True, "extra": True, "timeout": 5},
        {"depth": "full"},
        {"thumbnail": 32, "limit": 9},
    ],
    ids=str,
)
async def test_facts(
    served: Served, described: Described, host: PictureHost, options: dict[str, Any]
) -> None:
    """Every line of a stream, at either depth."""
    answer = await served.ask(json={"images": rows(host), **options})

    described.check_answer("POST", INFO, answer)
    assert kinds(answer) == {"start", "image", "summary"}
    if options == {}:
        codes = {line["error"]["code"] for line in answer.records() if "error" in line}
        assert {"http_status", "blocked_address", "bad_scheme", "bad_url", "bad_row"} <= codes


async def test_what_has_changed(served: Served, described: Described, host: PictureHost) -> None:
    """Verdicts, what differs, and what was known before of what was not judged."""
    before = await served.ask(json={"images": rows(host), "depth": "full"})
    host.change("/p/3")
    host.remove("/p/4")

    for params in ({"changes": "1"}, {"changes": "1", "depth": "full"}):
        now = await served.upload(before.body, headers=NDJSON, params=params)
        described.check_answer("POST", INFO, now)
        records = now.records()
        assert {line["change"] for line in records} >= {"unchanged", "changed", "gone", None}
        assert any("changed" in line for line in records)
    host.reset()
    gone = await served.upload(
        before.body.replace(str(host).encode(), b"http://10.0.0.1"),
        headers=NDJSON,
        params={"changes": "1"},
    )
    described.check_answer("POST", INFO, gone)
    assert any("before" in line for line in gone.records())


async def test_one_object_keyed_by_id(
    served: Served, described: Described, host: PictureHost
) -> None:
    """As older clients ask for it."""
    answer = await served.ask(json={"images": rows(host)}, headers={"Accept": "application/json"})

    described.check_answer("POST", INFO, answer)
    assert len(answer.json()) > 8


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ordered": True, "batch_size": 4, "extra": True, "pixels": "npy"},
        {"predictor": "none", "size": [8, 6], "pixels": "list", "limit": 3},
    ],
    ids=str,
)
async def test_batches(
    served: Served, described: Described, host: PictureHost, options: dict[str, Any]
) -> None:
    """Every line of a stream of predictions."""
    answer = await served.ask(BATCH, json={"images": rows(host), **options})

    described.check_answer("POST", BATCH, answer)
    assert kinds(answer) == {"start", "batch", "summary"}
    assert "provenance" in answer.summary()


@pytest.mark.parametrize("accept", ["text/csv", "application/vnd.apache.parquet"])
@pytest.mark.parametrize("path", [INFO, BATCH])
async def test_tables(served: Served, described: Described, path: str, accept: str) -> None:
    """Their types and names."""
    answer = await served.ask(path, json={"images": ["foo"]}, headers={"Accept": accept})

    assert answer.headers["Content-Disposition"]
    described.check_answer("POST", path, answer)


@pytest.mark.parametrize("path", ["/ping", "/healthz", "/readyz", "/metrics", "/", "/docs"])
async def test_the_service_itself(served: Served, described: Described, path: str) -> None:
    """Each route without a key."""
    described.check_answer("GET", path, await served.ask(path, method="GET"))


async def test_predictors(served: Served, described: Described) -> None:
    """Those that can be used."""
    path = "/api/v1/predictors"
    described.check_answer("GET", path, await served.ask(path, method="GET"))


@pytest.mark.parametrize("kind", ["images_info", "batch_predict"])
async def test_jobs(consumed: Queue, host: PictureHost, kind: str) -> None:
    """Handed in, looked at, read, cancelled too late, released, removed."""
    served = consumed.served
    described = await describe(served)
    path = f"/api/v1/{kind}_async"
    submitted = await served.ask(path, json={"images": rows(host), "extra": True})
    described.check_answer("POST", path, submitted)
    job = submitted.json()["job"]

    early = await consumed.get(f"/{job}")
    described.check_answer("GET", ONE, early)
    results = await consumed.get(f"/{job}/results", follow="1")
    described.check_answer("GET", f"{ONE}/results", results)
    assert "progress" in kinds(results)
    assert results.summary()["complete"] is True

    done = await consumed.get(f"/{job}")
    described.check_answer("GET", ONE, done)
    assert done.json()["state"] == "done"
    described.check_answer("GET", JOBS, await consumed.get(limit="1"))
    table = await served.ask(f"{JOBS}/{job}/results", method="GET", headers={"Accept": "text/csv"})
    described.check_answer("GET", f"{ONE}/results", table)
    late = await consumed.cancel(job)
    late.problem(409)
    described.check_answer("POST", f"{ONE}/cancel", late)
    released = await consumed.delete(job, through=results.summary()["cursor"])
    assert released.status == 200
    described.check_answer("DELETE", ONE, released)
    again = await consumed.get(f"/{job}/results")
    again.problem(410)
    described.check_answer("GET", f"{ONE}/results", again)
    removed = await consumed.delete(job)
    assert removed.status == 204
    described.check_answer("DELETE", ONE, removed)
    missing = await consumed.get(f"/{job}")
    missing.problem(404)
    described.check_answer("GET", ONE, missing)


async def test_jobs_that_are_not_done(queue: Queue) -> None:
    """Queued, running, paused, failed, cancelled: each as it is described."""
    described = await describe(queue.served)
    waiting = await queue.submit()
    described.check_answer("GET", ONE, await queue.get(f"/{waiting}"))
    results = await queue.get(f"/{waiting}/results")
    described.check_answer("GET", f"{ONE}/results", results)
    assert results.summary()["reason"] == "running"
    described.check_answer("POST", f"{ONE}/cancel", await queue.cancel(waiting))

    running = await queue.recording("foo", "bar")
    await running.open()
    await running.feed(1, offset=10, size=20)
    described.check_answer("GET", ONE, await queue.get(f"/{running.job}"))
    running.limit = 0
    assert await running.feed(1) == b"PAUSED"
    paused = await queue.get(f"/{running.job}")
    assert paused.json()["paused"] is True
    described.check_answer("GET", ONE, paused)
    await running.fail("there is no such file")
    failed = await queue.get(f"/{running.job}")
    assert failed.json()["state"] == "failed"
    described.check_answer("GET", ONE, failed)
    described.check_answer("GET", JOBS, await queue.get())


async def test_refusals(served: Served, queue: Queue) -> None:
    """Problems of several kinds, also those that name fields."""
    described = await describe(served)
    for asked, status in (
        ({"json": {"images": [], "depth": "deep"}}, 422),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"images": []}, "headers": {"Content-Encoding": "br"}}, 415),
        ({"json": {"images": ["foo"] * 100_001}}, 413),
        ({"json": {"images": []}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"json": {"images": []}, "headers": {"Expect": "tea"}}, 417),
        ({}, 422),
    ):
        answer = await served.ask(**asked)
        answer.problem(status)
        described.check_answer("POST", INFO, answer)
    no_redis = await served.ask(ASYNC, json={"images": []})
    assert no_redis.problem(503)
    described.check_answer("POST", ASYNC, no_redis)
    twice = {"Idempotency-Key": "one"}
    await queue.served.ask(ASYNC, json={"images": ["a"]}, headers=twice)
    other = await queue.served.ask(ASYNC, json={"images": ["b"]}, headers=twice)
    other.problem(422)
    described.check_answer("POST", ASYNC, other)


async def test_a_member_that_is_not_described_is_found(served: Served) -> None:
    """In every kind of line, wherever it stands."""
    described = await describe(served)
    answer = await served.ask(json={"images": ["foo", "http://10.0.0.1/"]})
    lines = [*answer.lines(), {"type": "progress", "done": 1, "failed": 0}]
    for line in lines:
        described.check_component("InfoAnswerLine", line)
        places = [line, *(one for one in line.values() if isinstance(one, dict))]
        for place in places:
            place["new"] = 1
            with pytest.raises(AssertionError):
                described.check_component("InfoAnswerLine", line)
            del place["new"]


async def test_facts_are_those_there_are() -> None:
    """No fact of a picture is missing, and none is left over."""
    schema = document(keyed=False)["components"]["schemas"]["ImageInfo"]

    assert set(schema["properties"]) == set(ImageInfo._fields)
    assert json.dumps(schema)
