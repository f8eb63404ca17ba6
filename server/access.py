"""Around every request: an id in all its log lines, one line at its end, errors as problems."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from server.problems import ShuttingDown, problem_of

__all__ = ["around", "name_response"]

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
REQUEST_ID = web.RequestKey("request_id", str)

_GOOD_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
#: Asked every few seconds by whatever watches the service.
_QUIET = frozenset({"/healthz", "/readyz", "/ping", "/ping/"})


@web.middleware
async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, answer errors, log the end."""
    given = request.headers.get(HEADER, "")
    request_id = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
    request[REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    began = time.monotonic()
    try:
        try:
            response = await handler(request)
        except ConnectionError as exc:
            # The client is gone and the handler's cancellation comes second: the same end.
            raise asyncio.CancelledError from exc
        except Exception as exc:
            response = problem_of(exc, request_id)
            if response.status >= 500 and not isinstance(exc, ShuttingDown):
                logger.exception("a request failed", extra={"action": "request_failed"})
            if request.writer.output_size:
                # Half an answer cannot become a problem; cut off, nobody takes it for whole.
                raise asyncio.CancelledError from exc
    except asyncio.CancelledError:
        _log(request, "cut", began, None)
        raise
    _log(request, "request", began, response.status)
    return response


def _log(request: web.Request, action: str, began: float, status: int | None) -> None:
    """The one line of a request: `cut` where its client left, or the server ended."""
    extra = {
        "action": action,
        "method": request.method,
        "path": request.path,
        "status": status,
        "ms": round((time.monotonic() - began) * 1000, 1),
    }
    level = logging.DEBUG if request.path in _QUIET else logging.INFO
    logger.log(level, "answered" if status else "cut off", extra=extra)


async def name_response(request: web.Request, response: web.StreamResponse) -> None:
    """Send the request's id back, on streams too. For `on_response_prepare`."""
    if REQUEST_ID in request:
        response.headers[HEADER] = request[REQUEST_ID]
    response.headers["X-Content-Type-Options"] = "nosniff"
