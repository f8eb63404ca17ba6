"""A consumer with a real engine: jobs from XADD to their last record."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.asserts import wait_for, wait_until
from tests.picture_hosts import PictureHost
from tests.workers.jobs.conftest import EngineOf, Pictures, Written
from tests.workers.jobs.queues import KIND, SHARDS, Queue
from tests.workers.jobs.running import (
    consuming,
    counted,
    entry_of,
    inspected,
    lines_of,
    plain,
    recorded,
    records_of,
    until_over,
)
from workers.engine import Engine
from workers.jobs import keys
from workers.options import Depth, InfoOptions


async def test_a_job_from_its_entry_to_its_last_record(
    queue: Queue, engine: Engine, picture_host: PictureHost, pictures: Pictures, written: Written
) -> None:
    """The records are those of every other door, byte for byte; progress adds up."""
    urls = [*pictures(14), f"{picture_host}/status/404/x", "foo", f"{picture_host}/html/x"]
    name = written(urls)
    async with consuming(engine):
        job = await queue.added(**entry_of(name))
        told = await until_over(queue, job)
    lines = await lines_of(queue, job)
    assert [plain(line) for line in lines] == await inspected(engine, name)
    records = [orjson.loads(line) for line in lines]
    assert [record["id"] for record in records] == [f"id-{n}" for n in range(17)]
    counted = {"rows": "17", "ok": "14", "done": "5", "fed": "5", "shards": "5", "total": "17"}
    assert told | counted == told
    assert {field for field in told if ":" in field} == {
        *("error:http_status", "status:404", "error:bad_url", "error:not_an_image"),
    }
    content = (Path(engine.settings.data_root) / name).read_bytes()
    assert told["manifest_sha256"] == hashlib.sha256(content).hexdigest()
    assert told["size"] == str(len(content))
    assert int(told["bytes"]) == sum(
        record["fetch"]["bytes"] for record in records if record["fetch"]
    )
    assert int(told["result_bytes"]) == sum(map(len, lines))
    assert await queue.length() == await queue.length(keys.INTAKE) == 0
    assert await queue.pending() == await queue.pending(keys.INTAKE) == []
    assert await queue.dead() == []
    assert sorted(await queue.there(job)) == ["fence", "job", "results"]


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ({}, InfoOptions()),
        ({"limit": 3}, InfoOptions(limit=3)),
        ({"limit": 0}, InfoOptions(limit=0)),
        ({"extra": 1}, InfoOptions(extra=True)),
        ({"thumbnail": 16}, InfoOptions(depth=Depth.FULL, thumbnail=16)),
        ({"depth": "full", "timeout": 9.5}, InfoOptions(depth=Depth.FULL, timeout=9.5)),
    ],
)
async def test_inline_rows_and_options(
    queue: Queue,
    engine: Engine,
    pictures: Pictures,
    said: dict[str, Any],
    options: InfoOptions,
) -> None:
    """As any other door has them."""
    images: list[Any] = [
        *pictures(4),
        *({"id": "ü", "url": url, "colour": ["red", 1]} for url in pictures(2)),
        {"id": "none"},
        7,
    ]
    async with consuming(engine):
        job = await queue.added(kind=KIND, images=orjson.dumps(images), **said)
        told = await until_over(queue, job)
    lines = [plain(line) for line in await lines_of(queue, job)]
    assert lines == await inspected(engine, images, options)
    assert orjson.loads(told["options"]) == options.json()
    assert told["manifest"] == ""


ODD_ROWS = (
    b"a\thttp://h/1\tmore\n"
    b"only one column\n"
    b"\n"
    b"b\t\n"
    b"\thttp://10.0.0.1/\n"
    b"c\tftp://h/x\n"
    b"d\thttp://h/\xff\n"
    b"e\t" + b"x" * 70_000 + b"\n"
    b"f\thttp://user:secret@10.0.0.1/x\r\n"
    b"g\thttp://h/\0\n"
    b"a\t//h/x"
)


@pytest.mark.parametrize("extra", [False, True])
async def test_bad_rows_have_their_record(
    queue: Queue, engine: Engine, written: Written, extra: bool
) -> None:
    """Whatever a row is, and what is wrong with it travels through Redis."""
    name = written(ODD_ROWS)
    async with consuming(engine):
        job = await queue.added(**entry_of(name, extra=int(extra)))
        told = await until_over(queue, job)
    lines = [plain(line) for line in await lines_of(queue, job)]
    assert lines == await inspected(engine, name, InfoOptions(extra=extra))
    assert told["ok"] == "0"
    assert int(told["rows"]) == len(lines) == 10
    assert b"secret" not in b"".join(lines)


@pytest.mark.parametrize("content", [b"", b"\n\n\n"])
async def test_an_empty_manifest_is_done(
    queue: Queue, engine: Engine, written: Written, content: bytes
) -> None:
    """With no rows."""
    name = written(content)
    async with consuming(engine):
        job = await queue.added(**entry_of(name))
        told = await until_over(queue, job)
    assert (told["total"], told["shards"]) == ("0", "0")
    assert await queue.results(job) == []
    assert (await queue.there(job))["job"] > 0


async def test_a_manifest_that_is_not_there(
    queue: Queue, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The job failed and says why, and what to do; so does one whose root is not there."""
    root = Path(engine.settings.data_root)
    async with consuming(engine):
        for fields in (entry_of("no.tsv"), {"kind": KIND, "upload": f"{'0f' * 16}.tsv"}):
            job = await queue.added(**fields)
            told = await until_over(queue, job, "failed")
            assert "the CENSUS_DATA_ROOT of the consumer that took it" in told["reason"]
            assert "--no-intake" in told["reason"]
            assert "uploaded manifest" in told["reason"] or "'no.tsv'" in told["reason"]
            assert (await queue.there(job))["job"] > 0
        root.rmdir()  # noqa: ASYNC240 - an empty folder
        told = await until_over(queue, await queue.added(**entry_of("a.tsv")), "failed")
        assert "the CENSUS_DATA_ROOT of the consumer that took it is not there" in told["reason"]
        assert str(root) not in told["reason"]  # clients read that; the operator has the log
    noted = [one for one in caplog.records if getattr(one, "action", "") == "no_manifest"]
    assert [getattr(one, "data_root", "") for one in noted] == [str(root)] * 3
    assert await queue.dead() == []
    assert await queue.length(keys.INTAKE) == 0


