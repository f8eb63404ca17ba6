"""`python -m workers`: started, asked to end, and through what becomes of its Redis meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.asserts import pestered, wait_for, wait_until
from tests.picture_hosts import PictureHost
from tests.redis_servers import RedisServer
from tests.workers.jobs import processes
from tests.workers.jobs.processes import WorkerProcess
from tests.workers.jobs.queues import SHARDS, Queue, opened
from tests.workers.jobs.running import entry_of, recorded, records_of, until_over
from workers.jobs import keys
from workers.settings import WorkSettings

Pictures = Callable[[int], list[str]]
Written = Callable[..., str]
Started = Callable[..., AbstractContextManager[WorkerProcess]]
RedisStarted = Callable[..., RedisServer]

#: Ten times what a second of blocking read and the exit take, as the machine may be busy.
SOON = 12.0


@pytest.fixture
def started(tmp_path: Path, redis_url: str, redis_cluster: bool) -> Started:
    """Start a consumer of the session's Redis, or of another."""

    def start(*arguments: str, **settings: str) -> AbstractContextManager[WorkerProcess]:
        ours = {"REDIS_URL": redis_url, "REDIS_CLUSTER": str(redis_cluster)}
        chosen = settings if "REDIS_URL" in settings else ours | settings
        return processes.started(tmp_path, *arguments, **chosen)

    return start


@pytest.fixture
async def own(
    redis_server: RedisStarted, queue_settings: Callable[..., WorkSettings]
) -> AsyncIterator[tuple[RedisServer, Queue]]:
    """A Redis of the test's own, which keeps what it was told, and the queue in it."""
    server = redis_server(appendonly="yes", appendfsync="everysec")
    async with opened(queue_settings(redis_url=server.url), [server]) as queue:
        yield server, queue


async def test_a_closed_terminal_ends_it_but_not_behind_nohup(
    queue: Queue, started: Started, written: Written
) -> None:
    """As asked to; whoever made it deaf to that wants it to go on."""
    name = written(["foo"] * 5)
    with started() as worker:
        await worker.ready()
        beside = psutil.Process(worker.process.pid).children(recursive=True)
        for one in (*beside, worker.process):  # a terminal tells all of them
            one.send_signal(signal.SIGHUP)
        assert worker.process.wait(20) == 0
        assert worker.actions()[-1] == "stopped"
        assert "Traceback" not in worker.log_text()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the child inherits it, as of nohup
    try:
        with started() as worker:
            await worker.ready()
            worker.process.send_signal(signal.SIGHUP)
            await until_over(queue, await queue.added(**entry_of(name)))
            assert worker.process.poll() is None
            assert worker.end() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_from_ready_to_sigterm(
    queue: Queue,
    started: Started,
    pictures: Pictures,
    written: Written,
    redis_url: str,
    redis_cluster: bool,
) -> None:
    """It says that it is there, is found well, works, and leaves nothing behind."""
    name = written(pictures(10))
    settings = {"REDIS_URL": redis_url, "REDIS_CLUSTER": str(redis_cluster)}
    with started() as worker:
        consumer = await worker.ready()
        assert await queue.do("HKEYS", keys.CONSUMERS) == [consumer]
        well = processes.run(module="workers.healthcheck", **settings)
        assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
        told = await until_over(queue, await queue.added(**entry_of(name)))
        assert told["ok"] == "10"
        asked = time.monotonic()
        assert worker.end() == 0
        assert time.monotonic() - asked < SOON
        assert worker.actions()[-1] == "stopped"
        assert "Traceback" not in worker.log_text()
    assert await queue.do("HLEN", keys.CONSUMERS) == 0
    unwell = processes.run(module="workers.healthcheck", **settings)
    assert (unwell.returncode, unwell.stdout) == (1, "")
    assert "no consumer runs on" in unwell.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_further_signals_change_nothing(queue: Queue, started: Started, number: int) -> None:
    """Until there is no process any more that could hear them."""
    with started() as worker:
        await worker.ready()
        assert await asyncio.to_thread(pestered, worker.process, number) == 0
        assert worker.actions()[-1] == "stopped"
        assert "Traceback" not in worker.log_text()
    assert await queue.do("HLEN", keys.CONSUMERS) == 0


def test_it_does_not_start(tmp_path: Path) -> None:
    """With wrong arguments, wrong settings, or without a Redis: exit code 2 and a sentence."""
    here = {"VAR": str(tmp_path)}
    cases: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("--kinds", "images_info,colours"), here, "'colours' is none of images_info"),
        ((), here | {"SHARD_ROWS": "0", "LEASE_SECONDS": "x"}, "CENSUS_LEASE_SECONDS"),
        ((), here | {"REDIS_URL": "http://example.org"}, "CENSUS_REDIS_URL"),
        ((), here, "set CENSUS_REDIS_URL: a server without it brings a Redis"),
    ]
    for arguments, settings, sentence in cases:
        ended = processes.run(*arguments, **settings)
        assert (ended.returncode, ended.stdout) == (2, ""), ended
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr


async def test_without_the_intake_it_runs_shards_only(
    queue: Queue, started: Started, pictures: Pictures, written: Written, tmp_path: Path
) -> None:
    """For hosts that do not see the manifests."""
    waiting = await queue.added(**entry_of(written(pictures(3))))
    with started("--no-intake") as worker:
        await worker.ready()
        entry = await queue.do("XADD", SHARDS, "*", "foo", "bar")
        await wait_for(lambda: buried(queue, entry), 10)
        assert await queue.state(waiting) is None
        assert await queue.pending(keys.INTAKE) == []
        assert worker.end() == 0


