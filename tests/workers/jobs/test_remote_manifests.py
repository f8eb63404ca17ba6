"""Jobs whose manifest lies elsewhere: split as any other, and on where a splitter died."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from tests.asserts import wait_for
from tests.workers.fetch.raw_hosts import answering, head
from tests.workers.jobs.conftest import EngineOf, Written
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import (
    consuming,
    entry_of,
    fed,
    lines_of,
    records_of,
    until_over,
)
from tests.workers.manifest.elsewhere import Shelf, trusted
from workers.engine import Engine
from workers.fetch import retries

ROWS = b"".join(b"id-%d\tfoo\n" % n for n in range(60))
TAG = {"ETag": '"v1"'}


async def test_a_job_over_tls(queue: Queue, engine_of: EngineOf) -> None:
    """From its entry to its last record; nothing of the query is kept."""
    with trusted("127.0.0.1") as tls:
        async with (
            answering(Shelf(ROWS, cuts=[100], **TAG), ssl=tls) as host,
            engine_of(manifest_urls=f"{host.url}/lists") as engine,
            consuming(engine),
        ):
            url = f"{host.url}/lists/list.tsv"
            job = await queue.added(**entry_of(f"{url}?sig=secret"))
            told = await until_over(queue, job)
    assert [record["id"] for record in await records_of(queue, job)] == [
        f"id-{n}" for n in range(60)
    ]
    assert (told["manifest"], told["size"]) == (url, str(len(ROWS)))
    assert told["manifest_sha256"] == hashlib.sha256(ROWS).hexdigest()
    assert not any(b"secret" in dumped for dumped in queue.dump().values())


@pytest.mark.parametrize("changed", [False, True])
async def test_who_takes_over_reads_on(queue: Queue, engine_of: EngineOf, changed: bool) -> None:
    """By Range, and only what has not changed; all is as if nothing had happened."""
    text = b"".join(b"id-%d\tfoo\t%s\n" % (n, b"x" * 30_000) for n in range(60))
    shelves = [Shelf(text, **TAG)]
    async with (
        answering(lambda asked: shelves[-1](asked)) as host,
        engine_of(manifest_urls=host.url) as engine,
    ):
        async with consuming(engine, kinds=["batch_predict"]) as first:
            # Nobody runs its shards, so it is fed two of them and no more.
            job = await queue.added(**entry_of(f"{host.url}/list.tsv"))
            assert await wait_for(lambda: fed(queue, job, 2))
            offset = int((await queue.job(job))["offset"])
            await first.killed()
        if changed:
            shelves.append(Shelf(text, ETag='"v2"'))
        host.asked.clear()
        async with consuming(engine):
            told = await until_over(queue, job, "failed" if changed else "done")
    lines = await lines_of(queue, job)
    if changed:
        assert told["reason"] == "the manifest changed after row 8 was read"
        assert len(lines) == 8
        return
    assert [orjson.loads(line)["id"] for line in lines] == [f"id-{n}" for n in range(60)]
    assert told["manifest_sha256"] == hashlib.sha256(text).hexdigest()
    jump = f'\r\nRange: bytes={offset - 1}-\r\nIf-Range: "v1"\r\n'
    assert [jump.encode() in asked for asked in host.asked] == [False, False, True, False]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://a.example/list.tsv", "CENSUS_MANIFEST_URLS"),
        ("{host}/lists-of-others/list.tsv", "CENSUS_MANIFEST_URLS"),
        ("{host}/lists/list.tsv", "404 Not Found"),
    ],
)
async def test_what_is_not_to_be_had_fails_the_job(
    queue: Queue, engine_of: EngineOf, url: str, said: str
) -> None:
    """Which prefixes are open is for the consumer to say."""
    async with (
        answering(head("404 Not Found")) as host,
        engine_of(manifest_urls=f"{host.url}/lists") as engine,
        consuming(engine),
    ):
        job = await queue.added(**entry_of(url.format(host=host.url)))
        told = await until_over(queue, job, "failed")
    assert said in told["reason"]
    assert "by the consumer" in told["reason"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/list.tsv",
        "https://name:secret@a.example/list.tsv",
        "https://a.example/../list.tsv",
        "https:///list.tsv",
        "s3://bucket/list.tsv?versionId=7",
    ],
)
async def test_what_is_no_url_of_a_manifest_is_a_dead_letter(
    queue: Queue, engine: Engine, url: str
) -> None:
    """It says why, without a password."""
    async with consuming(engine):
        await queue.added(**entry_of(url))
        [letter] = await wait_for(queue.dead)
    assert letter["reason"].startswith("filepath: ")
    assert "secret" not in letter["reason"]


async def test_a_host_that_is_busy_is_asked_again(
    queue: Queue, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is not lost for a moment's failure, whatever `RETRIES` says of pictures."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.01)
    busy = head("503 Busy", Content_Length=0)
    async with (
        answering(busy, busy, Shelf(ROWS, **TAG)) as host,
        engine_of(manifest_urls=host.url, retries=0) as engine,
        consuming(engine),
    ):
        job = await queue.added(**entry_of(f"{host.url}/list.tsv"))
        await until_over(queue, job)
    assert len(await lines_of(queue, job)) == 60


async def test_a_shard_may_end_within_a_batch_line(
    queue: Queue, engine_of: EngineOf, written: Written
) -> None:
    """Whoever takes over reads from the start then, and passes over what was fed."""
    batches = [
        {
            "type": "batch",
            "batch": batch,
            "rows": [{"id": f"id-{6 * batch + n}", "url": "foo"} for n in range(6)],
        }
        for batch in range(10)
    ]
    text = b"".join(orjson.dumps(batch) + b"\n" for batch in batches)
    name = written(text, "batches.ndjson")
    async with engine_of(shard_rows=4) as engine:
        async with consuming(engine, kinds=["batch_predict"]) as first:
            job = await queue.added(**entry_of(name))
            assert await wait_for(lambda: fed(queue, job, 2))
            told = await queue.job(job)
            await first.killed()
        assert (told["rows_fed"], told["offset"]) == ("8", "-1")
        async with consuming(engine):
            told = await until_over(queue, job)
    assert [record["id"] for record in await records_of(queue, job)] == [
        f"id-{n}" for n in range(60)
    ]
    assert told["manifest_sha256"] == hashlib.sha256(text).hexdigest()
