"""Downloads for tests: session, turns and lane put together as the pipeline does it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

from imaging.facts import Failure, ImageInfo
from workers.changes import Earlier
from workers.fetch.download import Downloads
from workers.fetch.lanes import Lane, Outcome, Ticket
from workers.fetch.session import open_session
from workers.fetch.targets import parse_target
from workers.fetch.turns import Turns
from workers.manifest.rows import Row
from workers.records import Fetch
from workers.settings import WorkSettings

__all__ = ["Answered", "Fetcher", "Names", "Outcomes", "failure", "fetching", "info", "resolving"]

Outcomes = list[Outcome]


class Answered(NamedTuple):
    """What a URL came to, and how it was got."""

    outcome: Outcome
    fetch: Fetch


class Names(AbstractResolver):
    """A resolver that knows some names, and which were asked for."""

    def __init__(self, known: Mapping[str, list[str] | OSError]) -> None:
        self.known = dict(known)
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - of the protocol
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.known.get(host, socket.gaierror(socket.EAI_NONAME, "Name not known"))
        if isinstance(found, OSError):
            raise found
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


def resolving(known: Mapping[str, list[str] | OSError]) -> Names:
    """A resolver of these names: their addresses, or the error a look-up ends in."""
    return Names(known)


class Fetcher:
    """Fetches URLs in one lane; made by `fetching`."""

    def __init__(self, downloads: Downloads, turns: Turns, *, body: bool, timeout: float) -> None:
        self.turns = turns
        self.downloads = downloads
        self._waiting: dict[Ticket, asyncio.Future[Outcome]] = {}
        self.lane: Lane = turns.open_lane(
            downloads.body if body else downloads.header, self._done, timeout=timeout
        )

    def _done(self, ticket: Ticket, outcome: Outcome) -> None:
        self._waiting.pop(ticket).set_result(outcome)

    async def answers(self, *urls: str) -> list[Answered]:
        """Fetch them all at once."""
        return list(await asyncio.gather(*(self.one(url) for url in urls)))

    async def __call__(self, *urls: str) -> Outcomes:
        """Fetch them all at once: what they came to."""
        return [outcome for outcome, _ in await self.answers(*urls)]

    async def one(self, url: str, before: Earlier | None = None) -> Answered:
        """Fetch a URL, of which an earlier census found *before*."""
        target = parse_target(url)
        if isinstance(target, Failure):
            return Answered(target, Fetch())
        ticket = Ticket(self.lane, Row(0, "0", url, before=before), target)
        coming = self._waiting[ticket] = asyncio.get_running_loop().create_future()
        self.turns.add(ticket)
        return Answered(await coming, ticket.fetch)


@asynccontextmanager
async def fetching(
    settings: WorkSettings, *, resolver: AbstractResolver | None = None, body: bool = False
) -> AsyncIterator[Fetcher]:
    """Everything a download needs; checks at the end that nothing is left under way."""
    async with open_session(settings, resolver=resolver) as session:
        turns = Turns(
            connections=settings.max_connections,
            per_host=settings.max_connections_per_host,
            trusted=settings.trusted_hosts,
        )
        fetcher = Fetcher(Downloads(session, settings), turns, body=body, timeout=settings.timeout)
        try:
            yield fetcher
        finally:
            await turns.close_lane(fetcher.lane)
            assert turns.busy == 0


def info(outcome: object) -> ImageInfo:
    """The facts that an outcome must be."""
    assert isinstance(outcome, ImageInfo), outcome
    return outcome


def failure(outcome: object) -> Failure:
    """The failure that an outcome must be."""
    assert isinstance(outcome, Failure), outcome
    return outcome