async def buried(queue: Queue, entry: str) -> bool:
    return entry in [one["id"] for one in await queue.dead()]


async def test_it_ends_with_whoever_holds_its_input(queue: Queue, started: Started) -> None:
    """As the consumer that a server brings does; what is said is not listened to."""
    with started("--until-stdin-closes") as worker:
        await worker.ready()
        assert worker.process.stdin is not None
        worker.process.stdin.write(b"anything\n")
        worker.process.stdin.flush()
        with pytest.raises(AssertionError):
            await wait_until(lambda: worker.process.poll() is not None, 0.3)
        worker.process.stdin.close()
        assert await wait_until(lambda: worker.process.poll() is not None, SOON)
        assert worker.process.returncode == 0


@pytest.mark.parametrize("redis", ["there", "frozen", "killed"])
async def test_sigterm_under_load(
    own: tuple[RedisServer, Queue],
    started: Started,
    picture_host: PictureHost,
    written: Written,
    redis: str,
) -> None:
    """Within the grace, whatever became of Redis; what is under way is handed back if it can be."""
    server, queue = own
    picture_host.reset()
    grace = 3
    silent = [f"{picture_host}/silent/{n}" for n in range(40)]
    with started(REDIS_URL=server.url, SHUTDOWN_GRACE=str(grace)) as worker:
        consumer = await worker.ready()
        job = await queue.added(**entry_of(written(silent)))
        await wait_until(lambda: picture_host.counts()["in_flight"], 20)
        if redis == "frozen":
            server.freeze()
        if redis == "killed":
            server.kill()
        asked = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.process.wait, 30)
        assert worker.process.returncode == 0
        assert time.monotonic() - asked < 3 * grace
        assert "Traceback" not in worker.log_text()
    if redis == "there":
        assert [one[1:] for one in await queue.pending()] == [(consumer, 0)]
        assert await queue.pending(keys.INTAKE) == [(job, consumer, 0)]
        assert await queue.do("HLEN", keys.CONSUMERS) == 0
        assert "handed_back" in worker.actions()
    if redis == "frozen":
        server.thaw()


async def test_through_a_restart_of_redis(
    own: tuple[RedisServer, Queue], started: Started, picture_host: PictureHost, written: Written
) -> None:
    """Killed under load and started on its files: nothing is lost and nothing twice."""
    server, queue = own
    slow = [f"{picture_host}/slow/10/{n}.jpg" for n in range(80)]
    with started(REDIS_URL=server.url) as worker:
        await worker.ready()
        job = await queue.added(**entry_of(written(slow)))
        for shards in (2, 8):
            await wait_for(lambda shards=shards: recorded(queue, job, shards), 20)  # type: ignore[misc]
            server.restart()
            await queue.dialled_anew()
        told = await until_over(queue, job)
        assert (told["rows"], told["ok"]) == ("80", "80")
        indexes = [record["index"] for record in await records_of(queue, job)]
        assert indexes == list(range(80))
        assert (await queue.length(), await queue.pending()) == (0, [])
        await wait_until(lambda: "redis_back" in worker.actions())
        assert worker.end() == 0


async def test_it_starts_before_redis(
    own: tuple[RedisServer, Queue], started: Started, pictures: Pictures, written: Written
) -> None:
    """And works once that is there; asked to end before, it ends."""
    server, queue = own
    server.kill()
    name = written(pictures(3))
    with started(REDIS_URL=server.url) as worker:
        await wait_until(lambda: "redis_trouble" in worker.actions(), 20)
        assert not worker.is_ready()
        server.start()
        await queue.dialled_anew()
        await worker.ready()
        assert (await until_over(queue, await queue.added(**entry_of(name))))["ok"] == "3"
        server.kill()
        assert worker.end() == 0
    with started(REDIS_URL=server.url, SHUTDOWN_GRACE="3") as worker:
        await wait_until(lambda: worker.actions().count("redis_trouble") > 0, 20)
        assert worker.end() == 0


async def test_it_goes_on_after_a_hand_in_redis(
    queue: Queue, started: Started, pictures: Pictures, written: Written
) -> None:
    """Somebody removed what it stands on: made anew, and the next job is done."""
    name = written(pictures(5))

    async def groups(stream: str) -> None:
        await queue.do("XGROUP DESTROY", stream, keys.GROUP)

    async def streams(stream: str) -> None:
        await queue.do("DEL", stream)

    async def names(stream: str) -> None:
        await queue.do("XGROUP DELCONSUMER", stream, keys.GROUP, consumer)

    async def everything(_: str) -> None:
        for member in queue.members:
            member.flush()

    async def another_type(stream: str) -> None:
        await queue.do("DEL", stream)
        await queue.do("SET", stream, "mine")
        await wait_until(lambda: "redis_trouble" in worker.actions(), 10)
        assert worker.process.poll() is None
        await queue.do("DEL", stream)

    with started() as worker:
        consumer = await worker.ready()
        for removed in (groups, streams, names, everything, another_type):
            for stream in (keys.INTAKE, SHARDS):
                await removed(stream)
            job = await queue.added(**entry_of(name))
            assert (await until_over(queue, job))["ok"] == "5"
        assert worker.end(signal.SIGINT) == 0
        assert "Traceback" not in worker.log_text()
