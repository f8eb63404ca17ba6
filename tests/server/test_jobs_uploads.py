"""Manifests that are kept for a job: whole, counted, and gone when nobody needs them."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server import bodies
from tests.asserts import wait_until
from tests.redis_servers import RedisServer
from tests.server.recording import ASYNC, Queue, Recording
from tests.server.serving import TSV, Served
from workers.jobs import keys as names
from workers.jobs import ledger
from workers.jobs.ledger import Ledger
from workers.manifest.files import upload_source

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

ROWS = b"id\turl\na\tfoo\nb\tftp://h/x\n"


async def waiting(queue: Queue) -> list[str]:
    """The uploads that jobs in the intake name."""
    return [fields[b"upload"].decode() for fields in await queue.entries()]


@pytest.mark.parametrize(
    ("kind", "coding", "ending"),
    [
        ("text/tab-separated-values", "", "tsv"),
        ("text/csv", "gzip", "csv"),
        ("application/x-ndjson; charset=utf-8", "identity", "ndjson"),
        ("application/vnd.apache.parquet", "", "parquet"),
    ],
)
async def test_a_body_is_kept_as_it_came(queue: Queue, kind: str, coding: str, ending: str) -> None:
    """Without its content coding, of its kind, under a name that only this service gives."""
    sent = gzip.compress(ROWS) if coding == "gzip" else ROWS

    answer = await queue.upload(sent, **{"Content-Type": kind, "Content-Encoding": coding})

    (path,) = queue.uploads()
    assert answer.status == 202
    assert path.read_bytes() == ROWS
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.suffix == f".{ending}"
    assert await waiting(queue) == [path.name]
    upload_source(queue.root, path.name, max_bytes=1 << 20).close()
    state = await queue.state(answer.json()["job"])
    assert (state["manifest"], state["state"]) == ("upload", "queued")


async def test_options_of_an_upload_stand_in_the_query(queue: Queue) -> None:
    """As on a stream; what a job has no use for is named."""
    for query, status in ((b"limit=1", 202), (b"ordered=1", 422), (b"filepath=a", 422)):
        answer = await queue.served.ask(f"{ASYNC}?{query.decode()}", data=ROWS, headers=TSV)
        assert answer.status == status, answer.body
        if status == 422:
            field = query.partition(b"=")[0].decode()
            assert answer.problem(422)["errors"][0]["field"] == field

    ((fields,),) = [await queue.entries()]
    assert fields[b"limit"] == b"1"
    assert len(queue.uploads()) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 422),
        (gzip.compress(ROWS)[:-4], {"Content-Encoding": "gzip"}, 400),
        (ROWS, {"Content-Encoding": "br"}, 415),
    ],
)
async def test_of_a_body_that_is_none_nothing_is_left(
    queue: Queue, body: bytes, headers: dict[str, str], status: int
) -> None:
    """No job, no file."""
    (await queue.upload(body, **headers)).problem(status)

    assert await queue.entries() == []
    assert queue.uploads() == []


async def test_a_body_that_does_not_come_to_its_end_leaves_nothing(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stalled, or its client gone: whatever was written is removed."""
    async with queue.served.talk() as talk:
        await talk.ask(ASYNC, body=ROWS, length=1000, Content_Type="text/csv")
        await wait_until(lambda: [path for path in queue.uploads() if path.stat().st_size])
        talk.vanish()
        await wait_until(lambda: not queue.uploads())
    monkeypatch.setattr(bodies, "STALLED_SECONDS", 0.05)
    async with queue.served.talk() as talk:
        await talk.ask(ASYNC, body=ROWS, length=1000, Content_Type="text/csv")
        (await talk.answer()).problem(408)

    assert await queue.entries() == []
    assert queue.uploads() == []


async def test_kept_manifests_count_until_they_are_removed(serve: Serve, queue: Queue) -> None:
    """MAX_SPOOL_BYTES is of all that lies there, also for streams; MAX_BODY_BYTES of each."""
    common = queue.served.settings
    served = await serve(
        redis_url=common.redis_url,
        redis_cluster=common.redis_cluster,
        max_spool_bytes=1000,
        max_body_bytes=800,
    )
    small = Queue(served, queue.redis)
    rows = b"foo\n" * 150
    first = await small.upload(rows)
    assert first.status == 202

    for _ in range(2):
        (await small.upload(rows)).problem(507)
        (await served.upload(rows)).problem(507)
        assert len(small.uploads()) == 1
    (await small.upload(rows * 2)).problem(413)
    (await small.upload(gzip.compress(rows * 2), **{"Content-Encoding": "gzip"})).problem(413)
    async with served.talk() as talk:
        await talk.ask(ASYNC, body=rows[:300], length=len(rows), Content_Type="text/csv")
        await wait_until(lambda: len(small.uploads()) == 2)
        for path in small.uploads():
            if not path.name.endswith(".part"):
                path.unlink()  # as a consumer does
        talk.writer.write(rows[300:])
        assert (await talk.answer()).status == 202
    small.uploads()[0].unlink()

    assert len((await served.upload(rows)).records()) == 150
    assert (await small.upload(rows)).status == 202
    await small.delete(first.json()["job"])


