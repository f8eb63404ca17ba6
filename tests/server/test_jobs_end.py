"""Cancelling, removing and releasing jobs; and Redis that is away, or loses them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from server import health
from tests.asserts import wait_until
from tests.redis_servers import RedisServer
from tests.server.recording import ASYNC, JOBS, Queue
from tests.server.serving import Served
from workers.jobs import keys, ledger
from workers.jobs.connection import connect

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]


async def test_a_queued_job_is_cancelled_and_stays_so(queue: Queue) -> None:
    """Nobody takes it any more; twice is once."""
    job = await queue.submit("foo", depth="full")

    first = await queue.cancel(job)
    again = await queue.served.ask(f"{JOBS}/{job}/cancel/")

    assert first.json() == again.json()
    assert first.json()["state"] == "cancelled"
    assert first.json()["options"]["depth"] == "full"
    assert first.json()["finished"] is not None
    assert await queue.entries() == []
    assert [one["id"] for one in (await queue.get()).json()["jobs"]] == [job]
    assert (await queue.get(f"/{job}/results", follow="1")).summary()["reason"] == "cancelled"


async def test_a_running_job_is_cancelled_with_what_waits(queue: Queue) -> None:
    """Shards nobody began are dropped; it expires like any other."""
    recording = await queue.recording()
    await recording.open()
    await recording.feed()
    await recording.feed()

    assert (await queue.cancel(recording.job)).json()["state"] == "cancelled"

    assert await recording.call("XLEN", keys.shards("images_info")) == 0
    assert 0 < await recording.call("TTL", keys.job(recording.job)) <= 7 * 24 * 3600


async def test_a_job_that_is_over_is_not_cancelled(queue: Queue) -> None:
    """409, and it stays what it is."""
    for end in ("done", "failed"):
        recording = await queue.recording()
        if end == "done":
            await recording.done((True,))
        else:
            await recording.open()
            await recording.fail("x")

        assert end in (await queue.cancel(recording.job)).problem(409)["detail"]
        assert (await queue.state(recording.job))["state"] == end


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_deleted_job_leaves_nothing(queue: Queue, slash: str) -> None:
    """Queued, running or done; a second time there is none."""
    for begin in ("queued", "running", "done"):
        recording = await queue.recording()
        if begin == "running":
            await recording.open()
            await recording.feed()
        elif begin == "done":
            await recording.done((True,))
        path = f"{JOBS}/{recording.job}{slash}"

        answer = await queue.served.ask(path, method="DELETE")

        assert (answer.status, answer.body) == (204, b"")
        (await queue.served.ask(path, method="DELETE")).problem(404)
    for name in (*keys.of_job(recording.job), keys.INTAKE, keys.shards("images_info"), keys.INDEX):
        kind = await queue.redis.execute_command("TYPE", name)
        assert kind != b"stream" or await queue.redis.execute_command("XLEN", name) == 0
        assert kind in (b"none", b"stream")


async def test_many_results_are_released_at_once(queue: Queue) -> None:
    """However many: dropped a few at a time, counted together; also where rows are garbage."""
    recording = await queue.recording()
    await recording.done(*[(True, False)] * 25)
    await recording.call("XADD", keys.results(recording.job), "*", "rows", "1e300", "lines", "x")
    last = (await recording.results())[-1]

    answer = await queue.served.ask(
        f"{JOBS}/{recording.job}/", method="DELETE", params={"through": last}
    )

    assert answer.json() == {"released": 26, "rows": 50}
    assert await recording.results() == []
    assert (await queue.state(recording.job))["released"] == last


@pytest.mark.parametrize(
    "query", ["through=x", "through=", "through=1", "after=1-0", "through=1-0&through=2-0"]
)
async def test_a_wrong_release_is_named_and_removes_nothing(queue: Queue, query: str) -> None:
    """Above all it is not taken for the removal of the whole job."""
    job = await queue.submit()

    answer = await queue.served.ask(f"{JOBS}/{job}?{query}", method="DELETE")

    assert answer.problem(400)["errors"][0]["field"] == query.partition("=")[0]
    assert (await queue.state(job))["state"] == "queued"


async def test_results_are_released_where_memory_is_short(
    serve: Serve, redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is what makes room; meanwhile submissions are told to come again."""
    server = redis_server()
    served = await serve(redis_url=server.url)
    redis = connect(served.settings)
    queue = Queue(served, redis)
    recording = await queue.recording()
    await recording.done((True,), (True,))
    server.call("CONFIG", "SET", "maxmemory", "1")

    with monkeypatch.context() as hasty:
        hasty.setattr(ledger, "WITHIN_SECONDS", 0.2)
        refused = await served.ask(ASYNC, json={"images": ["foo"]})
    answer = await queue.delete(recording.job, through=(await recording.results())[-1])

    assert int(refused.headers["Retry-After"]) > 0
    refused.problem(503)
    assert answer.json() == {"released": 2, "rows": 2}
    await redis.aclose()


