"""Requests that become jobs: what they are answered, and what is left in the intake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server import requests
from tests.server.recording import ASYNC, JOBS, Queue, Recording
from tests.server.serving import Served
from workers.asked import InfoRequest
from workers.jobs import keys
from workers.jobs.fields import Job, parse_entry

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

GREATEST = "18446744073709551615-18446744073709551615"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_request_becomes_a_job(queue: Queue, slash: str) -> None:
    """As the predecessor's clients send it, whatever they accept: 202, and where to go on."""
    (queue.root / "a.tsv").write_text("url\nfoo\n")

    answer = await queue.served.ask(
        ASYNC + slash,
        json={"filepath": "a.tsv", "batch_size": 7},
        headers={"Accept": "application/json"},
    )

    job = answer.json()["job"]
    assert answer.status == 202
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Location"] == f"{JOBS}/{job}"
    assert answer.json() == {
        "ok": "Processing Images",
        "job": job,
        "links": {
            "self": f"{JOBS}/{job}",
            "results": f"{JOBS}/{job}/results",
            "cancel": f"{JOBS}/{job}/cancel",
        },
    }
    assert await queue.entries() == [{b"kind": b"images_info", b"filepath": b"a.tsv"}]
    for path in answer.json()["links"].values():
        assert (await queue.served.ask(path, method="GET")).status in (200, 405)


@pytest.mark.parametrize(
    "options",
    [
        {"depth": "full", "limit": 0, "extra": True},
        {"thumbnail": 96, "timeout": 2.5},
        {"timeout": 1e-7, "limit": 10**18},
    ],
)
async def test_a_job_is_what_was_asked_for(queue: Queue, options: dict[str, Any]) -> None:
    """Read back from the intake, an entry is the request, rows and options."""
    rows = [{"id": "a\u2028", "url": "https://ä.example/\t"}, "foo", 7, None, {"url": [[]]}]
    asked = InfoRequest.model_validate({"images": rows, **options})

    answer = await queue.served.ask(ASYNC, json={"images": rows, **options})

    (fields,) = await queue.entries()
    assert answer.status == 202
    assert parse_entry(fields, queue.root) == Job("images_info", asked.options(), images=rows)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"filepath": "missing.tsv"}, 422, "filepath"),
        ({"filepath": "../jobs.tsv"}, 422, "filepath"),
        ({"images": ["foo"], "ordered": True}, 422, "ordered"),
        ({"filepath": "a.ndjson", "changes": True}, 422, "changes"),
        ({"images": ["foo"], "depht": "full"}, 422, "depht"),
        ({"images": ["foo"], "limit": float("nan")}, 400, None),
        ({"images": "foo"}, 422, "images"),
        ({}, 422, "filepath"),
        ([], 422, None),
    ],
)
async def test_what_is_wrong_becomes_no_job(
    queue: Queue, body: Any, status: int, field: str | None
) -> None:
    """It is told at once, by name, and nothing is left in Redis."""
    headers = {"Content-Type": "application/json"}

    answer = await queue.served.ask(ASYNC, data=json.dumps(body), headers=headers)

    problem = answer.problem(status)
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
    assert await queue.entries() == []


async def test_rows_nested_deeper_than_can_be_kept_are_refused(queue: Queue) -> None:
    """Redis holds text: what cannot be written again is told, not an error of ours."""
    for depth, status in ((100, 202), (300, 422)):
        body = b'{"images": [' + b"[" * depth + b"]" * depth + b"]}"
        headers = {"Content-Type": "application/json"}
        answer = await queue.served.ask(ASYNC, data=body, headers=headers)
        assert answer.status == status, answer.body

    assert answer.problem(422)["errors"][0]["field"] == "images"
    assert len(await queue.entries()) == 1


