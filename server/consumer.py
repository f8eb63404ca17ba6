"""One consumer process (`python -m workers`) beside the server, started again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context

from workers.settings import PREFIX, WorkSettings

__all__ = ["Consumer", "environment"]

logger = logging.getLogger(__name__)

#: Before a consumer that died is started again: doubled from the first to the last.
AGAIN_SECONDS = (0.5, 30.0)
#: One that lived so long did not die of its start.
SETTLED_SECONDS = 60.0
#: Beyond its own grace.
MARGIN_SECONDS = 5.0
READ_BYTES = 65536


def environment(environ: Mapping[str, str], redis_url: str) -> dict[str, str]:
    """That of a consumer: the server's, without what is the door's alone (the key too)."""
    known = {PREFIX + name.upper() for name in WorkSettings.model_fields}
    ours = {"CENSUS_REDIS_URL": redis_url, "CENSUS_REDIS_CLUSTER": ""}
    kept = {k: v for k, v in environ.items() if k in known or not k.startswith(PREFIX)}
    return kept | ours


class Consumer:
    """The process and its successors, from `start` to `end`."""

    def __init__(self, redis_url: str, grace: float) -> None:
        """*grace*: the seconds a consumer takes for what is under way."""
        self._redis_url = redis_url
        self._grace = grace
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, without waiting."""
        self._keeper = asyncio.create_task(self._keep(), name="consumer", context=Context())

    def stop(self) -> None:
        """Ask it to end (SIGTERM); it hands back what it does not finish."""
        self._stopping.set()
        self._signal("terminate")

    async def end(self) -> None:
        """Wait until it has ended, its grace long; then kill it."""
        if self._keeper is None:
            return
        self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace + MARGIN_SECONDS):
                await asyncio.shield(self._keeper)
            return
        logger.warning("the consumer did not end and is killed", extra={"action": "consumer_kill"})
        self._signal("kill")
        await self._keeper

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        first, longest = AGAIN_SECONDS
        delay = first
        while not self._stopping.is_set():
            began = loop.time()
            try:
                how = f"exit code {await self._run()}"
            except OSError as exc:
                how = str(exc)
            if self._stopping.is_set():
                return
            if loop.time() - began > SETTLED_SECONDS:
                delay = first
            logger.warning(
                "the consumer ended and is started again",
                extra={"action": "consumer_died", "how": how, "in_seconds": delay},
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(2 * delay, longest)

    async def _run(self) -> int:
        """Start one and wait for its end; returns its exit code. Raises OSError."""
        options = [word for option in sys.warnoptions for word in ("-W", option)]
        command = [sys.executable, *options, "-m", "workers", "--until-stdin-closes"]
        process = await asyncio.create_subprocess_exec(
            *command,
            # Closed by the system when this process is gone, however it went.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(os.environ, self._redis_url),
            start_new_session=True,  # Ctrl-C is for the server, which then ends it
        )
        self._process = process
        if self._stopping.is_set():
            self._signal("terminate")
        try:
            await self._listen(process)
            return await process.wait()
        finally:
            self._process = None

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Log its ready line; whatever else it says must not fill the pipe."""
        assert process.stdout is not None  # noqa: S101 - asked for above
        with suppress(ValueError):  # no line, or not JSON
            ready = json.loads(await process.stdout.readline())
            extra = {"action": "consumer_ready", "pid": process.pid, "consumer": ready["consumer"]}
            logger.info("the consumer takes work", extra=extra)
        while await process.stdout.read(READ_BYTES):
            pass

    def _signal(self, how: str) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                getattr(self._process, how)()
