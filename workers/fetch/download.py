"""One attempt at one URL: → facts from its first bytes (`heads`), or its whole body (`bodies`).

Every failure is a value, with what is to be done about it: the next attempt, and when.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import ClientSession

from imaging.facts import ErrorCode, Failure
from workers.fetch.asking import Asking
from workers.fetch.bodies import Bodies
from workers.fetch.connections import AFRESH
from workers.fetch.deadlines import TOO_SLOW, Deadlines, Watched
from workers.fetch.failures import NO_CONNECTION, failure_of
from workers.fetch.heads import Heads
from workers.fetch.lanes import Outcome, Ticket, Verdict
from workers.fetch.memory import Budget
from workers.fetch.opt_out import OptOuts
from workers.fetch.redirects import MovedError
from workers.fetch.retries import seconds_until_next
from workers.metrics.instruments import Timings
from workers.records import Fetch
from workers.settings import WorkSettings

__all__ = ["Downloads"]

logger = logging.getLogger(__name__)


class Downloads:
    """Makes attempts. `header` and `body` are what a `Lane` calls for each ticket."""

    def __init__(
        self, session: ClientSession, settings: WorkSettings, timings: Timings | None = None
    ) -> None:
        opt_outs = OptOuts(settings.user_agent, skip=settings.opt_out == "skip")
        asking = Asking(
            session,
            max_redirects=settings.max_redirects,
            opt_outs=None if settings.opt_out == "off" else opt_outs,
            timings=timings or Timings(),
        )
        most = int(settings.max_image_bytes)
        self._settings = settings
        self._budget = Budget(int(settings.max_inflight_bytes), largest=most)
        self._heads = Heads(asking, max_bytes=most)
        self._bodies = Bodies(asking, self._budget, max_bytes=most)
        self._deadlines = Deadlines(settings.read_timeout, lambda: self._budget.pressed)
        self._patience = min(settings.read_timeout, settings.timeout)

    @property
    def budget(self) -> Budget:
        """Of the memory of bodies."""
        return self._budget

    def header(self, ticket: Ticket) -> Awaitable[Verdict]:
        """An attempt that ends in an ImageInfo or a Failure."""
        return self._attempt(ticket, self._heads.read)

    def body(self, ticket: Ticket) -> Awaitable[Verdict]:
        """An attempt that ends in a Body or a Failure."""
        return self._attempt(ticket, self._bodies.read)

    async def _attempt(
        self, ticket: Ticket, work: Callable[[Ticket, Watched], Awaitable[Outcome]]
    ) -> Verdict:
        fetch = ticket.fetch
        if not ticket.hops:  # else the attempt goes on where it was redirected to
            if fetch.attempts:  # nothing of the attempt before stays, but what it cost
                ticket.fetch = fetch = Fetch(
                    bytes=fetch.bytes, attempts=fetch.attempts, requests=fetch.requests
                )
                ticket.retry_after = 0.0
            fetch.attempts += 1
        outcome: Outcome
        watched = Watched(
            self._deadlines, ticket.lane.under_way[ticket], ticket.deadline, ticket.granted
        )
        # A host that hangs up on kept connections would hang up on each of them in turn.
        kept = AFRESH.set(fetch.attempts > 1 and _no_connection(ticket.last))
        try:
            with watched:
                outcome = await work(ticket, watched)
        except MovedError as moved:
            return Verdict(moved.failure, onward=moved.target)
        except Exception as exc:
            outcome = failure_of(exc, answered=watched.response is not None)
            if outcome.code is ErrorCode.INTERNAL:
                logger.exception("a download raised", extra={"action": "fetch_bug"})
        else:
            if not isinstance(outcome, Failure):
                return Verdict(outcome)
        finally:
            AFRESH.reset(kept)
        now = asyncio.get_running_loop().time()
        # A host is not silent that answered something, or that a client gave less than its time.
        silent = (
            outcome.code is ErrorCode.TIMEOUT
            and not ticket.answered
            and (now - ticket.granted >= self._patience or outcome.message == NO_CONNECTION)
        )
        wait = seconds_until_next(
            outcome,
            attempt=fetch.attempts,
            retries=self._settings.retries,
            asked=ticket.retry_after,
        )
        late = wait is not None and now + wait >= ticket.deadline
        if late or outcome.message == TOO_SLOW:
            wait = None
        return Verdict(outcome, wait, silent)


def _no_connection(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.code is ErrorCode.CONNECT
