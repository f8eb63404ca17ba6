"""Results over HTTP: framed like a stream, byte for byte, resumable, each row once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server import job_results, keys
from tests.asserts import wait_until
from tests.redis_servers import RedisServer
from tests.server.recording import JOBS, Queue, Recording, record
from tests.server.serving import Answer, Served, Talk
from workers.jobs import keys as names
from workers.jobs import ledger
from workers.jobs.connection import connect
from workers.jobs.ledger import Ledger

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]


def told(answer: Answer) -> tuple[list[int], dict[str, Any]]:
    """Indices given out, and the summary; the framing must be right."""
    start, *lines, summary = answer.lines()
    assert start["type"] == "start"
    assert summary["type"] == "summary"
    kinds = [line["type"] for line in lines]
    assert set(kinds) <= {"image", "progress"}
    if "image" in kinds:
        assert kinds[-1] == "progress"  # its cursor covers all that came before
    return [line["index"] for line in lines if line["type"] == "image"], summary


def images(answer: Answer) -> bytes:
    """The record lines, as they came."""
    lines = answer.body.splitlines(keepends=True)
    return b"".join(line for line in lines if line.startswith(b'{"type":"image"'))


async def large(recording: Recording, shards: int, *, size: int = 100_000) -> None:
    """Record so many shards more, of a row with so much in it."""
    if not recording.fed:
        await recording.open()
    line = record(0)[:-2] + b',"extra":"' + b"x" * size + b'"}\n'
    named = [*names.of_job(recording.job), names.shards("images_info"), *names.COUNTED]
    for number in range(recording.fed, recording.fed + shards):
        await recording.feed()
        said = ("0-1", number, 1, line, 100, 1, 0, "", 0, 0, 0)
        await ledger.Script("commit")(recording.redis, named, *said)


async def follow(talk: Talk, job: str, after: str = "0-0") -> None:
    """Ask to follow a job, on a connection of the test's own."""
    path = f"{JOBS}/{job}/results?follow=1&after={after}"
    talk.writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert (await talk.head())[0] == 200
    assert (await talk.line())["type"] == "start"


async def test_results_are_the_lines_as_recorded(queue: Queue) -> None:
    """Start names the job, records come byte for byte, the summary is the job's."""
    recording = await queue.recording()
    lines = await recording.done((True, False), (True,))

    answer = await queue.get(f"/{recording.job}/results/")

    start, summary = answer.lines()[0], answer.summary()
    state = await queue.state(recording.job)
    first, second = await recording.results()
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert images(answer) == lines
    assert start == {
        "type": "start",
        "schema": 1,
        "kind": "images_info",
        "job": recording.job,
        "manifest": None,
        "options": state["options"],
    }
    progress = {"type": "progress", "done": 3, "failed": 1, "cursor": second}
    assert answer.lines()[-2] == progress
    assert summary.pop("seconds") >= 0
    assert summary == {
        "type": "summary",
        "rows": 3,
        "ok": 2,
        "failed": 1,
        "errors": {"bad_url": 1},
        "http_statuses": {},
        "bytes": 30,
        "manifest_sha256": "ab" * 32,
        "complete": True,
        "cursor": second,
    }
    assert told(await queue.get(f"/{recording.job}/results", after=first))[0] == [2]
    assert told(await queue.get(f"/{recording.job}/results", after=second))[0] == []


