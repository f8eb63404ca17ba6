"""A Redis of our own: started or adopted, started again when it dies, ended by its owner."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from pathlib import Path

from workers.errors import EmbeddedRedisError
from workers.jobs.binary import ended, environment, find_server, major_version
from workers.jobs.home import Home
from workers.jobs.tail import mend

__all__ = ["embedded_redis"]

logger = logging.getLogger(__name__)

#: Without any answer for so long, a Redis that holds the lock is given up. Loading is an answer.
PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 5.0
PAUSE_SECONDS = 0.02
#: Redis writes its file out and goes; with a disk that takes nothing it would stay.
END_SECONDS = 10.0
#: Before a Redis that died is started again: doubled from the first to the last.
AGAIN_SECONDS = (0.1, 10.0)
#: One that lived so long did not die of its start.
SETTLED_SECONDS = 30.0


@asynccontextmanager
async def embedded_redis(var: Path, *, patience: float = PATIENCE_SECONDS) -> AsyncIterator[str]:
    """The URL of a Redis with its files below *var*, kept alive while the context is open.

    A Redis that is there already, with its lock held, is used: left by a server that was killed,
    or belonging to one that runs. The first server is the owner and ends Redis when it ends; a
    guest leaves it running unless the owner is gone by then.

    Raises:
        RedisMissing: there is none, and no program to start.
        EmbeddedRedisError: it does not start, *var* cannot be written to, or whatever holds the
            lock has not answered for *patience* seconds.
    """
    redis = _Redis(Home(var), patience)
    owner = redis.home.own()
    keeper: asyncio.Task[None] | None = None
    try:
        await redis.up()
        keeper = asyncio.create_task(redis.keep(), name="embedded-redis", context=Context())
        yield redis.home.url
    finally:
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        if owner is None:
            owner = redis.home.own()
        if owner is None:
            redis.leave()
        else:
            await redis.end()
            os.close(owner)


class _Redis:
    """The one process that may work on these files, whoever started it."""

    def __init__(self, home: Home, patience: float) -> None:
        self.home = home
        self._patience = patience
        self._child: subprocess.Popen[bytes] | None = None  # None: adopted, or none yet

    async def up(self) -> None:
        """Return once Redis answers. Raises as `embedded_redis` does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        told = False
        if self._child is not None and self._child.poll() is not None:
            self._child = None  # it ran before; one that ends from here on does not start
        while True:
            if await self._start_if_there_is_none():
                deadline = loop.time() + self._patience
            said = await self._ask(b"PING")
            if said.startswith(b"-LOADING"):
                deadline = loop.time() + self._patience
                if not told:
                    told = True
                    logger.info("Redis reads its file", extra={"action": "redis_loading"})
            elif said:  # also "-MISCONF …": clients wait until the disk takes something again
                return
            if self._child is not None and self._child.poll() is not None:
                self._child = None
                raise EmbeddedRedisError(f"Redis does not start: {self.home.why()}")
            if loop.time() > deadline:
                raise EmbeddedRedisError(
                    f"a process holds {self.home.folder}/redis.lock, but no Redis answers on"
                    f" {self.home.socket}: end that process, or set CENSUS_VAR to another folder"
                )
            await asyncio.sleep(PAUSE_SECONDS)

    async def keep(self) -> None:
        """Start Redis again whenever it dies, until cancelled."""
        loop = asyncio.get_running_loop()
        first, longest = AGAIN_SECONDS
        delay = first
        while True:
            began = loop.time()
            await self._gone()
            if loop.time() - began > SETTLED_SECONDS:
                delay = first
            await asyncio.sleep(delay)
            if await self._ask(b"PING"):  # only the connection had been closed
                continue
            delay = min(2 * delay, longest)
            logger.warning("Redis is gone and is started again", extra={"action": "redis_gone"})
            try:
                await self.up()
            except (EmbeddedRedisError, OSError) as exc:
                logger.error(  # noqa: TRY400 - the sentence is enough
                    "Redis does not come up; it is tried again",
                    extra={"action": "redis_failed", "reason": str(exc)},
                )
            else:
                logger.info("Redis is back", extra={"action": "redis_up"})

    async def end(self) -> None:
        """End Redis, its file written out, and wait until it is gone."""
        child = self._child
        if child is None or child.poll() is not None:  # another process may have started one since
            await self._shut_down()
            return
        child.terminate()
        if await ended(child, END_SECONDS):
            if child.returncode == 0:
                self.home.set_clean()
        else:
            logger.warning("Redis did not end and is killed", extra={"action": "redis_killed"})
            child.kill()
            await ended(child, END_SECONDS)

    def leave(self) -> None:
        """Let a Redis that this process started live on: it has an owner."""
        if self._child is not None and self._child.poll() is None:
            self._child.returncode = 0  # not ours to wait for any more

    async def _start_if_there_is_none(self) -> bool:
        """Whether one was started."""
        if self._child is not None:
            return False
        lock = self.home.take()
        if lock is None:
            return False
        try:
            server = self._server()
            file = self.home.append_only_file()
            whole = file is None or self.home.is_clean() or await mend(file, server, lock)
            self._child = self._started(server, lock, self._flags(whole=whole))
        finally:
            os.close(lock)  # Redis has its own
        return True

    def _server(self) -> Path:
        server = find_server()
        if self.home.split_append_only_file() and (major_version(server) or 7) < 7:
            # It would begin with nothing, beside the jobs.
            raise EmbeddedRedisError(
                f"{self.home.folder} was written by Redis 7 or newer, and {server} is older:"
                " install a newer one, or set CENSUS_VAR to another folder"
            )
        return server

    def _started(self, server: Path, lock: int, flags: list[str]) -> subprocess.Popen[bytes]:
        log = self.home.open_log()
        try:
            child = subprocess.Popen(  # noqa: S603 - no shell
                [server, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home.folder,
                env=environment(),
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is for the server, which then ends Redis
            )
        except OSError as exc:
            raise EmbeddedRedisError(f"{server} cannot be started: {exc.strerror}") from exc
        finally:
            os.close(log)
        extra = {"action": "redis_started", "pid": child.pid, "program": str(server)}
        logger.info("Redis started", extra=extra)
        return child

    def _flags(self, *, whole: bool) -> list[str]:
        return [
            *("--aof-load-truncated", "yes" if whole else "no"),  # not what comes behind damage
            *("--port", "0"),
            *("--unixsocket", str(self.home.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.home.folder), "--logfile", str(self.home.log)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]

    async def _ask(self, command: bytes) -> bytes:
        """The first line of the answer; empty when there is none."""
        try:
            async with (
                asyncio.timeout(min(ANSWER_SECONDS, self._patience)),
                self._connection() as (reader, writer),
            ):
                writer.write(command + b"\r\n")
                return await reader.readline()
        except (OSError, TimeoutError):
            return b""

    async def _gone(self) -> None:
        """Return when the connection to Redis ends."""
        with suppress(OSError):
            async with self._connection() as (reader, _):
                await reader.read()

    async def _shut_down(self) -> None:
        """End a Redis that another process started. SHUTDOWN is answered by the end only."""
        reason = ""
        try:
            async with (
                asyncio.timeout(min(END_SECONDS, self._patience)),
                self._connection() as (reader, writer),
            ):
                writer.write(b"SHUTDOWN NOSAVE\r\n")
                reason = (await reader.readline()).decode(errors="replace").strip()
        except TimeoutError:
            reason = "it does not answer"
        except OSError:
            return  # nobody is there
        if reason:
            logger.warning("Redis stays", extra={"action": "redis_left", "reason": reason})

    @asynccontextmanager
    async def _connection(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_unix_connection(self.home.socket)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
