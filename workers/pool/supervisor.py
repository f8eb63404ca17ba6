"""Keeps one child process there: starts it, notices its end, buries it, starts the next.

`workers.pool.slot` asks for the child, and says when one has to go. Nothing here knows of items.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any

from imaging.options import Limits
from workers.errors import WorkError
from workers.pool.blame import Death
from workers.pool.process import ChildProcess

__all__ = ["CAUSES", "PoolClosedError", "PoolSettings", "Supervisor"]

logger = logging.getLogger(__name__)

#: A process sent SIGKILL is gone in milliseconds; nobody waits longer than this for one.
REAP_SECONDS = 2.0
#: Between attempts to start a child that does not start: doubled from the first to the last.
RETRY_SECONDS = (0.1, 5.0)
#: The first child of a pool has so many attempts; later ones have no end of them.
FIRST_ATTEMPTS = 3

#: Why a child is replaced. `died`: it ended by itself, or was killed from outside; `timeout`: an
#: item took too long; `memory`: its answer found no room; `recycled`: it did enough, or grew;
#: `abandoned`: whoever asked had left.
CAUSES = ("died", "timeout", "memory", "recycled", "abandoned")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many children, and what each may cost."""

    slots: int
    memory_bytes: int  #: address space above a child's size at start
    item_timeout: float  #: seconds, hard, for each item
    limits: Limits  #: for the callers, who pass them to entry points
    recycle_items: int = 5000  #: a child is replaced after so many items …
    recycle_bytes: int = 256 << 20  #: … or once it holds so much more than at its start
    answer_margin: float = 10.0  #: seconds the parent waits beyond all items' timeouts


class PoolClosedError(WorkError):
    """The pool was closed before it could answer: the work was not done."""


class Supervisor:
    """One child process and its successors, until closed."""

    def __init__(self, settings: PoolSettings, threads: ThreadPoolExecutor) -> None:
        self.deaths = 0  #: children that ended unasked
        self.replaced: Counter[str] = Counter()  #: children that were replaced, by one of CAUSES
        self.failing = False  #: whether the last attempt to start a child failed
        self._settings = settings
        self._threads = threads  # starting and burying block
        self._child: ChildProcess | None = None  # None while the next one starts
        self._starting: ChildProcess | None = None
        self._up = asyncio.Event()  # set while there is a child, and once closed
        self._closed = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def warm(self) -> bool:
        """Whether a child is up."""
        return self._child is not None

    async def open(self) -> None:
        """Start the first child; raises when it does not start."""
        await self._start(FIRST_ATTEMPTS)

    def close(self) -> set[asyncio.Task[Any]]:
        """End everything now, without blocking. Returns the tasks that still tidy up."""
        self._closed.set()
        self._up.set()
        if self._starting is not None:
            self._starting.kill()
        if self._child is not None:
            _ = self._let_go(self._child, None)
        return self._tasks

    async def child(self) -> ChildProcess:
        """The child, once there is one. Raises PoolClosedError when there will be none."""
        while True:
            if self._closed.is_set():
                raise PoolClosedError("the pool is closed")
            if self._child is not None:
                return self._child
            await self._up.wait()

    def replace(self, current: ChildProcess, cause: str) -> None:
        """Kill a child that did nothing wrong; the next one starts meanwhile."""
        if current.burial is None and not self._closed.is_set():
            self.replaced[cause] += 1
        _ = self._let_go(current, None)

    async def ending(self, current: ChildProcess, how: Death | None = None) -> Death:
        """Replace a child that died, or has to (`how` says why); tells how it ended."""
        if self._closed.is_set():
            raise PoolClosedError("the pool was closed")
        return await asyncio.shield(self._let_go(current, how or Death()))

    def _ended(self, current: ChildProcess) -> None:
        """The loop says that a process has ended, at work or idle."""
        _ = self._let_go(current, Death())

    def _let_go(self, current: ChildProcess, how: Death | None) -> asyncio.Future[Death]:
        """Part from a child for good: `how` it had to end, None when it did nothing wrong.

        Whoever notices first arranges the burial; everybody gets the same one.
        """
        if current.burial is not None:
            return current.burial
        asyncio.get_running_loop().remove_reader(current.sentinel)
        current.kill()
        self._child = None
        if not self._closed.is_set():
            self._up.clear()
            # Of no request: whose name is on it would stay on the lines of all later children.
            starting = asyncio.create_task(self._start(), name="pool-start", context=Context())
            self._keep(starting)
        if how is not None:
            self.deaths += 1
        burial = asyncio.create_task(
            self._bury(current, how), name="pool-burial", context=Context()
        )
        current.burial = burial
        self._keep(burial)
        return current.burial

    async def _bury(self, last: ChildProcess, how: Death | None) -> Death:
        loop = asyncio.get_running_loop()
        death = Death()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_SECONDS):
                death = await loop.run_in_executor(self._threads, last.reap)
        if how is None:
            return death
        death = replace(death, stuck=how.stuck, out_of_memory=how.out_of_memory)
        self.replaced[_cause(death)] += 1
        logger.warning(
            "a child process ended and was replaced",
            extra={
                "action": "pool.child_died",
                "pid": last.pid,
                "position": death.position,
                "manner": death.manner,
                "traceback": death.traceback,
            },
        )
        return death

    async def _start(self, attempts: int | None = None) -> None:
        """Start a child: until it is up, the pool closes, or the attempts are used up."""
        loop = asyncio.get_running_loop()
        delay, longest = RETRY_SECONDS
        tried = 0
        while not self._closed.is_set():
            self._starting = newborn = ChildProcess(
                self._settings.memory_bytes, quiet=not logger.isEnabledFor(logging.DEBUG)
            )
            try:
                await loop.run_in_executor(self._threads, newborn.start)
            except asyncio.CancelledError:
                newborn.kill()
                raise
            except Exception as error:
                if self._closed.is_set():
                    return
                tried += 1
                self.failing = True
                logger.exception(
                    "a child process did not start", extra={"action": "pool.start_failed"}
                )
                if tried == attempts:
                    raise RuntimeError("no child process of the pool starts") from error
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._closed.wait()
                delay = min(2 * delay, longest)
                continue
            finally:
                self._starting = None
            self.failing = False
            self._child = newborn
            loop.add_reader(newborn.sentinel, self._ended, newborn)
            if self._closed.is_set():
                _ = self._let_go(newborn, None)
            self._up.set()
            return

    def _keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a background task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _cause(death: Death) -> str:
    if death.out_of_memory:
        return "memory"
    return "timeout" if death.stuck or death.timed_out else "died"
