"""A place in the pool: one child process at a time, replaced whenever it ends.

Items come in, one result per item goes out, whoever dies on the way. `workers.pool` hands slots
out; the pipeline calls `run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from imaging.facts import ErrorCode, Failure
from imaging.options import Limits
from workers.blame import Blame, Death
from workers.errors import WorkError
from workers.process import ChildProcess

__all__ = ["PoolClosedError", "PoolSettings", "Slot"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: A process sent SIGKILL is gone in milliseconds; nobody waits longer than this for one.
REAP_SECONDS = 2.0
#: Between attempts to start a child that does not start: doubled from the first to the last.
RETRY_SECONDS = (0.1, 5.0)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many children, and what each may cost."""

    slots: int
    memory_bytes: int  #: address space above a child's size at start
    item_timeout: float  #: seconds, hard, for each item
    limits: Limits = Limits()  #: for the entry points; the pool itself does not look at them
    recycle_items: int = 5000  #: a child is replaced after so many items …
    recycle_bytes: int = 256 << 20  #: … or once it holds so much more than at its start
    answer_margin: float = 10.0  #: seconds the parent waits beyond all items' timeouts


class PoolClosedError(WorkError):
    """The pool was closed while, or before, something was asked of it."""


class Slot:
    """One child process and its successors. Use one from `ImagePool.slot()`."""

    def __init__(self, settings: PoolSettings, threads: ThreadPoolExecutor) -> None:
        self.deaths = 0  #: children that ended unasked
        self.failing = False  #: whether the last attempt to start a child failed
        self._settings = settings
        self._threads = threads  # starting and burying block
        self._child: ChildProcess | None = None  # None while the next one starts
        self._starting: ChildProcess | None = None
        self._changed = asyncio.Event()  # set while there is a child, or once closed
        self._running = False
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def warm(self) -> bool:
        """Whether a child is up."""
        return self._child is not None

    async def open(self) -> None:
        """Start the first child; raises when it does not start in three attempts."""
        await self._start(attempts=3)

    def close(self) -> set[asyncio.Task[Any]]:
        """End everything now. Returns the tasks that clean up behind it; does not block."""
        self._closed = True
        self._changed.set()
        if self._starting is not None:
            self._starting.kill()
        if self._child is not None:
            self._discard(self._child)
        return self._tasks

    async def run(
        self,
        entry: Callable[..., Any],
        items: Sequence[Any],
        *args: Any,
        item_timeout: float | None = None,
    ) -> list[Any]:
        """Run `entry(item, *args)` for each item: its value, or a Failure, in the same order.

        `entry` is a top-level function and everything pickles. Failures are `worker_died`,
        `decode_timeout` and `internal`. A cancelled caller costs the slot its child, at once: it
        would burn on. Raises PoolClosedError when the pool closes meanwhile.
        """
        if self._running:
            raise RuntimeError("a slot runs one chunk at a time")
        limit = self._settings.item_timeout if item_timeout is None else item_timeout
        blame = Blame(len(items))
        self._running = True
        try:
            while (chunk := blame.next_chunk()) is not None:
                result = await self._attempt(entry, [items[i] for i in chunk], args, limit)
                if isinstance(result, Death):
                    blame.died(chunk, result)
                else:
                    blame.answered(chunk, result)
        finally:
            self._running = False
        return blame.results

    async def _attempt(
        self,
        entry: Callable[..., Any],
        items: list[Any],
        args: tuple[Any, ...],
        limit: float,
    ) -> list[Any] | Death:
        """Send one chunk to the child, and see it through or the child buried."""
        current, future = await self._submit(entry, items, args, limit)
        try:
            async with asyncio.timeout(limit * len(items) + self._settings.answer_margin):
                answer = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self._discard(current)
            raise
        except TimeoutError:
            return await self._bury(current, stuck=True)
        except MemoryError:
            return await self._bury(current, out_of_memory=True)
        except BrokenExecutor:
            return await self._bury(current)
        current.items += len(items)
        for index, traceback in answer.tracebacks.items():
            logger.error(
                "an entry point raised an error",
                extra={
                    "action": "pool.entry_raised",
                    "entry": getattr(entry, "__qualname__", repr(entry)),
                    "position": index,
                    "traceback": traceback,
                },
            )
        if (
            current.items >= self._settings.recycle_items
            or answer.grown > self._settings.recycle_bytes
        ):
            self._discard(current)
        return [value if isinstance(value, Failure) else _load(value) for value in answer.values]

    async def _submit(
        self, entry: Callable[..., Any], items: list[Any], args: tuple[Any, ...], limit: float
    ) -> tuple[ChildProcess, Any]:
        while True:
            while (current := self._child) is None or self._closed:
                if self._closed:
                    raise PoolClosedError("the pool is closed")
                await self._changed.wait()
            try:
                return current, current.submit(entry, items, args, limit)
            except BrokenExecutor:  # died idle, a moment ago: nobody's fault
                await self._bury(current)

    def _discard(self, current: ChildProcess) -> asyncio.Task[Death]:
        """Kill a child and let the next one start meanwhile, so that it is warm when asked for.

        Whoever comes first does it; everybody gets the same task, which tells how it ended.
        """
        if current.burial is None:
            asyncio.get_running_loop().remove_reader(current.sentinel)
            current.kill()
            current.burial = self._spawn(self._reap(current))
            self._child = None
            if not self._closed:
                self._changed.clear()
                self._spawn(self._start())
        return current.burial

    async def _bury(
        self, current: ChildProcess, *, stuck: bool = False, out_of_memory: bool = False
    ) -> Death:
        """Replace a child that died, or never answered, and find out how it ended."""
        if self._closed:
            raise PoolClosedError("the pool was closed")
        if current.burial is None:
            self.deaths += 1
        death = await asyncio.shield(self._discard(current))
        death = replace(death, stuck=stuck, out_of_memory=out_of_memory)
        logger.warning(
            "a child process ended and was replaced",
            extra={
                "action": "pool.child_died",
                "pid": current.pid,
                "position": death.position,
                "manner": death.manner,
                "traceback": death.traceback,
            },
        )
        return death

    async def _reap(self, last: ChildProcess) -> Death:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(REAP_SECONDS):
                return await loop.run_in_executor(self._threads, last.reap)
        except TimeoutError:
            return Death()

    def _ended(self, current: ChildProcess) -> None:
        """The loop says that a process ended. A run under way learns that by itself."""
        asyncio.get_running_loop().remove_reader(current.sentinel)
        if self._running:
            return
        self._spawn(self._bury(current))

    async def _start(self, *, attempts: int | None = None) -> None:
        """Start a child; tries until it is up, the pool closes, or the attempts are used up."""
        loop = asyncio.get_running_loop()
        delay, longest = RETRY_SECONDS
        while not self._closed:
            self._starting = newborn = ChildProcess(
                self._settings.memory_bytes, quiet=not logger.isEnabledFor(logging.DEBUG)
            )
            try:
                await loop.run_in_executor(self._threads, newborn.start)
            except Exception as error:
                if self._closed:
                    return
                self.failing = True
                logger.exception(
                    "a child process did not start", extra={"action": "pool.start_failed"}
                )
                if attempts is not None and (attempts := attempts - 1) <= 0:
                    raise RuntimeError("no child process of the pool starts") from error
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._changed.wait()  # closed: no use in waiting longer
                delay = min(2 * delay, longest)
                continue
            except asyncio.CancelledError:
                newborn.kill()
                raise
            finally:
                self._starting = None
            self.failing = False
            self._child = newborn
            loop.add_reader(newborn.sentinel, self._ended, newborn)
            self._changed.set()
            if self._closed:
                self.close()
            return

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something in the background; the task is kept until it is done."""
        task = asyncio.create_task(work, name=f"pool-{work.__name__.strip('_')}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _load(value: bytes) -> Any:
    """A value of an entry point. It comes by the executor's own pipe, as trusted as that."""
    try:
        return pickle.loads(value)  # noqa: S301
    except Exception as error:
        with contextlib.suppress(Exception):
            return Failure(ErrorCode.INTERNAL, f"the value cannot be read: {error}")
        return Failure(ErrorCode.INTERNAL, "the value cannot be read")
