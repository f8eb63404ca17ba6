"""What a request is called, in numbers, spans and the log: by its method and its route, never by
what its client chose, of which there is no end.
"""

from __future__ import annotations

from aiohttp import web

__all__ = ["WATCHED", "method_of", "route_of"]

#: Paths that are asked for every few seconds by whatever watches the service.
WATCHED = frozenset({"/healthz", "/readyz", "/metrics", "/ping", "/ping/"})

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method_of(request: web.Request) -> str | None:
    """The method; None for one that somebody made up."""
    return request.method if request.method in _METHODS else None


def route_of(request: web.Request) -> str | None:
    """The template of the route, as in `/api/v1/jobs/{id}`; with a slash behind it, it is the same.

    None where there is no such route, or the request was refused before one was looked for.
    """
    try:
        resource = request.match_info.route.resource
    except (AssertionError, AttributeError):  # the library has none before that, and asserts one
        return None
    return None if resource is None else resource.canonical.rstrip("/") or "/"
