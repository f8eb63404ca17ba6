"""The streams that are open, so that a server that stops can end each with a summary."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from server.problems import RequestError, ShuttingDown
from workers.errors import ManifestError, PredictorAway, PredictorLost
from workers.flow import Flow
from workers.summary import Answering, Summary

__all__ = ["OpenStream", "OpenStreams"]

logger = logging.getLogger(__name__)


R = TypeVar("R", bound=Answering)


class OpenStream(Generic[R]):
    """One answer being written."""

    def __init__(self, flow: Flow[R], kind: str) -> None:
        self._flow = flow
        self.kind = kind
        self.summary = Summary()  #: of the records given out
        self.task = asyncio.current_task()
        self.reason: str | None = None  #: why it was ended early

    async def batches(self, *, idle: float) -> AsyncGenerator[list[R], None]:
        """Records as they come, an empty list each *idle* seconds without.

        Does not raise: what ended them early stands in `reason` then.
        """
        try:
            async for records in self._flow.batches(idle=idle):
                for record in records:
                    self.summary.count(record)
                yield records
        except (ManifestError, PredictorAway, PredictorLost) as exc:
            self.reason = self.reason or f"failed: {exc}"
        except Exception:
            logger.exception("a stream failed", extra={"action": "stream_failed"})
            self.reason = self.reason or "failed: internal error"

    async def end(self, reason: str) -> None:
        """Start no more rows; what is under way is recorded as cancelled."""
        if await self._flow.stop():
            self.reason = reason


class OpenStreams:
    """All of them, at most *most*; once draining, there are no new ones."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._admitted = 0  # requests, also those whose stream has not begun yet
        self._open: set[OpenStream[Any]] = set()
        self._clocks: set[asyncio.Timeout] = set()
        self._rows: Counter[tuple[str, str]] = Counter()  # of streams that have ended
        self.draining = False

    def __len__(self) -> int:
        return len(self._open)

    def check(self) -> None:
        """Raises ShuttingDown while draining."""
        if self.draining:
            raise ShuttingDown

    def check_room(self) -> None:
        """Raises RequestError (503) while as many requests are answered as may be."""
        if self._admitted >= self.most:
            raise RequestError(
                503,
                "the service is full",
                detail=f"{self.most} requests are under way, as many as CENSUS_MAX_STREAMS allows",
            )

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold one of the places. Raises ShuttingDown, or RequestError (503) without one."""
        self.check()
        self.check_room()
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @contextmanager
    def entered(self, flow: Flow[R], kind: str) -> Iterator[OpenStream[R]]:
        """Count a stream of a *kind* among the open ones. Raises ShuttingDown while draining."""
        self.check()
        stream = OpenStream(flow, kind)
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)
            self._rows.update(_counted(stream))

    def rows(self) -> Counter[tuple[str, str]]:
        """Rows that were answered so far, by kind of stream and what they came to."""
        rows = self._rows.copy()
        for stream in self._open:
            rows.update(_counted(stream))
        return rows

    @contextmanager
    def interrupting(self, clock: asyncio.Timeout) -> Iterator[None]:
        """Let *clock* run out when draining begins: inside, a client is waited for."""
        self.check()
        self._clocks.add(clock)
        try:
            yield
        finally:
            self._clocks.discard(clock)

    async def drain(self) -> None:
        """End every stream, and stop waiting for what clients still have to send."""
        self.draining = True
        now = asyncio.get_running_loop().time()
        for clock in self._clocks:
            if not clock.expired():
                clock.reschedule(now)
        await asyncio.gather(*(stream.end("draining") for stream in self._open))

    async def leave(self, grace: float) -> None:
        """Wait for answers to be written; those that are not after *grace* seconds are cut."""
        answers = {stream.task for stream in self._open if stream.task is not None}
        if answers:  # clients that read slowly still have their last lines to come
            _, late = await asyncio.wait(answers, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _counted(stream: OpenStream[Any]) -> dict[tuple[str, str], int]:
    """Rows by kind and outcome: `ok` or an error code."""
    summary = stream.summary
    counted = {(stream.kind, code): count for code, count in summary.errors.items()}
    return counted | {(stream.kind, "ok"): summary.ok}
