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

from server.http_counts import HttpCounts
from server.problems import problem_of
from server.routes import WATCHED, route_of
from workers.tracing import spans

__all__ = ["around", "finish", "finish_stream", "new_id"]

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
REQUEST_ID = web.RequestKey("request_id", str)

_GOOD_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
#: Sent with every answer that says nothing else. Nothing here is a page of its own, nothing may be
#: kept, or read by pages of other sites; there are no CORS fields.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LONGEST_PATH = 500
#: Routes of the page and of what belongs to it: a look at it is a dozen of them.
_PAGE = frozenset({"/", "/docs", "/docs/", "/static/{path}"})


def new_id() -> str:
    """For a request that brings none."""
    return uuid.uuid4().hex


async def around(request: web.Request, handler: Handler, counts: HttpCounts) -> web.StreamResponse:
    """Give the request its id, answer errors, log and count the end.

    Around the application, not a middleware in it: what the router and the answer to `Expect` raise
    is answered alike.
    """
    given = request.headers.get(HEADER, "")
    request_id = given if _GOOD_ID.fullmatch(given) else new_id()
    request[REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, **spans.logged())
    began = time.monotonic()
    try:
        try:
            response = await handler(request)
        except ConnectionError as exc:
            # The client is gone and the handler's cancellation comes second: the same end.
            raise asyncio.CancelledError from exc
        except Exception as exc:
            response = problem_of(exc, request_id)
            if response.status == 500:
                logger.exception("a request failed", extra={"action": "request_failed"})
            elif response.status == 507:  # the operator's to mend
                logger.warning("no room for an upload", extra={"action": "full", "why": str(exc)})
            if "Expect" in request.headers and not request.content.is_eof():
                response.force_close()  # whether the body is on its way, only its client knows
            if request.writer.output_size:
                # Half an answer cannot become a problem; cut off, nobody takes it for whole.
                raise asyncio.CancelledError from exc
    except asyncio.CancelledError:
        _log(request, "cut", began, None)
        counts.answered(request, None, time.monotonic() - began)
        raise
    _log(request, "request", began, response.status)
    counts.answered(request, response.status, time.monotonic() - began)
    if not response.prepared:
        finish(response, request_id)
    return response


def _log(request: web.Request, action: str, began: float, status: int | None) -> None:
    """The one line of a request: `cut` where its client left, or the server ended."""
    extra = {
        "action": action,
        "method": request.method,
        "path": _path(request),
        "status": status,
        "ms": round((time.monotonic() - began) * 1000, 1),
    }
    quiet = request.path in WATCHED or (
        status is not None and status < 400 and route_of(request) in _PAGE
    )
    logger.log(
        logging.DEBUG if quiet else logging.INFO, "answered" if status else "cut off", extra=extra
    )


def _path(request: web.BaseRequest) -> str:
    """As it was sent: what stands in it decoded could be a line of the log."""
    path = request.rel_url.raw_path[:_LONGEST_PATH]
    return "".join(sign if " " <= sign <= "~" else "?" for sign in path)


async def finish_stream(request: web.Request, response: web.StreamResponse) -> None:
    """`finish` for answers that begin before their handler ends. For `on_response_prepare`."""
    if REQUEST_ID in request:
        finish(response, request[REQUEST_ID])


def finish(response: web.StreamResponse, request_id: str) -> None:
    """Send the request's id back, and the header fields every answer has."""
    response.headers[HEADER] = request_id
    response.headers["Server"] = "imagecensus"  # and no versions, as the library has it
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