async def test_rows_that_grow_when_they_are_written_are_refused(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer would put them to the dead letters, and the job would be gone."""
    monkeypatch.setattr("workers.jobs.fields.MAX_IMAGES", 100)

    answer = await queue.served.ask(
        ASYNC,
        data='{"images": [' + ",".join(["1e15"] * 20) + "]}",
        headers={"Content-Type": "application/json"},
    )

    answer.problem(413)
    assert await queue.entries() == []
    assert requests.MAX_JSON_BYTES == 16 * 1024**2  # what the constant is there for


async def test_what_consumers_would_bury_is_refused(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brackets that were escaped are not when they are written again; told before it is a job."""
    monkeypatch.setattr("workers.jobs.fields.MAX_CONTAINERS", 100)

    answer = await queue.served.ask(
        ASYNC,
        data='{"images": ["http://h/%s"]}' % ("\\u007b" * 101),
        headers={"Content-Type": "application/json"},
    )

    answer.problem(413)
    assert await queue.entries() == []


@pytest.mark.parametrize("key", ["k", 'a key, with "signs" and spaces', "x" * 255])
async def test_the_same_request_again_is_the_same_job(queue: Queue, key: str) -> None:
    """A client that did not hear the answer sends the key again; another request is told."""

    async def ask(images: list[str], **options: Any) -> Any:
        headers = {"Idempotency-Key": key}
        return await queue.served.ask(ASYNC, json={"images": images, **options}, headers=headers)

    first, again = await ask(["foo"]), await ask(["foo"], batch_size=3)

    assert (first.status, again.status) == (202, 202)
    assert first.json() == again.json()
    for other in (await ask(["bar"]), await ask(["foo"], depth="full")):
        assert other.problem(422)["errors"][0]["field"] == "Idempotency-Key"
    assert len(await queue.entries()) == 1
    token = keys.once(hashlib.sha256(key.encode()).hexdigest())
    assert 0 < await queue.redis.execute_command("TTL", token) <= 24 * 3600


@pytest.mark.parametrize("uploaded", [True, False])
async def test_the_key_of_a_job_that_is_gone_leads_nowhere(queue: Queue, uploaded: bool) -> None:
    """That is said, instead of where it would be found; nothing is handed in or kept."""

    async def ask() -> Any:
        if uploaded:
            return await queue.upload(b"foo\n", **{"Idempotency-Key": "k"})
        headers = {"Idempotency-Key": "k"}
        return await queue.served.ask(ASYNC, json={"images": ["foo"]}, headers=headers)

    job = (await ask()).json()["job"]
    recording = Recording(queue.redis, job, queue.root)
    await recording.done((True,))
    assert (await ask()).json()["job"] == job
    await queue.redis.execute_command("DEL", keys.job(job))

    expired = (await ask()).problem(410)
    await queue.delete(job)
    removed = (await ask()).problem(410)

    assert "CENSUS_RESULT_TTL" in expired["detail"]
    assert removed["errors"][0]["field"] == "Idempotency-Key"
    assert await queue.entries() == []
    assert queue.uploads() == []


async def test_without_a_key_each_request_is_a_job(queue: Queue) -> None:
    """The same rows twice are two jobs, if nobody says otherwise."""
    assert await queue.submit("foo") != await queue.submit("foo")
    assert len(await queue.entries()) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\x7f"])
async def test_a_key_that_is_none_is_refused(queue: Queue, key: str) -> None:
    """Bounded, printable, one: what is kept of it is a hash."""
    async with queue.served.talk() as talk:
        await talk.ask(
            ASYNC,
            body=b'{"images": ["foo"]}',
            Content_Type="application/json",
            Idempotency_Key=key,
        )
        answer = await talk.answer()

    if answer.json()["error"] != "the request is not HTTP as it is read here":
        assert answer.problem(400)["errors"][0]["field"] == "Idempotency-Key"
    assert answer.status == 400
    assert await queue.entries() == []


async def test_a_garbled_memory_of_a_submission_is_told(queue: Queue) -> None:
    """Somebody wrote over it: neither a job nor none, and not asked for ever."""
    headers = {"Idempotency-Key": "k"}
    name = keys.once(hashlib.sha256(b"k").hexdigest())
    for spoil in (("SET", name, "x"), ("HSET", name, "job", "x")):
        await queue.redis.execute_command("DEL", name)
        await queue.redis.execute_command(*spoil)
        answer = await queue.served.ask(ASYNC, json={"images": ["foo"]}, headers=headers)
        assert answer.status in (422, 502), answer.body
    await queue.redis.execute_command("SET", keys.INTAKE, "x")

    (await queue.served.ask(ASYNC, json={"images": ["foo"]})).problem(502)


async def test_an_intake_that_takes_no_entry_any_more_says_so(queue: Queue) -> None:
    """Behind the greatest id there is no next; the answer says where the cure is to be found."""
    await queue.redis.execute_command("XADD", keys.INTAKE, GREATEST, "foo", "bar")

    answer = await queue.served.ask(ASYNC, json={"images": ["foo"]})

    assert "docs/redis.md" in answer.problem(503)["detail"]
    assert "Retry-After" in answer.headers


ROUTES = [
    ("POST", ASYNC),
    ("GET", JOBS),
    ("GET", f"{JOBS}/1-0"),
    ("GET", f"{JOBS}/1-0/results"),
    ("POST", f"{JOBS}/1-0/cancel"),
    ("DELETE", f"{JOBS}/1-0"),
]


async def test_without_redis_jobs_are_refused_and_nothing_else(served: Served) -> None:
    """An application without one says which setting is missing."""
    for method, path in ROUTES:
        for slash in ("", "/"):
            answer = await served.ask(path + slash, method=method)
            assert "CENSUS_REDIS_URL" in answer.problem(503)["detail"]

    assert "redis" not in (await served.ask("/readyz", method="GET")).json()["checks"]
    assert len((await served.ask(json={"images": ["foo"]})).records()) == 1


async def test_jobs_are_behind_the_key(serve: Serve) -> None:
    """With one, nothing about jobs is told or done without it."""
    served = await serve(api_key="0123456789abcdef-right")
    wrong = [{}, {"Authorization": "Bearer 0123456789abcdef-righT"}, {"Authorization": "Bearer ä"}]

    for method, path in ROUTES:
        for headers in wrong:
            (await served.ask(path, method=method, headers=headers)).problem(401)
        right = {"Authorization": "Bearer 0123456789abcdef-right"}
        (await served.ask(path, method=method, headers=right)).problem(503)


async def test_pages_of_other_sites_change_no_job(queue: Queue) -> None:
    """Without a key, a browser on this machine runs pages of strangers."""
    recording: Recording = await queue.recording()
    await recording.done((True,))
    for method, path in ROUTES:
        path = path.replace("1-0", recording.job)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await queue.served.ask(path, method=method, headers=headers)
            if method == "GET":
                assert answer.status == 200
            else:
                answer.problem(403)
        (await queue.served.ask(path, method=method, headers={"Host": "evil.example"})).problem(403)

    assert (await queue.state(recording.job))["state"] == "done"


async def test_a_submission_holds_a_place(serve: Serve, queue: Queue) -> None:
    """It takes in as much as a stream does."""
    settings = queue.served.settings
    served = await serve(
        max_streams=1, redis_url=settings.redis_url, redis_cluster=settings.redis_cluster
    )
    async with served.talk() as talk:
        await talk.ask(ASYNC, length=10, Content_Type="text/csv", Expect="100-continue")
        assert (await talk.head())[0] == 100

        (await served.ask(ASYNC, json={"images": ["foo"]})).problem(503)

    assert await queue.entries() == []
