"""Around every request: the trace its caller says it belongs to, and one span of ours in it."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from workers.tracing import spans
from workers.tracing.traceparent import HEADER, Traceparent, read_traceparent

__all__ = ["around"]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
#: Asked every few seconds by whatever watches the service.
_WATCHED = frozenset({"/healthz", "/readyz", "/metrics", "/ping", "/ping/"})


async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer *request* by *handler*, in a span that is named by its route."""
    if request.rel_url.raw_path in _WATCHED:
        return await handler(request)
    method = request.method if request.method in _METHODS else "HTTP"
    facts: dict[str, spans.Fact] = {
        "http.request.method": method if method != "HTTP" else "_OTHER",
        "url.scheme": request.scheme,
        "network.protocol.version": f"{request.version.major}.{request.version.minor}",
    }
    with spans.span(method, facts, kind="SERVER", parent=_caller(request)):
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            _routed(request, method)  # its client left, or the server ended
            raise
        _routed(request, method)
        spans.note({"http.response.status_code": response.status})
        if response.status >= 500:
            spans.fail(str(response.status))
        return response


def _routed(request: web.Request, method: str) -> None:
    """Name the span by the route, which there is once the gate let the request in.

    Never by its path: that is its client's to choose, and there is no end of them.
    """
    try:
        resource = request.match_info.route.resource
    except (AssertionError, AttributeError):
        return
    if resource is not None:
        spans.name(f"{method} {resource.canonical}")
        spans.note({"http.route": resource.canonical})


def _caller(request: web.Request) -> Traceparent | None:
    given = request.headers.getall(HEADER, [])
    return read_traceparent(given[0]) if len(given) == 1 else None
