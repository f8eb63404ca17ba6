"""Who killed the child: pure bookkeeping, from chunks and deaths to one result per item.

`workers.pool.slot` asks for the next chunk to try, tells what became of it, and takes the results.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imaging.facts import ErrorCode, Failure

__all__ = ["Blame", "Death"]


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended while it had a chunk."""

    position: int = -1  #: its last words: the place in the chunk of the item under way
    exit_code: int | None = None  #: as `Process.exitcode` counts: -11 is signal 11
    traceback: str = ""  #: what faulthandler wrote
    stuck: bool = False  #: it did not end: the parent lost patience
    out_of_memory: bool = False  #: it did not end: it could not hand over its answer

    @property
    def timed_out(self) -> bool:
        """Whether the child's own watchdog ended it: no doubt then which item it was."""
        return self.traceback.startswith("Timeout (")

    @property
    def failure(self) -> Failure:
        """What to say of the item that did it."""
        if self.timed_out or self.stuck:
            return Failure(ErrorCode.DECODE_TIMEOUT, "took longer than allowed and was stopped")
        if self.out_of_memory:
            return Failure(ErrorCode.WORKER_DIED, "needs more memory than allowed")
        return Failure(ErrorCode.WORKER_DIED, f"the process ended {self.manner}")

    @property
    def manner(self) -> str:
        """How it ended, for people."""
        if self.stuck:
            return "by the parent, which had waited in vain"
        if self.out_of_memory:
            return "by the parent, as its answer found no memory"
        if self.timed_out:
            return "by its own watchdog"
        if self.exit_code is None:
            return "without a word"
        if self.exit_code >= 0:
            return f"with exit code {self.exit_code}"
        try:
            name = f" ({signal.Signals(-self.exit_code).name})"
        except ValueError:
            name = ""
        return f"by signal {-self.exit_code}{name}"


class Blame:
    """The items of one run: which are still to try, in which chunks, and what became of them.

    An item fails for a death only when it was under way twice, the second time alone: the first
    death may have been another's doing (a heap damaged earlier, a kill from outside).
    """

    def __init__(self, items: int) -> None:
        self.results: list[Any] = [None] * items
        self._chunks = [list(range(items))] if items else []
        self._accused: set[int] = set()

    def next_chunk(self) -> list[int] | None:
        """The items to try next, or None when each has its result."""
        return self._chunks.pop() if self._chunks else None

    def answered(self, chunk: list[int], values: Sequence[Any]) -> None:
        """Take the values of a chunk that came through."""
        for item, value in zip(chunk, values, strict=True):
            self.results[item] = value

    def died(self, chunk: list[int], death: Death) -> None:
        """Decide what a death means: a verdict, one item tried alone, or the chunk in halves."""
        known = 0 <= death.position < len(chunk)
        if not known and len(chunk) > 1:
            half = len(chunk) // 2
            self._chunks += [chunk[half:], chunk[:half]]
            return
        culprit = chunk[death.position if known else 0]
        rest = [item for item in chunk if item != culprit]
        if rest:
            self._chunks.append(rest)
        if death.timed_out or culprit in self._accused:
            self.results[culprit] = death.failure
        else:
            self._accused.add(culprit)
            self._chunks.append([culprit])
