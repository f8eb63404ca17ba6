"""A place in the pool: items come in, one result per item goes out, whoever dies on the way.

`workers.pool.pool` hands slots out; the pipeline calls `run`. Dead children are the supervisor's
business, finding the culprit is that of `workers.pool.blame`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextvars import Context
from typing import Any

from imaging.facts import ErrorCode, Failure
from workers.metrics.histogram import Histogram
from workers.pool.blame import Blame, Death
from workers.pool.child import Answer
from workers.pool.process import ChildProcess
from workers.pool.supervisor import PoolSettings, Supervisor

__all__ = ["Slot"]

logger = logging.getLogger(__name__)

#: So long a child may go on with what nobody waits for any more, before it is killed: a client that
#: leaves must not cost the next one a child that has its model loaded.
LEAVE_SECONDS = 1.0


class Slot:
    """One child process to oneself. Had from `ImagePool.slot()`."""

    def __init__(self, settings: PoolSettings, supervisor: Supervisor) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._running = False
        self._leaving: asyncio.Task[None] | None = None

    @property
    def leaving(self) -> asyncio.Task[None] | None:
        """What still ends the work of a cancelled caller; None once it is over."""
        return None if self._leaving is None or self._leaving.done() else self._leaving

    async def run(
        self,
        entry: Callable[..., Any],
        items: Sequence[Any],
        *args: Any,
        timed: Histogram | None = None,
        item_timeout: float | None = None,
        leave: float = LEAVE_SECONDS,
    ) -> list[Any]:
        """Run `entry(item, *args)` for each item: its value, or a Failure, in the same order.

        `entry` is a top-level function and everything pickles. Failures are `worker_died`,
        `decode_timeout` and `internal`. The child of a cancelled caller has *leave* seconds to come
        to the end of its chunk, else it is killed: it would burn on. *timed* is told how long each
        item took that came through; one that is None only prepares for others. Raises
        PoolClosedError when the pool closes meanwhile.
        """
        if self._running:
            raise RuntimeError("a slot runs one chunk at a time")
        limit = self._settings.item_timeout if item_timeout is None else item_timeout
        blame = Blame(len(items))
        self._running = True
        try:
            if self.leaving is not None:
                await asyncio.wait({self.leaving})
            while (chunk := blame.next_chunk()) is not None:
                some = [items[i] for i in chunk]
                result = await self._attempt(entry, some, args, limit, leave)
                if isinstance(result, Death):
                    blame.died(chunk, result)
                    continue
                blame.answered(chunk, _values(result))
                if timed is not None:
                    for item, seconds in zip(some, result.seconds, strict=True):
                        if item is not None:
                            timed.observe(seconds)
        finally:
            self._running = False
        return blame.results

    async def _attempt(
        self,
        entry: Callable[..., Any],
        items: list[Any],
        args: tuple[Any, ...],
        limit: float,
        leave: float,
    ) -> Answer | Death:
        """Send one chunk to the child and wait for its answer, or its end."""
        current, future = await self._submit(entry, items, args, limit)
        try:
            async with asyncio.timeout(limit * len(items) + self._settings.answer_margin):
                answer = await _done(future)
        except asyncio.CancelledError:
            left = self._left(current, future, leave)
            self._leaving = asyncio.create_task(left, name="pool-leaving", context=Context())
            raise
        except TimeoutError:
            return await self._supervisor.ending(current, Death(stuck=True))
        except MemoryError:
            return await self._supervisor.ending(current, Death(out_of_memory=True))
        except BrokenExecutor:
            return await self._supervisor.ending(current)
        self._count(current, answer)
        _log_errors(entry, answer)
        return answer

    def _count(self, current: ChildProcess, answer: Answer) -> None:
        """Replace a child that answered enough, or grew too much."""
        current.items += len(answer.values)
        if (
            current.items >= self._settings.recycle_items
            or answer.grown > self._settings.recycle_bytes
            or answer.spent
        ):
            self._supervisor.replace(current, "recycled")

    async def _left(self, current: ChildProcess, future: Future[Answer], seconds: float) -> None:
        """Wait for what nobody wants any more, so long."""
        try:
            async with asyncio.timeout(seconds):
                self._count(current, await _done(future))
        except (Exception, asyncio.CancelledError):  # late, dead already, or the pool closes
            self._supervisor.replace(current, "abandoned")

    async def _submit(
        self, entry: Callable[..., Any], items: list[Any], args: tuple[Any, ...], limit: float
    ) -> tuple[ChildProcess, Future[Answer]]:
        while True:
            current = await self._supervisor.child()
            try:
                return current, current.submit(entry, items, args, limit)
            except BrokenExecutor:  # it died idle, a moment ago: no item's fault
                await self._supervisor.ending(current)


async def _done(future: Future[Answer]) -> Answer:
    """The result of *future*, which stays as it is when we are cancelled.

    `asyncio.wrap_future` would cancel it too, and the executor's own thread raises where it finds
    a cancelled future that it was about to fail.
    """
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def tell(_: Future[Answer]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_set, done)

    future.add_done_callback(tell)
    await done
    return future.result()


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _log_errors(entry: Callable[..., Any], answer: Answer) -> None:
    for position, traceback in answer.tracebacks.items():
        logger.error(
            "an entry point raised an error",
            extra={
                "action": "pool.entry_raised",
                "entry": getattr(entry, "__qualname__", repr(entry)),
                "position": position,
                "traceback": traceback,
            },
        )


def _values(answer: Answer) -> list[Any]:
    return [value if isinstance(value, Failure) else _load(value) for value in answer.values]


def _load(value: bytes) -> Any:
    """A value of an entry point. It came by the executor's own pipe and is trusted as that is."""
    try:
        return pickle.loads(value)  # noqa: S301
    except Exception as error:
        message = "the value cannot be read back"
        with contextlib.suppress(Exception):
            message += f": {error}"[:500]
        return Failure(ErrorCode.INTERNAL, message)
