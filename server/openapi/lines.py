"""The lines of an NDJSON answer, each as a schema: what streams and jobs say.

Every object that is ours is closed: a member that is not described here is a mistake.
"""

from __future__ import annotations

from typing import Any

from server.openapi.members import OPT_OUT, VALIDATORS
from server.openapi.shapes import (
    BOOLEAN,
    COUNT,
    DIGEST,
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
from workers.changes import COMPARED
from workers.jobs.keys import KINDS
from workers.lines import SCHEMA

__all__ = ["CURSOR", "line_schemas"]

CURSOR: Schema = {
    "type": "string",
    "pattern": "^(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})$",
    "description": "a place in the results of a job, opaque",
}
_URL = told(nullable(TEXT), "as given; a name and password in it are not repeated")
_EXTRA: Schema = {
    "type": "object",
    "description": "the other columns of the row, where `extra` was asked for",
}
_VERDICTS = ("unchanged", "changed", "gone")


def line_schemas() -> dict[str, Schema]:
    """Every schema of a line, by its name among the components."""
    return {
        "StartLine": _start(),
        "ImageLine": _image(),
        "Earlier": _earlier(),
        "BatchLine": _batch(),
        "BatchRow": _batch_row(),
        "ProgressLine": _progress(),
        "SummaryLine": _summary(),
        "InfoAnswerLine": _one_of("image"),
        "BatchAnswerLine": _one_of("batch"),
        "ResultLine": _one_of("image", "batch"),
    }


def _one_of(*records: str) -> Schema:
    """A line of an answer: one of the schemas, told apart by `type`."""
    names = {kind: f"{kind.capitalize()}Line" for kind in ("start", *records, "progress")}
    names["summary"] = "SummaryLine"
    places = {kind: ref(name)["$ref"] for kind, name in names.items()}
    return {
        "oneOf": [{"$ref": place} for place in places.values()],
        "discriminator": {"propertyName": "type", "mapping": places},
    }


def _start() -> Schema:
    return shape(
        {
            "type": constant("start"),
            "schema": constant(SCHEMA),
            "kind": choice(KINDS),
            "job": told(nullable(CURSOR), "the job whose results these are; null in a stream"),
            "manifest": told(nullable(TEXT), "null for rows in the request"),
            "options": {"oneOf": [ref("InfoOptions"), ref("BatchOptions")]},
        },
        description="The first line.",
    )


def _outcome() -> Schema:
    """Facts, or an error: what stands in a record, now and before."""
    return {
        "oneOf": [
            {"properties": {"image_info": ref("ImageInfo"), "error": False}},
            {
                "properties": {"image_info": {"type": "null"}, "error": ref("RowError")},
                "required": ["error"],
            },
        ]
    }


def _image() -> Schema:
    pair = {"type": "array", "minItems": 2, "maxItems": 2}
    compared = [*COMPARED, "etag", "last_modified", "error", "http_status"]
    return shape(
        {
            "type": constant("image"),
            "index": told(COUNT, "the row of the manifest, from 0: its identity"),
            "id": TEXT,
            "url": _URL,
            "image_info": {"anyOf": [ref("ImageInfo"), {"type": "null"}]},
            "fetch": {"anyOf": [ref("Fetch"), {"type": "null"}]},
        },
        {
            "error": ref("RowError"),
            "thumbnail": {"type": "string", "pattern": "^data:image/webp;base64,"},
            "extra": _EXTRA,
            "change": told(
                {"enum": [*_VERDICTS, None]}, "with `changes`; null where it was not judged"
            ),
            "changed": {
                "type": "object",
                "propertyNames": {"enum": compared},
                "additionalProperties": told(pair, "[before, now]"),
            },
            "before": ref("Earlier"),
        },
        description="The record of a row of `images_info`.",
        **_outcome(),
    )


def _earlier() -> Schema:
    return shape(
        {
            "image_info": {"anyOf": [ref("ImageInfo"), {"type": "null"}]},
            "fetch": shape(VALIDATORS, {"opt_out": OPT_OUT}),
        },
        {"error": ref("RowError")},
        description="What a row that was not judged is compared with next time.",
        **_outcome(),
    )


def _batch() -> Schema:
    level = {"type": "integer", "minimum": 0, "maximum": 255}
    nested = array(array(array(array(level))))
    dimension = {
        "type": "array",
        "prefixItems": [COUNT, constant(3), COUNT, COUNT],
        "minItems": 4,
        "maxItems": 4,
        "description": "[N, 3, height, width]; N counts the rows that were decoded",
    }
    return shape(
        {
            "type": constant("batch"),
            "batch": COUNT,
            "batch_dimension": dimension,
            "predictor": TEXT,
            "rows": array(ref("BatchRow"), least=1),
        },
        {
            "pixels": {
                "description": "uint8 RGB: base64 of a `.npy` file, or nested lists",
                "anyOf": [{"type": "string", "contentEncoding": "base64"}, nested],
            }
        },
        description="The record of the rows of a batch, of `batch_predict`.",
    )


def _batch_row() -> Schema:
    return shape(
        {"index": COUNT, "id": TEXT, "url": _URL},
        {
            "position": told(COUNT, "in the array, of a row that was decoded"),
            "prediction": told({}, "what it is, is the predictor's to say"),
            "error": ref("RowError"),
            "extra": _EXTRA,
        },
        oneOf=[{"required": ["prediction", "position"]}, {"required": ["error"]}],
    )


def _progress() -> Schema:
    return shape(
        {"type": constant("progress"), "done": COUNT, "failed": COUNT},
        {"cursor": CURSOR},
        description="Comes where no record does for 10 seconds; in results of a job with the"
        " `cursor` reached.",
    )


def _summary() -> Schema:
    members: dict[str, Any] = {
        "type": constant("summary"),
        "rows": COUNT,
        "ok": COUNT,
        "failed": COUNT,
        "errors": counts(ref("ErrorCode")),
        "http_statuses": counts({"pattern": "^[0-9]{3}$"}),
        "bytes": COUNT,
        "seconds": {"type": "number", "minimum": 0},
        "manifest_sha256": nullable(DIGEST),
        "complete": told(BOOLEAN, "whether this is all; `reason` says why not"),
    }
    return shape(
        members,
        {
            "diagnosis": array(ref("Finding"), least=1),
            "changes": counts({"enum": list(_VERDICTS)}),
            "provenance": ref("Provenance"),
            "reason": TEXT,
            "cursor": CURSOR,
        },
        description="The last line: a stream without one was cut.",
        **{
            "if": {"properties": {"complete": constant(True)}},
            "then": {"properties": {"reason": False}},
            "else": {"required": ["reason"]},
        },
    )
