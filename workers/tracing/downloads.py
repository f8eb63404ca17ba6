"""Attempts at URLs → spans, for some of them: one for each picture would cost more than it tells.

Of the rows of a manifest the first hundred have spans, then each hundredth, and what fails has, up
to a bound for each run. A span is made when its attempt is over, so that it is known whether there
is to be one. Nothing of this is sent to the hosts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import time_ns

from yarl import URL

from imaging.facts import Failure
from workers.fetch.lanes import Ticket, Verdict
from workers.fetch.targets import without_userinfo
from workers.tracing.spans import Fact, Here, here

__all__ = ["shown", "traced"]

Attempt = Callable[[Ticket], Awaitable[Verdict]]

FIRST_ROWS = 100
ONE_IN = 100
#: Of a stream or a shard, besides those.
MOST_FAILED = 20


def traced(attempt: Attempt) -> Attempt:
    """*attempt*, with spans below the span around here; itself where that is not recorded."""
    around = here()
    return attempt if around is None else _Traced(attempt, around)


class _Traced:
    """The attempts of one run."""

    def __init__(self, attempt: Attempt, around: Here) -> None:
        self._attempt = attempt
        self._around = around
        self._failed = 0

    async def __call__(self, ticket: Ticket) -> Verdict:
        url, began = ticket.place.url, time_ns()
        verdict = await self._attempt(ticket)
        failed = None
        if isinstance(verdict.outcome, Failure) and verdict.onward is None:
            failed = verdict.outcome.code.value
        if self._wanted(ticket.row.index, failed):
            facts = _facts(ticket, url, verdict)
            self._around.add(
                "GET", facts, kind="CLIENT", began=began, ended=time_ns(), failed=failed
            )
        return verdict

    def _wanted(self, index: int, failed: str | None) -> bool:
        if index < FIRST_ROWS or index % ONE_IN == 0:
            return True
        if failed is None or self._failed == MOST_FAILED:
            return False
        self._failed += 1
        return True


def _facts(ticket: Ticket, url: URL, verdict: Verdict) -> dict[str, Fact]:
    fetch, origin = ticket.fetch, ticket.place.origin
    facts: dict[str, Fact] = {
        "http.request.method": "GET",
        "url.full": shown(str(url)),
        "server.address": origin.host,
        "server.port": origin.port,
        "imagecensus.index": ticket.row.index,
        "imagecensus.attempt": fetch.attempts,
        "imagecensus.requests": fetch.requests,  # ranges, redirects and attempts before, together
        "imagecensus.bytes": fetch.bytes,
    }
    if fetch.status is not None:
        facts["http.response.status_code"] = fetch.status
    if fetch.final_url is not None:
        facts["imagecensus.final_url"] = shown(fetch.final_url)
    if verdict.again is not None:
        facts["imagecensus.again_seconds"] = verdict.again
    return facts


def shown(url: str) -> str:
    """A URL as a span may have it: no userinfo, and of the query only that there is one."""
    bare, _, query = url.partition("#")[0].partition("?")
    return without_userinfo(bare) + ("?…" if query else "")