async def test_what_comes_before_the_damage_is_recorded(
    queue: Queue, engine_of: EngineOf, written: Written
) -> None:
    """A file that is cut off fails the job with the rows that could be read."""
    whole = gzip.compress("".join(f"{n}\tfoo-{n}\n" for n in range(9_000)).encode())
    name = written(whole[: len(whole) // 2], "cut.tsv.gz")
    async with engine_of(shard_rows=1000) as engine, consuming(engine):
        job = await queue.added(**entry_of(name))
        told = await until_over(queue, job, "failed")
    assert told["reason"]
    records = await records_of(queue, job)
    assert 0 < len(records) == int(told["rows"]) == int(told["rows_fed"]) < 9_000
    assert [record["index"] for record in records] == list(range(len(records)))


async def test_an_upload_that_inflates_without_end_fails_its_job(
    queue: Queue, engine_of: EngineOf, written: Written
) -> None:
    """Beyond what a body may have; a file that an operator put there may be of any size."""
    packed = gzip.compress(b"foo\n" * 10 + b"\n" * 1_000_000)
    upload = f"{'0f' * 16}.tsv"
    written(packed, f".uploads/{upload}")
    async with engine_of(max_body_bytes=500_000) as engine, consuming(engine):
        told = await until_over(queue, await queue.added(kind=KIND, upload=upload), "failed")
        assert told["reason"] == "the manifest is larger than 500000 bytes"
        assert told["rows"] == "10"
        await until_over(queue, await queue.added(**entry_of(written(packed))))


INTAKE_GARBAGE: list[tuple[Any, ...]] = [
    ("foo", "bar"),
    ("", ""),
    ("kind", "images_info"),
    ("kind", "shard", "job", "1-0", "shard", "0"),
    ("kind", "images_info", "filepath", "../../etc/passwd"),
    ("kind", "images_info", "filepath", "/etc/passwd"),
    ("kind", "images_info", "images", "[" * 5000),
    ("kind", "cancel", "job", "../../etc"),
    ("kind", "cancel", "job", "7-7"),
    (b"\xff\x00", b"\xfe" * 3_000_000),
    tuple(str(number) for number in range(20_000)),
]


async def test_garbage_in_the_intake_goes_to_the_dead_letters(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """With a reason, and once; the job behind it is done."""
    garbage = [await queue.do("XADD", keys.INTAKE, "*", *fields) for fields in INTAKE_GARBAGE]
    async with consuming(engine):
        job = await queue.added(**entry_of(written(pictures(3))))
        await until_over(queue, job)
    dead = await queue.dead()
    assert sorted(one["id"] for one in dead) == sorted(garbage)
    assert all(one["reason"] and one["source"] == keys.INTAKE for one in dead)
    assert all(len(one["raw"]) < 20_000 for one in dead)
    assert await queue.length(keys.INTAKE) == 0
    assert await queue.pending(keys.INTAKE) == []


async def test_garbage_in_the_shards_goes_to_the_dead_letters(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """Shards of nobody, of no job, recorded, not fed yet: no loop, nothing counted twice."""
    urls = pictures(3)
    async with consuming(engine):
        job = await queue.added(**entry_of(written(urls)))
        before = await until_over(queue, job)
        bad: list[tuple[Any, ...]] = [
            ("foo", "bar"),
            ("", ""),
            (b"\xff", b"\xfe" * 3_000_000),
            tuple(str(number) for number in range(20_000)),
            ("job", "../../etc", "shard", "0"),
            ("job", job),
            *(("job", job, "shard", text) for text in ("", "abc", "-1", "9" * 40, "1.0", "²")),
            *(("job", job, "shard", shard) for shard in (1, 2**31 - 1, 2**31)),
        ]
        unheard: list[tuple[Any, ...]] = [
            ("job", "7-7", "shard", "0"),  # of a job that is gone
            ("job", job, "shard", "0"),  # recorded already
            ("job", job, "shard", "0", "rows", "[]"),  # nothing else in it is trusted
        ]
        ids = [await queue.do("XADD", SHARDS, "*", *fields) for fields in (*bad, *unheard)]
        await wait_for(lambda: none_left(queue), 10)
        again = await until_over(queue, await queue.added(**entry_of(written(urls))))
    dead = await queue.dead()
    assert sorted(one["id"] for one in dead) == sorted(ids[: len(bad)])
    assert all(one["reason"] and one["source"] == SHARDS for one in dead)
    assert await queue.job(job) == before
    assert again["rows"] == "3"
    assert await queue.do("STRLEN", keys.fence(job)) == 1
    assert await queue.there("7-7") == {}
    assert await queue.pending() == []


async def none_left(queue: Queue) -> bool:
    return await queue.length() == 0


async def test_what_another_wrote_into_a_job_is_buried(queue: Queue, engine: Engine) -> None:
    """Rows and options that are none: no loop."""
    jobs = [await queue.begun(1) for _ in range(2)]
    await queue.do("HSET", keys.job(jobs[1]), "options", orjson.dumps(InfoOptions().json()))
    async with consuming(engine, intake=False):
        await wait_for(lambda: none_left(queue), 10)
    assert sorted(one["reason"][:20] for one in await queue.dead()) == [
        "the rows of the shar",
        "the rows of the shar",
    ]


async def test_two_consumers_share_a_job(
    queue: Queue, engine_of: EngineOf, picture_host: PictureHost, written: Written
) -> None:
    """Both record some of it."""
    urls = [f"{picture_host}/slow/20/{n}.jpg" for n in range(60)]
    async with (
        engine_of(max_connections=2) as first,
        engine_of(max_connections=2) as second,
        consuming(first, intake=False) as one,
        consuming(second) as two,
    ):
        counts = [counted(running.consumer._runner._recording) for running in (one, two)]
        job = await queue.added(**entry_of(written(urls)))
        told = await until_over(queue, job)
        assert told["rows"] == told["ok"] == "60"
    assert sum(map(len, counts)) == 15
    assert all(counts), counts


async def test_a_small_job_does_not_wait_for_a_large_one(
    queue: Queue,
    engine_of: EngineOf,
    picture_host: PictureHost,
    pictures: Pictures,
    written: Written,
) -> None:
    """Ten rows handed in behind a thousand slow ones are done long before."""
    slow = [f"{picture_host}/slow/20/{n}.jpg" for n in range(1000)]
    async with engine_of(max_connections=2) as engine, consuming(engine):
        large = await queue.added(**entry_of(written(slow, "large.tsv")))
        await wait_for(lambda: recorded(queue, large, 2))
        small = await queue.added(**entry_of(written(pictures(10), "small.tsv")))
        assert (await until_over(queue, small))["rows"] == "10"
        told = await queue.job(large)
        assert told["state"] == "running"
        assert int(told["rows"]) < 500
        await queue.cancel(large)


async def test_jobs_advance_together(
    queue: Queue, engine_of: EngineOf, picture_host: PictureHost, written: Written
) -> None:
    """Each has records when none is half done."""
    slow = [f"{picture_host}/slow/10/{n}.jpg" for n in range(200)]
    async with engine_of(max_connections=4) as engine, consuming(engine):
        jobs = [await queue.added(**entry_of(written(slow))) for _ in range(4)]

        async def all_begun() -> bool:
            return all([await recorded(queue, job, 2) for job in jobs])

        await wait_for(all_begun, 15)
        told = [int((await queue.job(job))["rows"]) for job in jobs]
        assert max(told) < 100, told
        for job in jobs:
            await queue.cancel(job)


async def test_a_job_pauses_at_its_results_and_goes_on(
    queue: Queue, engine_of: EngineOf, pictures: Pictures, written: Written
) -> None:
    """Nothing is lost by it; what was released is not counted any more."""
    async with engine_of(max_redis_results=6000) as engine, consuming(engine):
        job = await queue.added(**entry_of(written(pictures(100))))
        seen: set[int] = set()

        async def paused_or_over() -> str | None:
            told = await queue.job(job)
            waits = "paused" in told and int(told["result_bytes"]) >= 6000
            waits = waits and told["fed"] == told["done"]
            return "paused" if waits else "over" if told.get("state") == "done" else None

        while True:
            held = await wait_for(paused_or_over, 10)
            told, results = await queue.job(job), await queue.results(job)
            assert int(told["result_bytes"]) < 6000 + 10_000  # and what was under way
            seen |= {record["index"] for record in await records_of(queue, job)}
            if held == "over":
                break
            assert told["state"] == "running"
            await queue.release(job, results[-1][0], 1000)
            assert (await queue.job(job))["result_bytes"] == "0"
        assert seen == set(range(100))
        assert (await queue.job(job))["rows"] == "100"


async def test_names_are_removed_on_exit(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """From the groups, and from those who live, who are told of others meanwhile."""
    async with consuming(engine) as running:
        name = running.consumer.name
        told = orjson.loads(await queue.do("HGET", keys.CONSUMERS, name))
        assert told["kinds"] == list(keys.KINDS)
        assert (told["capacity"], told["intake"]) == (1, True)
        for kind in keys.KINDS:
            assert await queue.do("GET", keys.CAPACITY + kind) == "1"
        await until_over(queue, await queue.added(**entry_of(written(pictures(3)))))
    assert await queue.do("HLEN", keys.CONSUMERS) == 0
    for kind in keys.KINDS:
        assert await queue.do("GET", keys.CAPACITY + kind) == "0"
    for stream in (keys.INTAKE, *map(keys.shards, keys.KINDS)):
        assert await queue.redis.execute_command("XINFO CONSUMERS", stream, keys.GROUP) == []


async def test_uploads_are_removed_once_split(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written
) -> None:
    """Also of a job that failed."""
    folder = Path(engine.settings.data_root) / ".uploads"
    folder.mkdir()
    good, bad = f"{'0f' * 16}.tsv", f"{'f0' * 16}.parquet"
    shutil.move(folder.parent / written(pictures(3)), folder / good)
    (folder / bad).write_bytes(b"no parquet")
    async with consuming(engine):
        job = await queue.added(kind=KIND, upload=good)
        told = await until_over(queue, job)
        assert (told["rows"], told["manifest"]) == ("3", "upload")
        await until_over(queue, await queue.added(kind=KIND, upload=bad), "failed")
        await wait_until(lambda: not list(folder.iterdir()))
