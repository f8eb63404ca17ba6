"""A Redis of our own: started, adopted, started again, ended by whom it belongs to."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from redis import asyncio as aioredis

from tests import redis_servers
from tests.asserts import wait_until
from workers.errors import EmbeddedRedisError, RedisMissing
from workers.jobs import binary, embedded, tail
from workers.jobs.embedded import embedded_redis
from workers.jobs.home import Home, running_url, socket_path

Owner = AbstractContextManager[tuple[subprocess.Popen[bytes], str]]

#: A server in a process of its own, which can be killed.
OWNER = """
import asyncio, sys
from pathlib import Path
from workers.jobs import embedded

embedded.find_server = lambda: Path(sys.argv[2])

async def main():
    async with embedded.embedded_redis(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def the_binary(redis_binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Redis that is tested against is the one that is found."""
    monkeypatch.setattr(embedded, "find_server", lambda: redis_binary)


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder of a short name; no Redis of it is left, whatever a test does."""
    with redis_servers.folder() as place:
        yield place
        for process in servers(place):
            process.kill()
            process.wait(10)


def servers(var: Path) -> list[psutil.Process]:
    """Every Redis whose files lie below *var*."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            ours = process.cwd().startswith(str(var))
            if ours and process.name().startswith(("redis", "valkey")):
                found.append(process)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


async def ask(url: str, *command: str | bytes | int) -> Any:
    """One command on a connection of its own."""
    async with aioredis.Redis.from_url(url, socket_timeout=5) as client:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def pid(url: str) -> int:
    """The process that answers there."""
    async with aioredis.Redis.from_url(url) as client:
        return int((await client.info("server"))["process_id"])


async def answering(url: str, key: str) -> Any:
    """What a key holds, as soon as a Redis says so."""
    async with asyncio.timeout(20):
        while True:
            with suppress(redis.RedisError, OSError):
                return await ask(url, "GET", key)
            await asyncio.sleep(0.01)


@pytest.fixture
def owner(redis_binary: Path) -> Callable[[Path], Owner]:
    """Start a process that has an embedded Redis; yields it and the URL."""
    return partial(owning, redis_binary)


@contextmanager
def owning(program: Path, var: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process of its own that has an embedded Redis of that program, and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OWNER, str(var), str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().decode().strip()
        finally:
            process.kill()


async def test_it_keeps_what_it_is_told_and_ends_with_its_owner(var: Path) -> None:
    """Append-only, flushed every second, never forgetting for want of memory, no port."""
    async with embedded_redis(var) as url:
        async with aioredis.Redis.from_url(url, decode_responses=True) as client:
            config = await client.config_get("*")
        (server,) = servers(var)
        mode = stat.S_IMODE(socket_path(var).stat().st_mode)
        session = os.getsid(server.pid)
        await ask(url, "SET", "kept", "yes")
    left = servers(var)
    async with embedded_redis(var) as url:
        kept = await ask(url, "GET", "kept")

    assert {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
    }.items() <= config.items()
    assert mode == 0o700
    assert session == server.pid  # no terminal's Ctrl-C reaches it
    assert left == []
    assert kept == b"yes"


async def test_settings_of_the_server_are_not_in_its_environment(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key has no business there. Redis writes over its own: another program tells."""
    monkeypatch.setenv("CENSUS_API_KEY", "secret-secret-secret")
    monkeypatch.setenv("OTHER", "stays")
    telling = var / "redis-server"
    telling.write_text(f"#!/bin/sh\nenv > {var}/said\nexit 1\n")
    telling.chmod(0o755)
    monkeypatch.setattr(embedded, "find_server", lambda: telling)
    with pytest.raises(EmbeddedRedisError):
        async with embedded_redis(var):
            pass

    said = (var / "said").read_text()
    assert "OTHER=stays" in said
    assert "CENSUS_" not in said


async def test_what_a_killed_server_left_is_adopted(
    var: Path, owner: Callable[[Path], Owner]
) -> None:
    """The same process with the same data, not a second one beside it; then it is ours to end."""
    with owner(var) as (process, url):
        await ask(url, "SET", "kept", "yes")
        process.kill()
        process.wait(10)
        (left,) = servers(var)

        async with embedded_redis(var) as again:
            found = await pid(again), await ask(again, "GET", "kept"), servers(var)

    assert again == url
    assert found == (left.pid, b"yes", [left])
    await wait_until(lambda: servers(var) == [])


async def test_a_guest_leaves_it_to_its_owner(var: Path) -> None:
    """Two servers share one; the guest's end is not Redis's, the owner's is."""
    async with embedded_redis(var) as url:
        async with embedded_redis(var) as same:
            assert (same, len(servers(var))) == (url, 1)
            first = await pid(same)

        assert await pid(url) == first
    assert servers(var) == []


async def test_a_guest_that_outlives_the_owner_has_a_redis_and_ends_it(var: Path) -> None:
    """It starts one on the same files as soon as the owner's has gone."""
    async with AsyncExitStack() as ends_late:
        async with embedded_redis(var) as url:
            await ends_late.enter_async_context(embedded_redis(var))
            await ask(url, "SET", "kept", "yes")
            first = await pid(url)

        assert await answering(url, "kept") == b"yes"
        assert await pid(url) != first
    assert servers(var) == []


async def test_a_guest_that_started_it_again_leaves_it_running(
    var: Path, owner: Callable[[Path], Owner]
) -> None:
    """Whoever of the two starts the next one: the guest's end does not end it."""
    with owner(var) as (process, url):
        async with embedded_redis(var):
            os.kill(process.pid, signal.SIGSTOP)  # so that it is the guest who starts it
            os.kill(await pid(url), signal.SIGKILL)
            await answering(url, "none")
        (left,) = servers(var)
        os.kill(process.pid, signal.SIGCONT)

        assert await pid(url) == left.pid
        process.communicate(b"\n", timeout=20)
        assert process.returncode == 0
    await wait_until(lambda: servers(var) == [])


async def test_a_killed_redis_is_started_again_with_its_data(var: Path) -> None:
    """At the same address, every time; what was acknowledged is there."""
    async with embedded_redis(var) as url:
        for number in range(3):
            await ask(url, "SET", f"kept-{number}", "yes")
            os.kill(await pid(url), signal.SIGKILL)

            assert await answering(url, f"kept-{number}") == b"yes"
        assert len(servers(var)) == 1
    assert servers(var) == []


async def test_a_closed_connection_is_not_taken_for_a_death(
    var: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """CLIENT KILL ends the connection by which a death would be noticed: it is made again."""
    async with embedded_redis(var) as url, aioredis.Redis.from_url(url) as client:
        first = await pid(url)
        watching = await others(client)
        await client.client_kill_filter(skipme=True)
        async with asyncio.timeout(10):
            while True:
                again = await others(client)
                if again and again != watching:
                    break
                await asyncio.sleep(0.01)
        assert [line for line in caplog.records if line.levelname == "WARNING"] == []
        await client.set("kept", "yes")
        os.kill(first, signal.SIGKILL)

        assert await answering(url, "kept") == b"yes"  # deaths are noticed as before


async def others(client: aioredis.Redis) -> set[str]:
    """The connections a Redis has besides the one that asks."""
    own = await client.client_id()
    return {listed["id"] for listed in await client.client_list()} - {str(own)}


async def test_two_that_start_at_once_have_one(var: Path) -> None:
    """One starts it, the others wait for it."""
    async with AsyncExitStack() as stack:
        urls = await asyncio.gather(
            *(stack.enter_async_context(embedded_redis(var)) for _ in range(4))
        )

        assert len(set(urls)) == 1
        assert len(servers(var)) == 1
    assert servers(var) == []


@pytest.mark.parametrize("name", ["a b", "ü%20'\"@?#", "l" * 120])
async def test_any_path_has_a_socket(
    name: str, var: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also one that is too long for a socket: a short one stands for it, always the same."""
    place = var / name
    place.mkdir()
    async with embedded_redis(place) as url:
        await ask(url, "SET", "kept", "yes")
        path = socket_path(place)
        assert running_url(place) == url
        # Another TMPDIR: where the socket is stands beside the files.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        async with embedded_redis(place) as same:
            assert same == url

    assert len(os.fsencode(path)) <= 100
    assert path.is_relative_to(place) == (len(name) < 100)
    assert running_url(place) is None


@pytest.mark.parametrize("how", ["open", "link", "file"])
def test_a_socket_is_not_put_where_others_may_enter(
    how: str, tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary folder is everybody's: what stands there already may be a trap."""
    monkeypatch.setattr(tempfile, "tempdir", str(var))
    shared = var / f"census-{os.geteuid()}"
    if how == "open":
        shared.mkdir()
        shared.chmod(0o755)
    elif how == "link":
        (tmp_path / "mine").mkdir(mode=0o700)
        shared.symlink_to(tmp_path / "mine")
    else:
        shared.touch()

    with pytest.raises(EmbeddedRedisError, match=f"census-{os.geteuid()}"):
        socket_path(var / ("l" * 120))


async def test_no_program_is_told_with_what_to_install(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PATH first, beside this Python then, a sentence at last."""
    monkeypatch.setattr(embedded, "find_server", binary.find_server)
    beside = var / "bin"
    beside.mkdir()
    monkeypatch.setenv("PATH", str(var / "path"))
    monkeypatch.setattr(sys, "executable", str(beside / "python"))

    with pytest.raises(RedisMissing, match=r"apt-get install redis-server.*CENSUS_REDIS_URL"):
        async with embedded_redis(var / "var"):
            pass

    for program in (beside / "valkey-server", var / "path" / "redis-server"):
        program.parent.mkdir(exist_ok=True)
        program.touch(mode=0o755)
        assert binary.find_server() == program


@pytest.mark.parametrize("below", ["file", "folder/redis", "folder/redis/owner.lock"])
async def test_a_place_that_cannot_be_written_to_is_told(below: str, var: Path) -> None:
    """With the folder and the setting."""
    wrong = var / below
    wrong.parent.mkdir(parents=True, exist_ok=True)
    if below.endswith("lock"):
        wrong.mkdir()  # a folder where a file is to be
    else:
        wrong.touch()

    with pytest.raises(EmbeddedRedisError, match=r"CENSUS_VAR.*written to"):
        async with embedded_redis(var / below.partition("/")[0]):
            pass


def append_only_file(var: Path) -> Path:
    """The file of the last commands, as this version of Redis names it."""
    (file,) = [
        path for path in (var / "redis").rglob("appendonly.aof*") if path.name.endswith(".aof")
    ]
    return file


async def filled(var: Path) -> Path:
    """Have a Redis write twenty keys, and return its file."""
    async with embedded_redis(var) as url:
        for number in range(20):
            await ask(url, "SET", f"key-{number}", "value")
    return append_only_file(var)


async def test_a_cut_tail_costs_no_more_than_the_tail(var: Path) -> None:
    """A machine that died in the middle of a write."""
    file = await filled(var)
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size - 5)

    async with embedded_redis(var) as url:
        assert await ask(url, "GET", "key-18") == b"value"
        assert await ask(url, "GET", "key-19") is None


#: Three commands, of which some fifty bytes each are written to the file.
SCRIPT = "for number = 1, 3 do redis.call('RPUSH', 'list', ARGV[1] .. number) end"


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[Any]:
    """What was logged of it."""
    return [line for line in caplog.records if getattr(line, "action", "") == action]


@pytest.mark.parametrize("zeros", [0, 1000])
@pytest.mark.parametrize("within", [b"b2", b"*3\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n$2\r\nb2"])
async def test_a_transaction_that_was_torn_is_never_carried_out(
    within: bytes, zeros: int, var: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at the first start nor, with what follows, at the second: in a command, or before it.

    Zeros are where a file system had the length on the disk, and not yet the data.
    """
    async with embedded_redis(var) as url:
        for name in ("a", "b"):
            await ask(url, "EVAL", SCRIPT, 0, name)
    file = append_only_file(var)
    written = file.read_bytes()
    whole = written.rindex(b"*1\r\n$5\r\nMULTI")
    cut = written.index(within, whole)
    file.write_bytes(written[:cut] + b"\0" * zeros)

    async with embedded_redis(var) as url:
        first = await ask(url, "LRANGE", "list", 0, -1)
        await ask(url, "RPUSH", "list", "single")
        await ask(url, "EVAL", SCRIPT, 0, "c")
    async with embedded_redis(var) as url:
        second = await ask(url, "LRANGE", "list", 0, -1)

    assert first == [b"a1", b"a2", b"a3"]
    assert second == [*first, b"single", b"c1", b"c2", b"c3"]
    (repaired,) = told(caplog, "aof_repaired")
    assert (repaired.file, repaired.bytes) == (str(file), cut - whole + zeros)


async def test_only_a_file_not_written_whole_is_checked(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start after an end as it should be does not read everything twice."""
    checked = []

    async def mend(file: Path, *rest: Any) -> bool:
        checked.append(file)
        return await tail.mend(file, *rest)

    monkeypatch.setattr(embedded, "mend", mend)
    file = await filled(var)
    async with embedded_redis(var) as url:
        assert checked == []
        await ask(url, "SET", "kept", "yes")
        os.kill(await pid(url), signal.SIGKILL)
        assert await answering(url, "kept") == b"yes"
        assert checked == [file]


@pytest.mark.parametrize("why", ["a script", "slow"])
async def test_what_cannot_be_checked_is_told_and_read_all_the_same(
    why: str,
    var: Path,
    redis_binary: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A script in the server's place never learns by which name it was called."""
    file = await filled(var)
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size - 5)
    if why == "slow":
        monkeypatch.setattr(tail, "CHECK_SECONDS", -1)
    else:
        script = var / "redis-server"
        script.write_text(f'#!/bin/sh\nexec {redis_binary} "$@"\n')
        script.chmod(0o755)
        monkeypatch.setattr(embedded, "find_server", lambda: script)

    async with embedded_redis(var) as url:
        assert await ask(url, "GET", "key-18") == b"value"
    assert len(told(caplog, "aof_unchecked")) == 1


async def test_a_check_ends_with_who_waits_for_it(
    var: Path, redis_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it runs no Redis may start: it could cut off what that one writes."""
    file = await filled(var)
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size - 5)
    script = var / "redis-server"
    script.write_text(
        f'#!/bin/sh\n[ $# = 1 ] || exec {redis_binary} "$@"\necho > {var}/on\nsleep 60\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(embedded, "find_server", lambda: script)
    monkeypatch.setattr(embedded, "major_version", lambda _: 7)

    async def begin() -> None:
        async with embedded_redis(var):
            await asyncio.Event().wait()

    starting = asyncio.create_task(begin())
    await wait_until((var / "on").exists)
    assert Home(var).take() is None
    starting.cancel()
    await asyncio.wait([starting], timeout=20)

    assert starting.cancelled()
    lock = Home(var).take()
    assert lock is not None
    os.close(lock)


@pytest.mark.parametrize(
    ("there", "instead"),
    [(b"$6\r\nkey-10\r\n$5\r\nvalue", b"X" * 23), (b"$6\r\nkey-10", b"$60000\r\nkey-10")],
    ids=["bytes", "a length beyond the end"],
)
async def test_a_damaged_file_is_told_and_left_as_it_is(
    there: bytes, instead: bytes, var: Path
) -> None:
    """The sentence has the file and what mends it. Redis alone would cut off the second."""
    file = await filled(var)
    damaged = file.read_bytes().replace(there, instead)
    file.write_bytes(damaged)

    with pytest.raises(EmbeddedRedisError, match="redis-check-aof --fix") as told:
        async with embedded_redis(var):
            pass

    assert f"{file} is damaged" in str(told.value)
    assert file.read_bytes() == damaged
    assert servers(var) == []


async def test_files_of_a_newer_redis_are_not_passed_over(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one would begin with nothing, as if no job had ever been there."""
    older = var / "redis-server"
    older.write_text("#!/bin/sh\necho Redis server v=6.2.14 sha=0\n")
    older.chmod(0o755)
    monkeypatch.setattr(embedded, "find_server", lambda: older)
    (var / "redis" / "appendonlydir").mkdir(parents=True)

    with pytest.raises(EmbeddedRedisError, match="written by Redis 7"):
        async with embedded_redis(var):
            pass


async def test_a_redis_that_ends_at_once_is_told_with_its_words(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason was."""
    broken = var / "redis-server"
    broken.write_text("#!/bin/sh\necho 'no such moon' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(embedded, "find_server", lambda: broken)

    with pytest.raises(EmbeddedRedisError, match=r"no such moon.*redis\.log"):
        async with embedded_redis(var):
            pass


async def test_a_silent_holder_of_the_lock_is_told_not_doubled(
    var: Path, owner: Callable[[Path], Owner]
) -> None:
    """A Redis that is stopped may go on one day: a second one would spoil its files."""
    with owner(var) as (process, url):
        server = psutil.Process(await pid(url))
        process.kill()
        process.wait(10)
    server.suspend()
    try:
        with pytest.raises(EmbeddedRedisError, match=r"holds .*redis\.lock"):
            async with embedded_redis(var, patience=0.2):
                pass

        assert servers(var) == [server]
    finally:
        server.resume()


async def test_a_cancelled_start_leaves_nothing(var: Path) -> None:
    """A server that is told to end while Redis still reads its files."""

    async def begin() -> None:
        async with embedded_redis(var):
            await asyncio.Event().wait()

    starting = asyncio.create_task(begin())
    await wait_until(lambda: servers(var) != [])
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert servers(var) == []
