"""Errors → RFC 9457 `application/problem+json`, in one table. `error` is there for clients that
knew this service before it had problems.
"""

from __future__ import annotations

import http
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from workers.errors import (
    ManifestAway,
    ManifestError,
    ManifestNotFound,
    ManifestTooLarge,
    PredictorAway,
    PredictorError,
)
from workers.jobs.patience import RedisAway
from workers.jobs.refusals import (
    IntakeExhausted,
    JobExpired,
    JobOver,
    JobUnknown,
    OtherRequest,
    RedisBroken,
)
from workers.manifest.spool import SpoolFull

__all__ = ["RequestError", "ShuttingDown", "UploadStalled", "problem_of"]


class RequestError(Exception):
    """A request that cannot be served. `fields` names what is wrong: (field, sentence)."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        detail: str | None = None,
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error
        self.detail = detail or error
        self.fields = tuple(fields)


class UploadStalled(ManifestError):
    """The client stopped sending."""


class ShuttingDown(ManifestError):
    """No more is taken in."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")


#: What is told of a job, in the words of the error itself.
_OF_JOBS: dict[type[Exception], int] = {
    JobUnknown: 404,
    JobExpired: 410,
    JobOver: 409,
    RedisBroken: 502,
    IntakeExhausted: 503,
}


def problem_of(exc: Exception, request_id: str) -> web.Response:
    """The answer to *exc*: a status below 500 where the client can do something about it."""
    fields: Sequence[tuple[str, str]] = ()
    headers: dict[str, str] = {}
    if isinstance(exc, RequestError):
        status, error, detail, fields = exc.status, exc.error, exc.detail, exc.fields
    elif isinstance(exc, ManifestNotFound):
        status, error, detail = 422, "Invalid input file url", str(exc)
        fields = [("filepath", str(exc))]
    elif isinstance(exc, ManifestAway):
        status, error = 502, str(exc)
        detail = error
        fields = [("filepath", error)]
    elif isinstance(exc, PredictorError):
        status, error = 422, str(exc)
        detail = error
        fields = [(exc.field, exc.sentence)]
    elif isinstance(exc, ManifestTooLarge):
        status, error = 413, str(exc)
        detail = error
    elif isinstance(exc, SpoolFull):
        status, error = 507, str(exc)
        detail = error
    elif isinstance(exc, UploadStalled):
        status, error = 408, str(exc)
        detail = error
    elif isinstance(exc, ShuttingDown):
        status, error = 503, str(exc)
        detail = error
    elif isinstance(exc, ManifestError):
        status, error = 400, str(exc)
        detail = error
    elif isinstance(exc, RedisAway):  # what the way to Redis said is for the log
        status, error = 503, "Redis does not answer, or takes nothing in: try again later"
        detail = error
    elif isinstance(exc, PredictorAway):
        status, error = 422, f"predictor: {exc}; it is tried again later"
        detail = error
        fields = [("predictor", error)]
    elif isinstance(exc, OtherRequest):
        status, error = 422, str(exc)
        detail = error
        fields = [("Idempotency-Key", error)]
    elif type(exc) in _OF_JOBS:
        status, error = _OF_JOBS[type(exc)], str(exc)
        detail = error
    elif isinstance(exc, web.HTTPException):
        status, error = exc.status, exc.reason
        detail = exc.text or exc.reason
        headers = {name: exc.headers[name] for name in ("Allow", "Location") if name in exc.headers}
    else:
        status, error = 500, "internal error"
        detail = "an error of this service; its log has it under the request id"
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = "5"
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": error,
        "request_id": request_id,
    }
    if fields:
        body["errors"] = [{"field": field, "detail": sentence} for field, sentence in fields]
    headers["Content-Type"] = "application/problem+json"
    return web.Response(status=status, body=orjson.dumps(body), headers=headers)
