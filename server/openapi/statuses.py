"""How requests are refused: a table of statuses, each an answer with a problem."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.openapi.shapes import TEXT, constant, ref

__all__ = ["ALWAYS", "QUEUE", "UPLOAD", "refusal", "refusals", "refusing", "request_id"]

#: Why, as people read it; docs/api.md says it at length.
REASONS = {
    400: "Not JSON, a corrupt gzip or zstd, a part of the query or a header that cannot be read, or"
    " no HTTP/1.",
    401: "The key is missing or wrong.",
    403: "Without a key: the `Host` is not this machine, or a page of another site asks.",
    404: "There is none.",
    405: "Not by this method: `Allow` names those that are.",
    406: "A table is asked for, and the extra `parquet` is not installed.",
    408: "The upload stalled.",
    409: "The job is not in a state for that.",
    410: "It was there, and was removed or released, or expired.",
    413: "More than is taken in this form.",
    415: "A `Content-Encoding` that is not known, or Parquet without its extra.",
    417: "An `Expect` other than `100-continue`.",
    422: "No data, no such manifest, or options that are wrong: `errors` names them.",
    500: "A bug; the log has it under the `request_id`.",
    502: "The host of a manifest's URL, or what is kept in Redis, is not as it should be.",
    503: "Full, shutting down, or without Redis: ask again later.",
    507: "No room for the upload.",
}
#: Of every route, …
ALWAYS = (400, 401, 403, 417, 500)
#: … of those that take a manifest, …
UPLOAD = (408, 413, 415, 422, 502, 503, 507)
#: … and of those that ask Redis.
QUEUE = (502, 503)
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": constant("Bearer")}},
    405: {"Allow": {"required": True, "schema": TEXT}},
    503: {
        "Retry-After": {
            "required": True,
            "description": "seconds",
            "schema": {"type": "integer", "minimum": 0},
        }
    },
}


def request_id() -> dict[str, Any]:
    """The header field that every answer has."""
    return {"X-Request-ID": ref("RequestId", "headers")}


def refusals() -> dict[str, Any]:
    """All of them, as components: `Refused404`."""
    return {f"Refused{status}": refusal(status) for status in REASONS}


def refusing(statuses: Iterable[int]) -> dict[str, Any]:
    """Those of an operation, by status."""
    return {str(status): ref(f"Refused{status}", "responses") for status in sorted(set(statuses))}


def refusal(status: int) -> dict[str, Any]:
    """One of them."""
    return {
        "description": REASONS[status],
        "headers": {**request_id(), **_HEADERS.get(status, {})},
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }
