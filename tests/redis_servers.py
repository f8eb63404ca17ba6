"""Real Redis servers for tests: started, frozen, killed, started again on the same files.

A server listens on a unix socket, so that tests in several processes never meet; members of a
cluster need ports, which are free ones of 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["KEEPING", "RedisServer", "cluster", "find_binary", "folder", "started"]

MEMBERS = 2
SLOTS = 16384
SLOTS_AT_ONCE = 1024
#: As the service wants it, or it warns; but nothing here has to survive the machine.
KEEPING = {"appendonly": "yes", "appendfsync": "no", "auto_aof_rewrite_percentage": "0"}
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.005


def find_binary(given: str | None) -> Path:
    """The server program tests run against: the one *given*, else from PATH, else from .venv."""
    names = [given] if given else ["valkey-server", "redis-server"]
    for folder in (None, str(Path(sys.executable).parent)):
        for name in names:
            if found := shutil.which(name, path=folder):
                return Path(found).absolute()
    raise AssertionError(f"there is no {' or '.join(names)}: scripts/venv test takes one")


class RedisServer:
    """One server and its files. `options` are those of redis.conf, `_` for `-`: `maxmemory="4mb"`.

    Without `appendonly="yes"` nothing is kept when it ends.
    """

    def __init__(
        self, binary: Path, folder: Path, options: Mapping[str, str], port: int = 0
    ) -> None:
        self.binary = binary
        self.folder = folder  #: its files; the path must be short, for the socket
        self.port = port  #: 0: a unix socket only
        self.socket = folder / "r.sock"
        self.log = folder / "redis.log"
        self.options = {"save": "", "appendonly": "no", **options}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As CENSUS_REDIS_URL has it."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it answers and has read its files."""
        assert self.process is None, "it runs"
        command = [str(self.binary), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--unixsocket", str(self.socket), "--dir", str(self.folder)]
        command += ["--logfile", str(self.log)]
        for name, value in self.options.items():
            command += [f"--{name.replace('_', '-')}", value]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.folder
        )
        self.wait_until_up()

    def wait_until_up(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until it answers PING."""
        end = time.monotonic() + timeout
        while True:
            with suppress(redis.RedisError, OSError):
                self.call("PING")
                return
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, f"no answer: {self.said()}"
            time.sleep(PAUSE_SECONDS)

    def said(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return "nothing"

    def call(self, *command: str | bytes | int) -> Any:
        """One command on a connection of its own; the reply as redis-py has it, in bytes."""
        with self.client() as client:
            return client.execute_command(*command)

    def client(self) -> redis.Redis:
        """A client that asks once; to be closed."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            password=self.options.get("requirepass"),
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )

    def flush(self) -> None:
        """Forget all data, also scripts."""
        self.call("FLUSHALL")
        self.call("SCRIPT", "FLUSH")

    def kill(self) -> None:
        """End it at once, as the system does when memory is short."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, its files written."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it on the same files."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop its process: connections stay, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Whatever it does, it is gone afterwards."""
        if self.process is not None:
            self.kill()

    def _end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(PATIENCE_SECONDS)
        self.process = None


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of a short name, removed afterwards: pytest's are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="census-r-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def started(binary: Path, **options: str) -> Iterator[RedisServer]:
    """A running server with a folder of its own."""
    with folder() as place:
        server = RedisServer(binary, place, options)
        try:
            server.start()
            yield server
        finally:
            server.close()


@contextmanager
def cluster(binary: Path, **options: str) -> Iterator[list[RedisServer]]:
    """A running cluster of masters, each with a share of the slots. The first may be asked."""
    with ExitStack() as stack:
        servers = []
        for _ in range(MEMBERS):
            place = stack.enter_context(folder())
            ours = {"cluster_enabled": "yes", "cluster_node_timeout": "5000"}
            server = RedisServer(binary, place, ours | options, port=_free_port())
            stack.callback(server.close)
            server.start()
            servers.append(server)
        for number, server in enumerate(servers):
            slots = range(SLOTS * number // MEMBERS, SLOTS * (number + 1) // MEMBERS)
            for first in range(slots.start, slots.stop, SLOTS_AT_ONCE):
                server.call("CLUSTER", "ADDSLOTS", *slots[first - slots.start :][:SLOTS_AT_ONCE])
            server.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            servers[0].call("CLUSTER", "MEET", "127.0.0.1", server.port)
        for server in servers:
            _wait_for_cluster(server)
        yield servers


def _wait_for_cluster(server: RedisServer) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        told = bytes(server.call("CLUSTER", "INFO")).split()
        if b"cluster_state:ok" in told and b"cluster_known_nodes:%d" % MEMBERS in told:
            return
        assert time.monotonic() < end, told
        time.sleep(PAUSE_SECONDS)


def _free_port() -> int:
    """One that is free, as is the port 10,000 above it, where members talk to each other."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 10_000))
                return port
