"""Every example in the description is sent to a running service, and answered as described."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from server import keys
from server.openapi import examples
from server.openapi.document import describe as document
from tests.server.described import Described, describe
from tests.server.recording import Queue
from tests.server.serving import Answer
from workers.jobs.consumer import open_consumer

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESCRIBED = Described(document(keyed=False))
#: (path, media type of the body, name of the example)
SENT = [
    (path, kind, name)
    for method, path, said in DESCRIBED.operations()
    for kind, content in said.get("requestBody", {}).get("content", {}).items()
    for name in content.get("examples", {})
]
#: (method, path, status, media type of the answer, name of the example)
ANSWERED = [
    (method, path, status, kind, name)
    for method, path, said in DESCRIBED.operations()
    for status, response in said["responses"].items()
    for kind, content in DESCRIBED.resolved(response).get("content", {}).items()
    for name in content.get("examples", {})
]


@pytest_asyncio.fixture(loop_scope="session")
async def consumed(queue: Queue) -> AsyncIterator[Queue]:
    """The queue with a consumer, in the server's own process, and the file of the examples."""
    (queue.root / examples.FILE).write_text("17\thttp://10.0.0.1/17\n18\tfoo\n", encoding="utf-8")
    async with open_consumer(queue.served.app[keys.ENGINE]) as consumer:
        working = asyncio.create_task(consumer.run())
        yield queue
        consumer.stop()
        await working


async def test_there_are_examples_of_everything_that_is_sent() -> None:
    """For each route that takes a body, in JSON and in each kind of text."""
    for method, path, said in DESCRIBED.operations():
        kinds = set(said.get("requestBody", {}).get("content", {}))
        binary = {"application/vnd.apache.parquet"} & kinds
        assert {kind for one, kind, _ in SENT if one == path} == kinds - binary, (method, path)
    assert {path for _, path, *_ in ANSWERED} >= {
        "/api/v1/images_info",
        "/api/v1/batch_predict",
        "/api/v1/jobs/{id}/results",
    }


@pytest.mark.parametrize("path", sorted({path for path, *_ in SENT}))
async def test_requests_are_answered_as_described(consumed: Queue, path: str) -> None:
    """200 with its lines, or 202 with a job that is done; nothing is asked of the network."""
    described = await describe(consumed.served)
    for kind, name in [(kind, name) for one, kind, name in SENT if one == path]:
        answer = await sent(consumed, described, path, kind, name)
        described.check_answer("POST", path, answer)
        if path.endswith("_async"):
            assert answer.status == 202
            answer = await consumed.get(f"/{answer.json()['job']}/results", follow="1")
            described.check_answer("GET", "/api/v1/jobs/{id}/results", answer)
        summary = answer.summary()
        assert (summary["complete"], summary["rows"] > 0) == (True, True), (kind, name)


async def sent(consumed: Queue, described: Described, path: str, kind: str, name: str) -> Answer:
    """The answer to an example, which must be as its own schema says."""
    said = described.operation("POST", path)["requestBody"]["content"][kind]
    value = said["examples"][name]["value"]
    if kind == "application/json":
        described.check(said["schema"], value)
        value = json.dumps(value)
    for line in value.splitlines() if "itemSchema" in said else ():
        described.check(said["itemSchema"], json.loads(line))
    body = value.replace("https://example.org/", "http://10.0.0.1/").encode()
    return await consumed.served.ask(path, data=body, headers={"Content-Type": kind})


@pytest.mark.parametrize(("method", "path", "status", "kind", "name"), ANSWERED)
async def test_an_answer_that_is_shown_is_as_described(
    method: str, path: str, status: str, kind: str, name: str
) -> None:
    """Each of its lines."""
    shown = DESCRIBED.resolved(DESCRIBED.operation(method, path)["responses"][status])
    text = shown["content"][kind]["examples"][name]["value"]

    DESCRIBED.check_answer(
        method,
        path,
        Answer(int(status), {"Content-Type": kind, "X-Request-ID": "a"}, text.encode()),
    )
    assert json.loads(text.splitlines()[-1])["type"] == "summary"


async def test_the_job_of_the_parameter_is_no_job(consumed: Queue) -> None:
    """The one example that leads nowhere: a job's id is the service's to make."""
    parameter: Any = DESCRIBED.document["components"]["parameters"]["Job"]
    DESCRIBED.check(parameter["schema"], parameter["example"])

    for method, path, said in DESCRIBED.operations():
        if "{id}" in path:
            asked = path.replace("{id}", parameter["example"])
            answer = await consumed.served.ask(asked, method=method)
            answer.problem(404)
            DESCRIBED.check_answer(method, path, answer)
            assert "404" in said["responses"]
