"""The connections themselves: what is no HTTP, clients that say nothing, and how many there may be.

The HTTP library answers a request it cannot parse in plain text and logs a traceback with bytes of
the request in it; and it waits an hour for the rest of a request's head.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import http_exceptions, web

from server import access, traced
from server.gate import Gate
from server.http_counts import HttpCounts
from server.problems import RequestError, problem_of

__all__ = ["Runner"]

logger = logging.getLogger(__name__)

#: From connecting, or from its first byte on a kept connection, a head has so long to be complete.
HEAD_SECONDS = 20.0
#: A connection without a request is kept so long: more than the minute that proxies keep theirs.
KEEP_SECONDS = 75.0
#: So many connections at once. The longest waiting makes room for one more.
MOST_CONNECTIONS = 1000

#: The first that fits.
_REASONS = (
    (http_exceptions.LineTooLong, "a line of the head is longer than 8190 bytes"),
    (http_exceptions.BadStatusLine, "the request line is not HTTP/1"),
    (http_exceptions.InvalidURLError, "the target of the request is no path"),
    (http_exceptions.InvalidHeader, "a header field is not well formed"),
    (http_exceptions.PayloadEncodingError, "the framing of the body is broken"),
)
_WRONG = "the head, the framing or the Host, of which there is one, is not well formed"


class Runner(web.AppRunner):
    """Runs an application behind a gate, on connections of our own kind."""

    def __init__(
        self, app: web.Application, gate: Gate, *, counts: HttpCounts | None = None, **kwargs: Any
    ) -> None:
        """*counts* are told of every request."""
        super().__init__(app, keepalive_timeout=KEEP_SECONDS, **kwargs)
        self._gate = gate
        self._counts = counts or HttpCounts()

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        counts = self._counts

        async def guarded(request: web.Request) -> web.StreamResponse:
            self._gate.check(request)
            return await plain.request_handler(request)

        async def logged(request: web.Request) -> web.StreamResponse:
            return await access.around(request, guarded, counts)

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            assert isinstance(request, web.Request)  # noqa: S101 - what the application makes
            return await traced.around(request, logged)

        return _Listener(
            answer,
            counts,
            request_factory=plain.request_factory,
            handler_cancellation=plain.handler_cancellation,
            **plain._kwargs,  # noqa: SLF001 - the arguments of every connection
        )


class _Listener(web.Server):
    """Makes the connections and counts them."""

    def __init__(self, handler: Any, counts: HttpCounts, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self.counts = counts

    def __call__(self) -> _Connection:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """One more: where they are too many the longest waiting goes, or else this one."""
        super().connection_made(handler, transport)
        if len(self._connections) > MOST_CONNECTIONS:
            waiting = (one for one in self._connections if _waits(one))
            next(waiting, handler).force_close()


class _Connection(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ("_counts", "_head_timer")

    def __init__(self, manager: _Listener, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._counts = manager.counts
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._time_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not _waits(self):
            self._stop_timing()
        elif data and self._head_timer is None:
            self._time_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timing()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - has bytes of the request in it
    ) -> web.StreamResponse:
        """The answer to what the parser does not take, the last one of its connection.

        Whatever an application raises was answered by `access.around`.
        """
        if not isinstance(exc, http_exceptions.HttpProcessingError):
            return super().handle_error(request, status, exc)
        why = next((told for kind, told in _REASONS if isinstance(exc, kind)), _WRONG)
        extra = {"action": "bad_request", "status": status, "reason": why}
        logger.info("what came is not HTTP", extra=extra)
        request_id = access.new_id()
        error = RequestError(status, "the request is not HTTP as it is read here", detail=why)
        response = problem_of(error, request_id)
        access.finish(response, request_id)
        self._counts.not_http(response.status)
        return response

    def _time_head(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _stop_timing(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if _waits(self):
            self.force_close()


def _waits(connection: web.RequestHandler) -> bool:
    """Whether no request is under way: none began, or its head is not complete.

    The library has no word for it. Its task that waits may not have begun to.
    """
    if connection._messages or connection._request_in_progress:  # noqa: SLF001
        return False
    waiter = connection._waiter  # noqa: SLF001
    return waiter is None or not waiter.done()
