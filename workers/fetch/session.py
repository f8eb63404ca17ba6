"""The one ClientSession every download goes through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, hdrs
from aiohttp.abc import AbstractResolver

from workers.fetch.connections import Connections
from workers.fetch.guard import socket_factory
from workers.fetch.names import CachedFailures, ThreadedNames
from workers.metrics.instruments import Timings
from workers.settings import WorkSettings

__all__ = ["open_session"]

_NAMES_KEPT = 60  # seconds
_IDLE_KEPT = 15.0  # seconds an unused connection stays open


@asynccontextmanager
async def open_session(
    settings: WorkSettings,
    *,
    resolver: AbstractResolver | None = None,
    timings: Timings | None = None,
) -> AsyncIterator[ClientSession]:
    """A session that dials public addresses only, keeps no cookies and trusts no proxy.

    There is no limit per host here: rows wait for their host in `turns`, not in the connector,
    where one slow host's would hold up all others; of connections nobody uses, as many are kept
    as may be used. Bodies come as they are sent (identity is
    asked for, nothing is inflated). *resolver* stands in for the system's. Look-ups and handshakes
    are timed by *timings*.
    """
    timings = timings or Timings()
    names = CachedFailures(resolver or ThreadedNames(), timings.dns)
    connector = Connections(
        most_idle=settings.max_connections,
        connecting=timings.connect,
        limit=0,
        limit_per_host=0,
        resolver=names,
        ttl_dns_cache=_NAMES_KEPT,
        keepalive_timeout=_IDLE_KEPT,
        socket_factory=socket_factory(settings.allow_networks),
    )
    session = ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={
            hdrs.USER_AGENT: settings.user_agent,
            hdrs.ACCEPT: "*/*",
            hdrs.ACCEPT_ENCODING: "identity",
        },
        # Reading is timed by `deadlines`, all downloads with one timer.
        timeout=ClientTimeout(total=None, sock_connect=settings.connect_timeout),
    )
    try:
        yield session
    finally:
        await session.close()
        await connector.close()
        await names.close()
