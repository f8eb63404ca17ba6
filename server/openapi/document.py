"""The whole description, made once when the application is."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from server.job_requests import check_query
from server.openapi.answers import answer_schemas
from server.openapi.lines import line_schemas
from server.openapi.members import member_schemas
from server.openapi.paths import paths
from server.openapi.requests import parameters, request_schemas
from server.openapi.shapes import TEXT
from server.openapi.statuses import refusals
from workers.settings import VERSION

__all__ = ["PATH", "describe", "description"]

PATH = "/api/v1/openapi.json"

_ABOUT = """\
A census counts everyone exactly once: a list of image URLs in, exactly one record per row out.

Answers are NDJSON, one JSON object a line, each told by its `type`; `summary` is the last, and a
stream without one was cut. Routes below `/api/` answer with and without a slash behind them. What
is refused is a problem (RFC 9457), also where there is no such route (404) or not by this method
(405, with `Allow`). docs/api.md says all of this at length."""
_TAGS = {
    "work": "Lists in, records out: as a stream, or as a job.",
    "jobs": "Work that outlives a connection.",
    "service": "The service itself.",
}


def describe(*, keyed: bool) -> dict[str, Any]:
    """The description of a service that asks for a key, or of one that does not."""
    return {
        "openapi": "3.2.0",
        "info": {
            "title": "Imagecensus",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}] if keyed else [],
        "tags": [{"name": name, "description": said} for name, said in _TAGS.items()],
        "paths": paths(),
        "components": {
            "schemas": {
                **request_schemas(),
                **line_schemas(),
                **member_schemas(),
                **answer_schemas(),
            },
            "parameters": parameters(),
            "headers": {
                "RequestId": {
                    "required": True,
                    "description": "of this request, as in the log",
                    "schema": TEXT,
                }
            },
            "responses": refusals(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`CENSUS_API_KEY`, where the service has one",
                }
            },
        },
    }


def description(*, keyed: bool) -> Handler:
    """The handler of `GET /api/v1/openapi.json`, which is written once."""
    body = orjson.dumps(describe(keyed=keyed))

    async def handler(request: web.Request) -> web.Response:
        check_query(request)
        return web.Response(body=body, content_type="application/json")

    return handler
