"""Who may dial when: rows wait for their host, streams share the connections.

A bounded set of tasks fetches. A free one takes a ticket from the lane that holds the fewest
connections, and in that lane from the next host that grants a permit: a slow host's rows hold up
nobody else's, a stream of slow hosts leaves room for another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from time import monotonic

from imaging.facts import ErrorCode, Failure
from workers.fetch.hosts import Host, Hosts
from workers.fetch.lanes import Lane, Line, Outcome, Ticket, Verdict
from workers.metrics.instruments import Instruments

__all__ = ["Turns"]

logger = logging.getLogger(__name__)


class Turns:
    """The bounded set of fetching tasks, and whose ticket each takes next. One for a process."""

    def __init__(
        self,
        *,
        connections: int,
        per_host: int,
        trusted: frozenset[str],
        instruments: Instruments | None = None,
    ) -> None:
        instruments = instruments or Instruments()
        self._permit_wait = instruments.timings.permit_wait
        self._downloads = instruments.downloads
        self._max = connections
        self._hosts = Hosts(permits=per_host, most_permits=connections, trusted=trusted)
        self._lanes: list[Lane] = []
        self._parked: dict[Host, list[Line]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """Fetching tasks that exist."""
        return len(self._tasks)

    def open_lane(
        self,
        attempt: Callable[[Ticket], Awaitable[Verdict]],
        done: Callable[[Ticket, Outcome], None],
        *,
        timeout: float,
    ) -> Lane:
        """A lane whose tickets go through *attempt*; each one has *timeout* seconds in all."""
        lane = Lane(attempt, done, timeout)
        self._lanes.append(lane)
        return lane

    async def close_lane(self, lane: Lane) -> list[Ticket]:
        """Drop what waits, cancel what is under way; returns the tickets that had begun.

        One that has its outcome all the same, at the same moment, is not among them.
        """
        if lane not in self._lanes:
            return []
        self._lanes.remove(lane)
        lane.closed = True
        begun = [*lane.under_way, *lane.resting]
        for line in list(lane.lines.values()):
            begun += [ticket for ticket in line.tickets if ticket.deadline]
            line.tickets.clear()
            if line.parked:
                self._parked[line.host].remove(line)
            self._drop(line)
        lane.ready.clear()
        for timer in lane.resting.values():
            timer.cancel()
        lane.resting.clear()
        tasks = list(lane.under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        begun = [ticket for ticket in begun if not ticket.over]
        for ticket in begun:
            self._downloads.cancelled(ticket.fetch.bytes)
        return begun

    def add(self, ticket: Ticket, *, first: bool = False) -> None:
        """Queue *ticket*; its lane's `done` is called once, unless `close_lane` returns it."""
        lane, origin = ticket.lane, ticket.place.origin
        ticket.queued = monotonic()
        line = lane.lines.get(origin)
        if line is None:
            host = self._hosts.get(origin)
            host.lines += 1
            line = lane.lines[origin] = Line(lane, host)
            lane.ready.append(line)
        if first:
            line.tickets.appendleft(ticket)
        else:
            line.tickets.append(ticket)
        self._pump()

    def _pump(self) -> None:
        """Start tasks while there is room for one and a ticket for it."""
        while len(self._tasks) < self._max and (ticket := self._next()) is not None:
            # Of no request in particular: a task goes on to the rows of others.
            task = asyncio.create_task(self._work(ticket), context=Context())
            ticket.lane.under_way[ticket] = task
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, ticket))

    def _ended(self, first: Ticket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if first.lane.under_way.get(first) is task:  # cancelled before its first step
            self._settle(first, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a fetching task failed", exc_info=error, extra={"action": "fetch_bug"})
        self._pump()

    def _next(self) -> Ticket | None:
        """The next ticket to work on, its permit granted; tickets of silent hosts end here."""
        while True:
            lane = None
            for other in self._lanes:
                if other.ready and (lane is None or other.held < lane.held):
                    lane = other
            if lane is None:
                return None
            ticket = self._take(lane)
            if ticket is not None:
                return ticket

    def _take(self, lane: Lane) -> Ticket | None:
        """A ticket of *lane*'s next line; None where that line had none to give."""
        line = lane.ready.popleft()
        host = line.host
        now = asyncio.get_running_loop().time()
        while line.tickets:
            if host.busy >= host.permits:
                line.parked = True
                self._parked.setdefault(host, []).append(line)
                return None
            ticket = line.tickets.popleft()
            if ticket.deadline and now >= ticket.deadline:  # no permit came in time to try again
                self._done(ticket, ticket.last)
                continue
            if host.refuses(now):
                self._done(ticket, host.silence())
                continue
            host.busy += 1
            lane.held += 1
            if line.tickets:
                lane.ready.append(line)
            else:
                self._drop(line)
            ticket.host, ticket.granted, ticket.answered = host, now, False
            granted = monotonic()
            self._permit_wait.observe(granted - ticket.queued)
            if not ticket.deadline:
                ticket.started = granted
                ticket.deadline = now + lane.timeout
            return ticket
        self._drop(line)
        return None

    def _drop(self, line: Line) -> None:
        """Forget a line without tickets."""
        del line.lane.lines[line.host.origin]
        line.host.lines -= 1
        self._hosts.tidy(line.host)

    async def _work(self, first: Ticket) -> None:
        """Work on *first*, then on whatever is next, until nothing is."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - always true inside a task
        ticket: Ticket | None = first
        while ticket is not None:
            lane = ticket.lane
            lane.under_way[ticket] = task
            verdict = None
            try:
                verdict = await lane.attempt(ticket)
            except Exception:
                logger.exception("a download raised", extra={"action": "fetch_bug"})
                verdict = Verdict(Failure(ErrorCode.INTERNAL))
            finally:
                self._settle(ticket, verdict)
            ticket = self._next()

    def _settle(self, ticket: Ticket, verdict: Verdict | None) -> None:
        """Give the permit back and pass the verdict on; None: the work was cancelled."""
        lane, host = ticket.lane, ticket.host
        assert host is not None  # noqa: S101 - it granted the permit
        now = asyncio.get_running_loop().time()
        del lane.under_way[ticket]
        lane.held -= 1
        host.busy -= 1
        if verdict is not None:
            host.heard(silent=verdict.silent, now=now, since=ticket.granted)
        else:
            host.probe_at = now  # if it was the probe, the next one is due now
        if host in self._parked:
            for line in self._parked.pop(host):
                line.parked = False
                line.lane.ready.append(line)
        if not host.lines:
            self._hosts.tidy(host)
        if verdict is None:
            return
        if lane.closed and (verdict.onward is not None or verdict.again is not None):
            return  # as if it was cancelled: it cannot go on
        ticket.fetch.ms = (monotonic() - ticket.started) * 1000
        if verdict.onward is not None:
            # Its permit is given back, so nobody waits for a host while holding another.
            ticket.last, ticket.place = verdict.outcome, verdict.onward
            self.add(ticket, first=True)
        elif verdict.again is None:
            self._done(ticket, verdict.outcome)
        else:
            # No permit is held while resting; afterwards it goes before the host's other rows.
            ticket.last, ticket.place, ticket.hops = verdict.outcome, ticket.target, 0
            timer = asyncio.get_running_loop().call_later(verdict.again, self._rested, ticket)
            lane.resting[ticket] = timer

    def _done(self, ticket: Ticket, outcome: Outcome) -> None:
        ticket.over = True
        self._downloads.ended(outcome, ticket.fetch.bytes)
        ticket.lane.done(ticket, outcome)

    def _rested(self, ticket: Ticket) -> None:
        del ticket.lane.resting[ticket]
        self.add(ticket, first=True)
