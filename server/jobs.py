"""Jobs over HTTP: the list, one of them, cancelling, removing, releasing."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from server.job_requests import JOBS, check_query, cursor_of, job_of, ledger_of, links, wrong
from server.job_results import results
from workers.jobs.states import JobState

__all__ = ["routes"]

MOST = 1000
USUAL = 100


def routes() -> list[web.RouteDef]:
    """All routes below `/api/v1/jobs`, with and without a slash behind them."""
    one = JOBS + "/{id}"
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", JOBS, list_jobs),
        ("GET", one, get_job),
        ("DELETE", one, delete_job),
        ("POST", f"{one}/cancel", cancel_job),
        ("GET", f"{one}/results", results),
    ]
    return [
        web.route(method, path + slash, handler)
        for method, path, handler in handlers
        for slash in ("", "/")
    ]


async def list_jobs(request: web.Request) -> web.Response:
    """`GET /api/v1/jobs`: newest first, a page at a time."""
    check_query(request, "after", "limit")
    after, limit = cursor_of(request, "after"), USUAL
    if (said := request.query.get("limit")) is not None:
        if not (said.isascii() and said.isdigit() and len(said) <= 4 and 1 <= int(said) <= MOST):
            raise wrong("limit", f"give a number from 1 to {MOST}")
        limit = int(said)
    states, following = await ledger_of(request).page(after, limit)
    return _json({"jobs": [_told(state) for state in states], "next": following})


async def get_job(request: web.Request) -> web.Response:
    """`GET /api/v1/jobs/{id}`."""
    check_query(request)
    return _json(_told(await ledger_of(request).state(job_of(request))))


async def cancel_job(request: web.Request) -> web.Response:
    """`POST /api/v1/jobs/{id}/cancel`."""
    check_query(request)
    return _json(_told(await ledger_of(request).cancel(job_of(request))))


async def delete_job(request: web.Request) -> web.Response:
    """`DELETE /api/v1/jobs/{id}`: all of it, or the results through a cursor."""
    check_query(request, "through")
    ledger, job = ledger_of(request), job_of(request)
    through = cursor_of(request, "through")
    if through is None:
        await ledger.delete(job)
        return web.Response(status=204)
    released = await ledger.release(job, through)
    return _json({"released": released.entries, "rows": released.rows})


def _told(state: JobState) -> dict[str, Any]:
    return {**state.json(), "links": links(state.id)}


def _json(body: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")