async def test_many_shards_are_read_a_few_at_a_time(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cursor told is one from which the rest is had, nothing twice."""
    monkeypatch.setattr(job_results, "BATCH_ENTRIES", 3)
    recording = await queue.recording()
    await recording.done(*[(True, True)] * 20)
    whole = await queue.get(f"/{recording.job}/results")

    assert told(whole)[0] == list(range(40))
    before = 0
    cursors = 0
    for line in whole.lines():
        before += line["type"] == "image"
        if line["type"] == "progress":
            cursors += 1
            rest = await queue.get(f"/{recording.job}/results", after=line["cursor"])
            assert told(rest)[0] == list(range(40))[before:]
            assert told(rest)[1]["rows"] == 40
            assert told(rest)[1]["complete"] is True
    assert cursors >= 7


async def test_what_is_there_now_is_given_out_while_a_job_runs(queue: Queue) -> None:
    """Nobody waits; the summary says that there is more to come, and from where."""
    recording = await queue.recording()
    assert told(await queue.get(f"/{recording.job}/results", follow="0"))[0] == []
    await recording.open()
    assert told(await queue.get(f"/{recording.job}/results"))[1]["cursor"] == "0-0"
    await recording.feed(2)
    await recording.feed(1)
    await recording.commit(0, True, True)

    indices, summary = told(await queue.get(f"/{recording.job}/results"))

    assert indices == [0, 1]
    assert (summary["complete"], summary["reason"]) == (False, "running")
    assert summary["cursor"] == (await recording.results())[0]
    await recording.commit(1, False, first=2)
    await recording.seal()
    indices, summary = told(await queue.get(f"/{recording.job}/results", after=summary["cursor"]))
    assert (indices, summary["complete"], summary["rows"]) == ([2], True, 3)


@pytest.mark.parametrize("ends", [True, False])
async def test_what_comes_while_one_reads_is_given_out_or_told_of(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """Batches of them, behind the place up to which it was to be read: never `complete` then."""
    monkeypatch.setattr(job_results, "BATCH_ENTRIES", 2)
    recording = await queue.recording()
    await recording.open()
    for number in range(8):
        await recording.feed()
        if number < 3:
            await recording.commit(number, True)
    real = Ledger.last_result

    async def then_more(self: Ledger, job: str) -> Any:
        found = await real(self, job)
        for number in range(3, 8):
            await recording.commit(number, True)
        if ends:
            await recording.seal()
        return found

    monkeypatch.setattr(Ledger, "last_result", then_more)

    indices, summary = told(await queue.get(f"/{recording.job}/results"))

    if ends:
        assert (indices, summary["complete"]) == (list(range(8)), True)
    else:
        assert (summary["complete"], summary["reason"]) == (False, "running")
        assert (await recording.results()).index(summary["cursor"]) == len(indices) - 1 == 3


async def test_a_job_is_followed_to_its_end(queue: Queue) -> None:
    """From before it is taken, as its shards are recorded, until all is given out."""
    recording = await queue.recording()
    async with queue.served.talk() as talk:
        await follow(talk, recording.job)
        await recording.open()
        for number in (0, 1, 2):
            await recording.feed()
            await recording.commit(number, number != 1)
            assert (await talk.line())["index"] == number
            progress = await talk.line()
            assert progress["type"] == "progress"
            assert progress["cursor"] == (await recording.results())[-1]
        await recording.seal()

        summary = await talk.line()

    assert summary["type"] == "summary"
    assert (summary["complete"], summary["rows"], summary["failed"]) == (True, 3, 1)


@pytest.mark.parametrize("end", ["cancelled", "failed: no such file"])
async def test_a_job_that_ended_early_is_followed_until_it_is_settled(
    queue: Queue, end: str
) -> None:
    """Shards under way when it was cancelled, or failed, still come."""
    recording = await queue.recording()
    await recording.open()
    await recording.feed()
    await recording.call("XGROUP", "CREATE", names.shards("images_info"), names.GROUP, "0")
    read = ("XREADGROUP", "GROUP", names.GROUP, "me", "COUNT", "1")
    await recording.call(*read, "STREAMS", names.shards("images_info"), ">")
    await recording.feed()
    async with queue.served.talk() as talk:
        await follow(talk, recording.job)
        if end == "cancelled":
            assert (await queue.cancel(recording.job)).json()["state"] == "cancelled"
        else:
            await recording.fail("no such file")
            await recording.commit(1, True)
            assert [(await talk.line())["type"] for _ in range(2)] == ["image", "progress"]
        assert told(await queue.get(f"/{recording.job}/results"))[1]["reason"] == "running"
        await recording.commit(0, False)
        assert [(await talk.line())["type"] for _ in range(2)] == ["image", "progress"]

        summary = await talk.line()

    assert (summary["type"], summary["complete"], summary["reason"]) == ("summary", False, end)


async def test_nothing_is_missed_between_the_last_read_and_the_end(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last shard comes just behind a read that found nothing, and with it the job's end."""
    recording = await queue.recording()
    await recording.open()
    await recording.feed()
    await recording.seal()
    real, done = Ledger.results, False

    async def late(self: Ledger, *said: Any) -> Any:
        nonlocal done
        found = await real(self, *said)
        if not done:
            done = True
            await recording.commit(0, True)
        return found

    monkeypatch.setattr(Ledger, "results", late)

    indices, summary = told(await queue.get(f"/{recording.job}/results", follow="1"))

    assert (indices, summary["complete"]) == ([0], True)


async def test_a_shard_recorded_twice_is_given_out_once(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """After a failover a fence may be gone; what is no entry of ours is passed over."""
    recording = await queue.recording()
    lines = await recording.done((True,), (True, False))
    results = names.results(recording.job)
    for fields in (
        ("shard", 0, "rows", 1, "lines", record(0)),
        ("foo", "bar"),
        ("shard", "x", "rows", 1, "lines", record(5)),
        ("shard", 9, "rows", "", "lines", record(5)),
        ("shard", 9, "rows", 1, "lines", b"\x00\xff"),
        ("shard", 9, "rows", 1, "lines", record(5) + b"<html>}\n"),
        ("shard", 9, "rows", 1, "lines", record(5)[:-1]),
        ("shard", "9" * 40, "rows", 1, "lines", record(5)),
    ):
        await recording.call("XADD", results, "*", *fields)

    with caplog.at_level("WARNING"):
        answer = await queue.get(f"/{recording.job}/results")

    assert len([one for one in caplog.records if one.name == "server.job_results"]) == 1
    assert told(answer)[0] == [0, 1, 2]
    assert images(answer) == lines
    assert told(answer)[1]["cursor"] == (await recording.results())[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("after", "x"),
        ("after", ""),
        ("after", "1"),
        ("after", "1-2-3"),
        ("after", "1-99999999999999999999"),
        ("after", "-1-0"),
        ("after", "١-٢"),
        ("follow", "yes"),
        ("limit", "1"),
    ],
)
async def test_a_wrong_query_is_named(queue: Queue, name: str, value: str) -> None:
    """Before anything is read."""
    recording = await queue.recording()

    answer = await queue.get(f"/{recording.job}/results", **{name: value})

    assert answer.problem(400)["errors"][0]["field"] == name


async def test_a_cursor_given_twice_is_named(queue: Queue) -> None:
    """Which of them was meant nobody knows."""
    answer = await queue.served.ask(f"{JOBS}/1-0/results?after=1-0&after=2-0", method="GET")

    assert answer.problem(400)["errors"][0]["field"] == "after"


async def test_released_results_are_not_passed_over_in_silence(queue: Queue) -> None:
    """Behind the release reading goes on, to a whole end; before it is 410 with the place."""
    recording = await queue.recording()
    await recording.done((True,), (True,), (False,))
    first, second, third = await recording.results()

    answer = await queue.delete(recording.job, through=second)

    assert answer.json() == {"released": 2, "rows": 2}
    assert await recording.results() == [third]
    assert (await queue.state(recording.job))["released"] == second
    for after in ({}, {"after": first}):
        problem = (await queue.get(f"/{recording.job}/results", **after)).problem(410)
        assert second in problem["detail"]
        assert problem["errors"][0]["field"] == "after"
    indices, summary = told(await queue.get(f"/{recording.job}/results", after=second))
    assert (indices, summary["complete"], summary["rows"]) == ([2], True, 3)
    assert (await queue.delete(recording.job, through=second)).json() == {"released": 0, "rows": 0}
    await queue.delete(recording.job, through=third)
    assert told(await queue.get(f"/{recording.job}/results", after=third))[1]["complete"] is True


async def test_a_follower_who_releases_what_it_read_reads_on(queue: Queue) -> None:
    """That is how a job larger than Redis is read; releasing what was not read ends the answer."""
    recording = await queue.recording()
    await recording.open()
    async with queue.served.talk() as talk:
        await follow(talk, recording.job)
        for number in (0, 1):
            await recording.feed()
            await recording.commit(number, True)
            assert (await talk.line())["index"] == number
            await queue.delete(recording.job, through=(await talk.line())["cursor"])
        await recording.call("HSET", names.job(recording.job), "released", "99999999999999-0")

        summary = await talk.line()

    assert summary["complete"] is False
    assert summary["reason"] == "released: read on with after=99999999999999-0"


async def test_results_removed_by_hand_are_not_taken_for_complete(queue: Queue) -> None:
    """Some of them gone: the summary says how many rows. All of them: 410."""
    recording = await queue.recording()
    await recording.done((True, True), (True,))
    first, _ = await recording.results()
    await recording.call("XDEL", names.results(recording.job), first)

    summary = told(await queue.get(f"/{recording.job}/results"))[1]

    assert (summary["complete"], summary["rows"]) == (False, 3)
    assert summary["reason"] == "failed: 2 rows are no longer in Redis"
    await recording.call("DEL", names.results(recording.job))
    (await queue.get(f"/{recording.job}/results")).problem(410)
    (await queue.get(f"/{recording.job}/results", follow="1")).problem(410)
    await recording.call("SET", names.results(recording.job), "x")
    (await queue.get(f"/{recording.job}/results")).problem(502)


@pytest.mark.parametrize("gone", ["deleted", "expired", "failed", "lines"])
async def test_a_job_that_goes_away_ends_its_followers(queue: Queue, gone: str) -> None:
    """With a summary that says why; never a wait without end."""
    recording = await queue.recording()
    await recording.open()
    async with queue.served.talk() as talk:
        await follow(talk, recording.job)
        if gone == "deleted":
            await queue.delete(recording.job)
        elif gone == "expired":
            await recording.call("DEL", names.job(recording.job), names.INTAKE)
        elif gone == "failed":
            await recording.call("SET", names.job(recording.job), "x")
        else:
            await recording.call("SET", names.results(recording.job), "x")

        summary = await talk.line()

    assert summary["complete"] is False
    assert summary["reason"].startswith(gone.replace("lines", "failed"))


async def test_an_idle_follower_is_kept_alive_and_let_go(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress while nothing comes; a client that is gone is not followed for."""
    monkeypatch.setattr(job_results, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(job_results, "LOOK_SECONDS", 0.01)
    recording = await queue.recording()
    async with queue.served.talk() as talk:
        await follow(talk, recording.job)
        for _ in range(3):
            assert await talk.line() == {
                "type": "progress",
                "done": 0,
                "failed": 0,
                "cursor": "0-0",
            }
        talk.vanish()
        await wait_until(lambda: not queue.served.app[keys.READERS])


async def test_redis_that_goes_away_ends_followers_where_they_are(
    serve: Serve, redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor holds when it is back; a short absence is not noticed at all."""
    server = redis_server(appendonly="yes", appendfsync="always")
    served = await serve(redis_url=server.url)
    async with served.talk() as talk:
        redis = connect(served.settings)
        queue = Queue(served, redis)
        recording = await queue.recording()
        await recording.open()
        await recording.feed()
        await recording.commit(0, True)
        await redis.aclose()
        await follow(talk, recording.job)
        assert [(await talk.line())["type"] for _ in range(2)] == ["image", "progress"]
        server.kill()
        with monkeypatch.context() as hasty:
            hasty.setattr(ledger, "WITHIN_SECONDS", 0.3)
            summary = await talk.line()
            (await queue.get(f"/{recording.job}/results")).problem(503)

    assert summary["complete"] is False
    assert summary["reason"] == "Redis does not answer"
    server.start()
    rest = told(await queue.get(f"/{recording.job}/results", after=summary["cursor"]))
    assert (rest[0], rest[1]["rows"]) == ([], 1)


async def test_followers_are_bounded_apart_from_others(serve: Serve, queue: Queue) -> None:
    """As many as MAX_STREAMS, in places of their own; reading what is there needs none of these."""
    common = queue.served.settings
    served = await serve(
        redis_url=common.redis_url, redis_cluster=common.redis_cluster, max_streams=1
    )
    small = Queue(served, queue.redis)
    recording = await small.recording()
    async with served.talk() as talk:
        await follow(talk, recording.job)

        problem = (await small.get(f"/{recording.job}/results", follow="1")).problem(503)
        assert "CENSUS_MAX_STREAMS" in problem["detail"]
        assert told(await small.get(f"/{recording.job}/results"))[0] == []
        assert (await served.ask(json={"images": ["foo"]})).status == 200
        talk.vanish()
        await wait_until(lambda: not served.app[keys.READERS])
    await recording.done((True,))
    assert told(await small.get(f"/{recording.job}/results", follow="1"))[0] == [0]


async def test_readers_are_bounded_too(serve: Serve, queue: Queue) -> None:
    """Each holds results, also one that does not read its answer."""
    common = queue.served.settings
    served = await serve(
        redis_url=common.redis_url, redis_cluster=common.redis_cluster, max_streams=1
    )
    small = Queue(served, queue.redis)
    recording = await small.recording()
    await large(recording, 100)
    path = f"{JOBS}/{recording.job}/results"
    async with served.talk(narrow=True) as talk:
        talk.writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        await served.stuck()

        answer = await small.get(f"/{recording.job}/results")
        assert "CENSUS_MAX_STREAMS" in answer.problem(503)["detail"]
        assert "Retry-After" in answer.headers
        other = await small.recording()
        await other.done((True,))
        assert told(await small.get(f"/{other.job}/results", follow="1"))[0] == [0]
        talk.vanish()
        await wait_until(lambda: not served.app[keys.READERS])
    assert len(told(await small.get(f"/{recording.job}/results"))[0]) == 100


async def test_large_entries_are_read_few_at_once(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small those before them were; one that is larger than that is read alone."""
    monkeypatch.setattr(job_results, "BATCH_BYTES", 256 * 1024)
    recording = await queue.recording()
    await large(recording, 3, size=100)
    await large(recording, 20)
    await large(recording, 2, size=300_000)
    await recording.seal()
    sizes = []
    real = Ledger.results

    async def weighed(self: Ledger, *said: Any) -> Any:
        found = await real(self, *said)
        sizes.append([len(shard.lines) for shard in found])
        return found

    monkeypatch.setattr(Ledger, "results", weighed)

    indices, summary = told(await queue.get(f"/{recording.job}/results"))

    assert (len(indices), summary["complete"]) == (25, True)
    assert len(sizes[0]) == 5
    for one in sizes:
        assert sum(one) <= 256 * 1024 or len(one) == 1


async def test_a_server_that_stops_ends_its_followers(serve: Serve, queue: Queue) -> None:
    """At once, with a summary that says so and a cursor."""
    common = queue.served.settings
    served = await serve(redis_url=common.redis_url, redis_cluster=common.redis_cluster)
    recording = await queue.recording()
    async with served.talk() as talk:
        await follow(talk, recording.job)
        stopping = asyncio.create_task(served.runner.cleanup())

        summary = await talk.line()

        assert (summary["complete"], summary["reason"]) == (False, "draining")
        await stopping


async def test_a_client_that_does_not_read_holds_up_nobody(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even memory: no further results are read for it, and all of them come when it reads."""
    monkeypatch.setattr(job_results, "BATCH_BYTES", 256 * 1024)
    recording = await queue.recording()
    await large(recording, 100)
    await recording.seal()
    reads = 0
    real = Ledger.results

    async def counted(self: Ledger, *said: Any) -> Any:
        nonlocal reads
        reads += 1
        return await real(self, *said)

    monkeypatch.setattr(Ledger, "results", counted)
    async with queue.served.talk(narrow=True) as talk:
        path = f"{JOBS}/{recording.job}/results"
        talk.writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        await queue.served.stuck()
        assert reads < 40

        said = await talk.rest()

    lines = [json.loads(one) for one in said.partition(b"\r\n\r\n")[2].splitlines()]
    assert sum(one["type"] == "image" for one in lines) == 100
    assert lines[-1]["complete"] is True
    assert reads > 40
