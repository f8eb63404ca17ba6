"""Budgets: how much a run may take before it ends early, to go on another day."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing

from imaging.facts import Failure
from scripts.cli.runs.plan import Budget
from workers.fetch.targets import Origin, parse_target
from workers.manifest.rows import Row
from workers.records import Answered

__all__ = ["Spending"]


class Spending:
    """What one run has taken of its budget so far."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._until = None if budget.seconds is None else time.monotonic() + budget.seconds
        self._bytes = 0
        self._hosts: Counter[Origin] = Counter()  # requests; a row that was begun is one
        self._full: set[Origin] = set()
        self.held_back = 0  #: rows that were not begun, of hosts that had their share

    def count(self, answer: Answered) -> None:
        """Take in what a row came to."""
        if answer.fetch is not None:
            self._bytes += answer.fetch.bytes
            if self._budget.requests_per_host is not None and answer.url is not None:
                target = parse_target(answer.url)
                if not isinstance(target, Failure):  # one was counted when it was begun
                    self._hosts[target.origin] += answer.fetch.requests - 1

    @property
    def seconds_left(self) -> float | None:
        """Until the time is over; None: there is no limit."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def spent(self) -> str | None:
        """Why no more rows are begun, if that is so."""
        budget = self._budget
        if self.seconds_left == 0:
            return f"budget: {budget.seconds:g} seconds are over"
        if budget.bytes is not None and self._bytes >= budget.bytes:
            return f"budget: {self._bytes:,} bytes were received, of {budget.bytes:,}"
        return None

    def left_out(self) -> str | None:
        """What became of rows that were not begun, if there are such."""
        if not self.held_back:
            return None
        hosts = len(self._full)
        several = f"{hosts:,} hosts" if hosts > 1 else str(next(iter(self._full)))
        return (
            f"budget: {self.held_back:,} rows were not asked for: {several} had"
            f" {self._budget.requests_per_host:,} requests"
        )

    def within(
        self, rows: AsyncGenerator[Row, None], together: int = 1
    ) -> AsyncGenerator[Row, None]:
        """The rows whose hosts have requests left. Of rows that are begun *together*, so many of
        the manifest, all are given or none: those whose hosts all have.
        """
        most = self._budget.requests_per_host
        return rows if most is None else self._shared(rows, together, most)

    async def _shared(
        self, rows: AsyncGenerator[Row, None], together: int, most: int
    ) -> AsyncGenerator[Row, None]:
        async with aclosing(rows):
            group: list[Row] = []
            async for row in rows:
                if group and row.index // together != group[0].index // together:
                    for ready in self._begun(group, most):
                        yield ready
                    group = []
                group.append(row)
                if (row.index + 1) % together == 0:  # nobody waits for the next one
                    for ready in self._begun(group, most):
                        yield ready
                    group = []
            for ready in self._begun(group, most):
                yield ready

    def _begun(self, group: list[Row], most: int) -> list[Row]:
        """All of *group*, or none."""
        targets = [parse_target(row.url or "") for row in group if row.problem is None]
        origins = [target.origin for target in targets if not isinstance(target, Failure)]
        if full := {origin for origin in origins if self._hosts[origin] >= most}:
            self._full |= full
            self.held_back += len(group)
            return []
        self._hosts.update(origins)
        return group
