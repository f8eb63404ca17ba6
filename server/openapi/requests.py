"""What is taken: bodies by the models that validate them, options in the query, header fields."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from server.jobs import MOST, USUAL
from server.openapi import examples
from server.openapi.lines import CURSOR
from server.openapi.shapes import TEXT, Schema, array, choice, ref, told
from server.openapi.written import MATTE, SIDES, TRUTH, UNTRUTH, written
from server.requests import MANIFEST_TYPES
from workers.asked import ASKED, Asked
from workers.manifest.kinds import Kind
from workers.manifest.objects import MAX_INLINE_ROWS

__all__ = ["body_of", "parameters", "query_of", "request_schemas"]

#: Of a stream only: a job refuses them.
_STREAMS_ONLY = ("ordered", "changes")
_MANIFEST = ("filepath", "images")
_PLACE = "#/components/schemas/{model}"

#: Where the rows stand in the request.
_ROWS: Schema = {"properties": {"images": {"type": "array"}}, "required": ["images"]}
_ROW: Schema = {
    "description": "A row: an object with `url` and maybe `id`, or a URL. What is neither becomes"
    " a record with `bad_row`.",
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "url": TEXT,
                "id": told({"type": ["string", "number", "null"]}, "default: the index"),
            },
            "required": ["url"],
            "additionalProperties": told({}, "passed through with `extra`"),
        },
        told(TEXT, "a URL"),
        told({}, "anything else: `bad_row`"),
    ],
}


def request_schemas() -> dict[str, Schema]:
    """The models as schemas, what they refer to, and the same for jobs."""
    _, found = models_json_schema(
        [(model, "validation") for model in ASKED.values()], ref_template=_PLACE
    )
    schemas: dict[str, Schema] = {"Row": _ROW, "Truth": TRUTH, "Untruth": UNTRUTH}
    for name, schema in found["$defs"].items():
        if "properties" not in schema:
            schemas[name] = _bare(schema)
            continue
        schemas[name] = _request(schema, job=False)
        schemas[_job_name(name)] = _request(schema, job=True)
    return schemas


def _job_name(name: str) -> str:
    return f"{name.removesuffix('Request')}JobRequest"


def _bare(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "title"}


def _request(schema: Schema, *, job: bool) -> Schema:
    members = {}
    for name, said in schema["properties"].items():
        members[name] = _member(name, _bare(said))
        if job and name in _STREAMS_ONLY:
            members[name] = ref("Untruth")
    either = [
        {"properties": {"filepath": {"type": "string"}}, "required": ["filepath"]},
        _ROWS,
    ]
    found = {**_bare(schema), "properties": members, "oneOf": either}
    if "changes" in members and not job:  # of a file only: rows in the request have no past
        found |= {"if": _ROWS, "then": {"properties": {"changes": ref("Untruth")}}}
    return found


def _member(name: str, schema: Schema) -> Schema:
    """One option in JSON."""
    if name == "images":
        rows = array(ref("Row"), most=MAX_INLINE_ROWS)
        return told({"anyOf": [rows, {"type": "null"}]}, schema["description"])
    if name == "filepath":
        return {"type": ["string", "null"], "minLength": 1, "description": schema["description"]}
    if name in ("matte", "size"):
        return {**(MATTE if name == "matte" else SIDES)[False], "default": schema["default"]}
    if schema.get("type") == "boolean":
        return {**ref("Truth"), "default": False, "description": schema["description"]}
    if name in ("limit", "timeout", "thumbnail", "batch_size"):
        return written(name, schema)
    return schema


def query_of(model: type[Asked], *, job: bool) -> list[dict[str, Any]]:
    """The options in the query, beside a manifest that is the body."""
    _, found = models_json_schema([(model, "validation")], ref_template=_PLACE)
    options = found["$defs"][model.__name__]["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": f"{said['description']}{_by_default(said)}; beside a manifest as the"
            " body only",
            "schema": _in_query(name, said),
        }
        for name, said in options.items()
        if name not in _MANIFEST and not (job and name in _STREAMS_ONLY)
    ]


def _by_default(schema: Schema) -> str:
    """In words: readers of the description would send what stands in `default`."""
    value = schema.get("default")
    return "" if value is None or value is False else f" (default {value})"


def _in_query(name: str, schema: Schema) -> Schema:
    """One option as text."""
    if name in ("matte", "size"):
        return (MATTE if name == "matte" else SIDES)[True]
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    unsaid = ("title", "default", "description")
    return {key: value for key, value in kinds[0].items() if key not in unsaid}


def body_of(kind: str, *, job: bool) -> dict[str, Any]:
    """What `images_info` or `batch_predict` takes as its body, in every form."""
    name = ASKED[kind].__name__
    content: dict[str, Any] = {
        "application/json": {
            "schema": ref(_job_name(name) if job else name),
            "examples": examples.bodies(kind, job=job),
        }
    }
    for media_type, written_as in MANIFEST_TYPES.items():
        content[media_type] = _manifest(written_as)
    return {
        "required": True,
        "description": "JSON that names a manifest or holds the rows, or the manifest itself with"
        " the options in the query.",
        "content": content,
    }


def _manifest(kind: Kind) -> dict[str, Any]:
    if kind is Kind.PARQUET:
        return {}  # binary, as OpenAPI says it
    found: dict[str, Any] = {"examples": examples.manifest(kind)}
    if kind is Kind.NDJSON:
        return {"itemSchema": ref("Row"), **found}
    return {"schema": {"type": "string", "minLength": 1}, **found}


def parameters() -> dict[str, dict[str, Any]]:
    """What several operations take beside their body, by name among the components."""
    return {
        "Job": {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "the id of a job",
            "schema": CURSOR,
            "example": examples.JOB,
        },
        "RequestId": {
            "name": "X-Request-ID",
            "in": "header",
            "description": "sent back, and in every log line of the request; up to 64 letters,"
            " digits, `.`, `_`, `-`: anything else is replaced",
            "schema": TEXT,
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "makes it safe to hand the same job in again, for 24 hours",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[!-~](?:[ -~]*[!-~])?$",
            },
        },
        "ContentEncoding": {
            "name": "Content-Encoding",
            "in": "header",
            "description": "of the body",
            "schema": choice(("", "identity", "gzip", "x-gzip", "zstd")),
        },
        "After": {
            "name": "after",
            "in": "query",
            "description": "a cursor: only what is behind it",
            "schema": CURSOR,
        },
        "Follow": {
            "name": "follow",
            "in": "query",
            "description": "go on until the job has ended; else what is there now",
            "schema": {**choice(("0", "1", "false", "true")), "default": "0"},
        },
        "Limit": {
            "name": "limit",
            "in": "query",
            "description": "so many at a time",
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
        },
        "Through": {
            "name": "through",
            "in": "query",
            "description": "drop only the results up to and with this cursor",
            "schema": CURSOR,
        },
    }
