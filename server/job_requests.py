"""What requests about jobs have in common: the ledger, a job's id, cursors, links."""

from __future__ import annotations

from aiohttp import web

from server import keys
from server.problems import RequestError
from workers.jobs.keys import is_job_id
from workers.jobs.ledger import Ledger
from workers.jobs.refusals import JobUnknown

__all__ = ["JOBS", "check_query", "cursor_of", "job_of", "ledger_of", "links", "wrong"]

JOBS = "/api/v1/jobs"


def ledger_of(request: web.Request) -> Ledger:
    """The ledger. Raises RequestError (503) where there is no Redis."""
    ledger = request.app.get(keys.LEDGER)
    if ledger is None:
        raise RequestError(
            503,
            "jobs need Redis",
            detail="this application was made without one: set CENSUS_REDIS_URL",
        )
    return ledger


def job_of(request: web.Request) -> str:
    """The id in the path. Raises JobUnknown where it cannot be one."""
    job = request.match_info["id"]
    if not is_job_id(job):
        raise JobUnknown(job)
    return job


def check_query(request: web.Request, *names: str) -> None:
    """Raises RequestError (400) for a query of other names, or of one of them twice."""
    for name in request.query:
        if name not in names:
            raise wrong(name[:100], "there is no such option")
        if len(request.query.getall(name)) > 1:
            raise wrong(name, "give it once")


def cursor_of(request: web.Request, name: str) -> str | None:
    """A cursor in the query, None without. Raises RequestError (400)."""
    said = request.query.get(name)
    if said is not None and not is_job_id(said):
        raise wrong(name, "not a cursor of this service: two numbers and a - between")
    return said


def wrong(name: str, sentence: str) -> RequestError:
    """A 400 that names a part of the query or the head."""
    return RequestError(400, f"{name}: {sentence}", fields=[(name, sentence)])


def links(job: str) -> dict[str, str]:
    """Where a job, its results and its end are had."""
    path = f"{JOBS}/{job}"
    return {"self": path, "results": f"{path}/results", "cancel": f"{path}/cancel"}
