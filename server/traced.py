"""Around every request: the trace its caller says it belongs to, and one span of ours in it."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from server.routes import WATCHED, method_of, route_of
from workers.tracing import spans
from workers.tracing.traceparent import HEADER, Traceparent, read_traceparent

__all__ = ["around"]


async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer *request* by *handler*, in a span that is named by its route."""
    if request.rel_url.raw_path in WATCHED:
        return await handler(request)
    method = method_of(request)
    facts: dict[str, spans.Fact] = {
        "http.request.method": method or "_OTHER",
        "url.scheme": request.scheme,
        "network.protocol.version": f"{request.version.major}.{request.version.minor}",
    }
    with spans.span(method or "HTTP", facts, kind="SERVER", parent=_caller(request)):
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            _routed(request)  # its client left, or the server ended
            raise
        _routed(request)
        spans.note({"http.response.status_code": response.status})
        if response.status >= 500:
            spans.fail(str(response.status))
        return response


def _routed(request: web.Request) -> None:
    """Name the span by the route, which there is once the gate let the request in."""
    route = route_of(request)
    if route is not None:
        spans.name(f"{method_of(request) or 'HTTP'} {route}")
        spans.note({"http.route": route})


def _caller(request: web.Request) -> Traceparent | None:
    given = request.headers.getall(HEADER, [])
    return read_traceparent(given[0]) if len(given) == 1 else None
