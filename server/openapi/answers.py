"""What is answered besides lines: jobs, predictors, the keyed object, tables, health, problems."""

from __future__ import annotations

from typing import Any

from imaging.predictors.about import Layout
from server.openapi.lines import CURSOR
from server.openapi.shapes import (
    BOOLEAN,
    COUNT,
    DIGEST,
    NUMBER,
    TEXT,
    Schema,
    array,
    choice,
    constant,
    counts,
    nullable,
    ref,
    shape,
    told,
)
from workers.jobs.keys import KINDS
from workers.jobs.states import STATES
from workers.tables.formats import MEDIA_TYPES, Format

__all__ = ["LINES", "TABLES", "answer_schemas", "json_answer"]

#: The media type of lines.
LINES = "application/x-ndjson"
#: Answers as tables, with what they are called over HTTP.
TABLES: dict[str, dict[str, Any]] = {
    MEDIA_TYPES[Format.CSV]: {"schema": told(TEXT, "docs/tables.md has the columns")},
    MEDIA_TYPES[Format.PARQUET]: {},  # binary, as OpenAPI says it
}
_TIME = nullable({"type": "string", "format": "date-time"})
_PATH: Schema = {"type": "string", "format": "uri-reference"}


def json_answer(schema: Schema, **more: Any) -> dict[str, Any]:
    """Content that is JSON."""
    return {"application/json": {"schema": schema, **more}}


def answer_schemas() -> dict[str, Schema]:
    """Every schema of an answer, by its name among the components."""
    return {
        "Problem": _problem(),
        "Keyed": _keyed(),
        "Submitted": _submitted(),
        "Links": _links(),
        "Job": _job(),
        "JobList": shape({"jobs": array(ref("Job")), "next": nullable(CURSOR)}),
        "Released": shape(
            {"released": told(COUNT, "entries of results"), "rows": COUNT},
            description="What was dropped.",
        ),
        "Predictor": _predictor(),
        "PredictorList": shape({"predictors": array(ref("Predictor")), "default": TEXT}),
        "Ready": _ready(),
    }


def _problem() -> Schema:
    wrong = shape({"field": TEXT, "detail": TEXT})
    return shape(
        {
            "type": constant("about:blank"),
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "error": told(TEXT, "for clients that knew this service before it had problems"),
            "request_id": TEXT,
        },
        {"errors": told(array(wrong, least=1), "which fields are wrong")},
        description="RFC 9457.",
    )


def _keyed() -> Schema:
    facts = shape(
        {
            "image_size": nullable(COUNT),
            "image_dimension": nullable(array(COUNT, least=2, most=2)),
            "image_format": TEXT,
        }
    )
    url = nullable(TEXT)
    one: Schema = {
        "oneOf": [
            shape({"url": url, "image_info": facts}),
            shape({"url": url, "image_info": constant(""), "error": TEXT}),
        ]
    }
    return {
        "type": "object",
        "additionalProperties": one,
        "description": "The records by id, in manifest order; an id that repeats stands there as"
        " often.",
    }


def _links() -> Schema:
    return shape({"self": _PATH, "results": _PATH, "cancel": _PATH})


def _submitted() -> Schema:
    return shape({"ok": constant("Processing Images"), "job": CURSOR, "links": ref("Links")})


def _job() -> Schema:
    rows = shape(
        {
            "total": told(nullable(COUNT), "null until the manifest was read to its end"),
            "expected": told(nullable(COUNT), "an estimate until then, of plain files"),
            "done": COUNT,
            "ok": COUNT,
            "failed": COUNT,
        }
    )
    return shape(
        {
            "id": CURSOR,
            "kind": choice(KINDS),
            "state": choice(STATES),
            "manifest": nullable(TEXT),
            "options": {"oneOf": [ref("InfoOptions"), ref("BatchOptions")]},
            "created": _TIME,
            "started": _TIME,
            "finished": _TIME,
            "rows": rows,
            "errors": counts(ref("ErrorCode")),
            "http_statuses": counts({"pattern": "^[0-9]{3}$"}),
            "bytes": COUNT,
            "diagnosis": array(ref("Finding")),
            "rate": told({**NUMBER, "minimum": 0}, "rows a second of late"),
            "eta_seconds": nullable({**NUMBER, "minimum": 0}),
            "paused": told(BOOLEAN, "results wait at CENSUS_MAX_REDIS_RESULTS"),
            "reason": told(nullable(TEXT), "why it failed, or why it is paused"),
            "released": nullable(CURSOR),
            "manifest_sha256": nullable(DIGEST),
            "links": ref("Links"),
        },
        {"provenance": ref("Provenance")},
    )


def _predictor() -> Schema:
    usable = shape(
        {
            "name": TEXT,
            "version": nullable(TEXT),
            "size": nullable(array({"type": "integer", "minimum": 1}, least=2, most=2)),
            "layout": choice(layout.value for layout in Layout),
            "labels": array(TEXT),
            "sha256": told(nullable(DIGEST), "of the model's file"),
            "settings_sha256": told(nullable(DIGEST), "of the JSON beside it"),
            "software": {"type": "object", "additionalProperties": TEXT},
            "ready": constant(True),
        }
    )
    return {"oneOf": [usable, shape({"name": TEXT, "ready": constant(False), "error": TEXT})]}


def _ready() -> Schema:
    checks = shape(
        {"pool": BOOLEAN, "accepting": BOOLEAN},
        {"redis": told(BOOLEAN, "where there is one")},
    )
    return shape({"status": {"enum": ["ready", "not ready"]}, "checks": checks})
