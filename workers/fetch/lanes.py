"""A stream's rows while they wait and while they are fetched.

Each row is a `Ticket`; tickets stand in a `Line` per host, all lines of a stream in its `Lane`.
Plain state: `turns` moves it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from imaging.facts import Failure, ImageInfo
from workers.fetch.hosts import Host
from workers.fetch.memory import Reservation
from workers.fetch.targets import Origin, Target
from workers.manifest.rows import Row
from workers.records import Fetch

if TYPE_CHECKING:
    from workers.repeats import Follower

__all__ = ["Body", "Lane", "Line", "Outcome", "Ticket", "Verdict"]


class Body(NamedTuple):
    """A whole body in memory, and the reservation to release once it is gone."""

    data: bytes
    room: Reservation


Outcome = ImageInfo | Body | Failure


class Verdict(NamedTuple):
    """What one attempt came to."""

    outcome: Outcome  #: where `again` is set, only if no permit comes in time for it
    again: float | None = None  #: seconds until the next attempt; None: this is the end
    silent: bool = False  #: the host did not answer at all in its time
    onward: Target | None = None  #: where a redirect leads; it goes on there, in its turn


class Ticket:
    """A row on its way through `fetch`. The deadline starts with the first permit."""

    __slots__ = (
        "answered",
        "deadline",
        "fetch",
        "followers",
        "granted",
        "hops",
        "host",
        "key",
        "lane",
        "last",
        "over",
        "place",
        "queued",
        "retry_after",
        "row",
        "started",
        "target",
    )

    last: Outcome  # of the attempt before, once there was one

    def __init__(self, lane: Lane, row: Row, target: Target, key: bytes = b"") -> None:
        self.lane = lane
        self.row = row
        self.target = target
        self.key = key  # what its URL is known by
        self.followers: list[Follower] | None = None  # rows that wait for what it comes to
        self.place = target  # where it is asked for now: redirects to other hosts lead it away
        self.hops = 0  # redirects followed until there
        self.answered = False  # by the host that granted the permit
        self.fetch = Fetch()
        self.host: Host | None = None  # that granted the permit
        self.granted = 0.0  # when, by the loop's clock
        self.queued = 0.0  # when it last began to wait for one, by the clock of `time.monotonic`
        self.started = 0.0  # when it first had one, by the same
        self.deadline = 0.0  # 0: not begun
        self.over = False  # it has its outcome
        self.retry_after = 0.0  # seconds the host asked to wait


class Line:
    """The tickets of one lane for one host."""

    __slots__ = ("host", "lane", "parked", "tickets")

    def __init__(self, lane: Lane, host: Host) -> None:
        self.lane = lane
        self.host = host
        self.tickets: deque[Ticket] = deque()
        self.parked = False  # waits for a permit of its host


class Lane:
    """One stream's rows. `Turns.open_lane` makes it, `Turns.close_lane` ends it."""

    def __init__(
        self,
        attempt: Callable[[Ticket], Awaitable[Verdict]],
        done: Callable[[Ticket, Outcome], None],
        timeout: float,
    ) -> None:
        self.attempt = attempt
        self.done = done
        self.closed = False
        self.timeout = timeout  # seconds, from a ticket's first permit
        self.held = 0  # connections under way
        self.lines: dict[Origin, Line] = {}  # that hold a ticket
        self.ready: deque[Line] = deque()  # of these, not parked
        self.under_way: dict[Ticket, asyncio.Task[None]] = {}
        self.resting: dict[Ticket, asyncio.TimerHandle] = {}  # until their next attempt