async def test_jobs_come_back_with_redis(
    serve: Serve, redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server starts without it, says so, serves streams, and needs no restart."""
    server = redis_server(appendonly="yes")
    server.kill()
    served = await serve(redis_url=server.url)
    for _ in range(2):
        with monkeypatch.context() as hasty:
            hasty.setattr(ledger, "WITHIN_SECONDS", 0.2)
            hasty.setattr(health, "REDIS_SECONDS", 0.2)
            for method, path in (("POST", ASYNC), ("GET", JOBS), ("GET", f"{JOBS}/1-0"),
                                 ("GET", f"{JOBS}/1-0/results"), ("POST", f"{JOBS}/1-0/cancel"),
                                 ("DELETE", f"{JOBS}/1-0")):  # fmt: skip
                body = {"images": ["foo"]} if path == ASYNC else None
                answer = await served.ask(path, method=method, json=body)
                assert int(answer.headers["Retry-After"]) > 0
                assert str(server.socket) not in answer.problem(503)["detail"]
            ready = await served.ask("/readyz", method="GET")
            assert (ready.status, ready.json()["checks"]["redis"]) == (503, False)
            assert len((await served.ask(json={"images": ["foo"]})).records()) == 1

        server.start()
        assert (await served.ask(JOBS, method="GET")).json()["jobs"] == []
        ready = await served.ask("/readyz", method="GET")
        assert (ready.status, ready.json()["checks"]["redis"]) == (200, True)
        server.kill()


async def test_a_redis_that_hangs_is_one_that_is_away(
    serve: Serve, redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections stand, and nothing answers: the same, in the same time."""
    server = redis_server()
    served = await serve(redis_url=server.url)
    assert (await served.ask(JOBS, method="GET")).status == 200
    server.freeze()

    with monkeypatch.context() as hasty:
        hasty.setattr(ledger, "WITHIN_SECONDS", 0.2)
        (await served.ask(JOBS, method="GET")).problem(503)
        (await served.ask(ASYNC, json={"images": ["foo"]})).problem(503)

    server.thaw()
    assert (await served.ask(JOBS, method="GET")).status == 200


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ({"appendonly": "yes"}, set()),
        ({"appendonly": "no"}, {"redis_forgets"}),
        (
            {"appendonly": "no", "maxmemory_policy": "allkeys-lru", "maxmemory": "100mb"},
            {"redis_forgets", "redis_evicts"},
        ),
        ({"appendonly": "yes", "forbidden": "INFO"}, {"redis_unknown"}),
        ({"appendonly": "yes", "renamed": "INFO"}, {"redis_unknown"}),
    ],
)
async def test_a_redis_that_loses_jobs_is_warned_of(
    serve: Serve,
    redis_server: Callable[..., RedisServer],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    options: dict[str, str],
    actions: set[str],
) -> None:
    """Once, at start, by what INFO says; where nobody may ask that, that it is not known."""
    options = dict(options)
    forbidden, renamed = options.pop("forbidden", None), options.pop("renamed", None)
    if renamed is not None:
        (tmp_path / "renamed.conf").write_text(f'rename-command {renamed} ""\n')
        options["include"] = str(tmp_path / "renamed.conf")
    server = redis_server(**options)
    if forbidden is not None:
        server.call("ACL", "SETUSER", "default", f"-{forbidden}")

    with caplog.at_level("DEBUG", logger="workers.jobs.upkeep"):
        await serve(redis_url=server.url)
        await wait_until(lambda: [one for one in caplog.records if one.name.endswith("upkeep")])

    found = {getattr(one, "action", "") for one in caplog.records if one.name.endswith("upkeep")}
    assert found == (actions or {"redis_keeps"})