async def test_the_same_upload_again_is_kept_once(queue: Queue) -> None:
    """Until its job is split the file is there; afterwards the second has no use."""
    headers = {"Idempotency-Key": "k"}
    first = await queue.upload(ROWS, **headers)
    (path,) = queue.uploads()
    again = await queue.upload(ROWS, **headers)
    assert first.json() == again.json()
    assert queue.uploads() == [path]
    assert await waiting(queue) == [path.name]
    for other in (
        await queue.upload(ROWS + b"c\n", **headers),
        await queue.upload(ROWS, **headers, **{"Content-Type": "text/csv"}),
    ):
        assert other.problem(422)["errors"][0]["field"] == "Idempotency-Key"
    assert queue.uploads() == [path]
    recording = Recording(queue.redis, first.json()["job"], queue.root)
    await recording.done((True, True))
    path.unlink()

    assert (await queue.upload(ROWS, **headers)).json() == first.json()

    assert queue.uploads() == []


@pytest.mark.parametrize("end", ["cancel", "delete"])
@pytest.mark.parametrize("begun", [False, True])
async def test_a_job_that_is_ended_takes_its_upload_along(
    queue: Queue, end: str, begun: bool
) -> None:
    """Nobody will split it any more."""
    answer = await queue.upload(ROWS)
    job = answer.json()["job"]
    if begun:
        recording = Recording(queue.redis, job, queue.root)
        await recording.open()
        await recording.feed(1)
    assert len(queue.uploads()) == 1

    await (queue.cancel(job) if end == "cancel" else queue.delete(job))

    assert queue.uploads() == []
    assert await queue.entries() == []


async def test_a_client_that_leaves_while_its_job_is_handed_in_has_one(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole was the upload, so both come to be: never a file without its job."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    real = Ledger.submit

    async def slow(self: Ledger, *said: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await real(self, *said)

    monkeypatch.setattr(Ledger, "submit", slow)
    async with queue.served.talk() as talk:
        await talk.ask(ASYNC, body=ROWS, Content_Type="text/csv")
        await asked.wait()
        server = queue.served.runner.server
        assert server is not None
        talk.vanish()
        await wait_until(lambda: [one for one in server.connections if one.transport is None])
        go_on.set()
        await queue.served.at_rest()

    (path,) = queue.uploads()
    assert await waiting(queue) == [path.name]
    assert path.read_bytes() == ROWS


async def test_a_server_that_stops_removes_no_upload_that_a_job_may_name(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis took the job, and its answer came too late to be waited for."""
    real = Ledger.submit

    async def cut(self: Ledger, *said: Any) -> Any:
        await real(self, *said)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    monkeypatch.setattr(Ledger, "submit", cut)
    async with queue.served.talk() as talk:
        await talk.ask(ASYNC, body=ROWS, Content_Type="text/csv")
        await talk.rest()

    (path,) = queue.uploads()
    assert await waiting(queue) == [path.name]


async def test_an_upload_that_surely_has_no_job_is_removed(queue: Queue) -> None:
    """Redis said so."""
    greatest = "18446744073709551615-18446744073709551615"
    await queue.redis.execute_command("XADD", names.INTAKE, greatest, "foo", "bar")

    (await queue.upload(ROWS)).problem(503)

    assert queue.uploads() == []


async def test_where_redis_is_away_no_upload_is_lost_that_a_job_may_name(
    serve: Serve,
    redis_server: Callable[..., RedisServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Away before: the body is not taken. Away at the end: the answer alone may have been lost."""
    server = redis_server()
    served = await serve(redis_url=server.url)
    folder = served.settings.data_root / ".uploads"
    async with served.talk() as talk:
        await talk.ask(ASYNC, body=ROWS, length=len(ROWS) + 1, Content_Type="text/csv")
        await wait_until(lambda: list(folder.glob("*")))
        server.kill()
        monkeypatch.setattr(ledger, "WITHIN_SECONDS", 0.2)
        talk.writer.write(b"\n")
        assert (await talk.answer()).problem(503)
        assert [path.suffix for path in folder.glob("*")] == [".csv"]
    async with served.talk() as talk:
        await talk.ask(ASYNC, body=ROWS, length=len(ROWS) + 1, Content_Type="text/csv")
        answer = await talk.answer()
        assert int(answer.headers["Retry-After"]) > 0
        answer.problem(503)
    monkeypatch.undo()
    server.start()

    answer = await served.ask(ASYNC, data=ROWS, headers=TSV)

    assert answer.status == 202
    (path,) = folder.glob("*.tsv")
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(ROWS).digest()
