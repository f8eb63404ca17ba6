"""The lines of an NDJSON answer, each as a schema: what streams and jobs say.

Every object that is ours is closed: a member that is not described here is a mistake.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from imaging.facts import ErrorCode, Stage
from imaging.predictors.about import Layout
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
from workers.changes import COMPARED
from workers.diagnosis import RULES
from workers.jobs.keys import KINDS
from workers.lines import SCHEMA
from workers.options import BatchOptions, InfoOptions

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
_SIDES = array({"type": "integer", "minimum": 0}, least=2, most=2)
_HTTP_STATUS: Schema = {"type": "integer", "minimum": 100, "maximum": 999}
_VERDICTS = ("unchanged", "changed", "gone")

#: `image_info` at either depth, …
_FACTS: dict[str, Schema] = {
    "image_size": told(nullable(COUNT), "bytes of the file"),
    "image_dimension": told(nullable(_SIDES), "[width, height]"),
    "image_format": told(TEXT, "as Pillow names it: JPEG, MPO, PNG, …"),
    "image_mode": told(nullable(TEXT), "Pillow's mode of the first frame"),
    "orientation": nullable({"type": "integer", "minimum": 1, "maximum": 8}),
    "animated": told(nullable(BOOLEAN), "more than one frame"),
}
#: … and what `depth: full` adds, all of it or nothing.
_MEASURES: dict[str, Schema] = {
    "sha256": DIGEST,
    "phash": {"type": ["string", "null"], "pattern": "^[0-9a-f]{16}$"},
    "frames": told(nullable({"type": "integer", "minimum": 1}), "up to 10,000, null beyond"),
    "has_icc": nullable(BOOLEAN),
    "sharpness": told(nullable(NUMBER), "variance of the Laplacian of luma"),
    "brightness": told(nullable(NUMBER), "mean luma, 0–255"),
    "contrast": told(nullable(NUMBER), "standard deviation of luma"),
    "colourfulness": told(nullable(NUMBER), "Hasler and Süsstrunk's M3"),
}
_VALIDATORS: dict[str, Schema] = {
    "final_url": told(nullable(TEXT), "where redirects led"),
    "etag": nullable(TEXT),
    "last_modified": nullable(TEXT),
}
_OPT_OUT = told(TEXT, "the rule by which the host opts out of machine learning")


def line_schemas() -> dict[str, Schema]:
    """Every schema of a line and of what stands in it, by its name among the components."""
    return {
        "ErrorCode": _error_code(),
        "RowError": _row_error(),
        "ImageInfo": _image_info(),
        "Fetch": _fetch(),
        "InfoOptions": _options(InfoOptions),
        "BatchOptions": _options(BatchOptions),
        "Finding": _finding(),
        "Provenance": _provenance(),
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


def _error_code() -> Schema:
    sentences = "\n".join(f"- `{code.value}`: {code.sentence}" for code in ErrorCode)
    return told(choice(code.value for code in ErrorCode), f"A closed set.\n\n{sentences}")


def _row_error() -> Schema:
    return shape(
        {
            "code": ref("ErrorCode"),
            "stage": choice(stage.value for stage in Stage),
            "message": told(TEXT, "a sentence for people"),
            "retryable": told(BOOLEAN, "whether asking again later may succeed"),
        },
        {"http_status": _HTTP_STATUS},
        description="Why a row has no facts, or no prediction.",
        **{
            "if": {"properties": {"code": constant(ErrorCode.HTTP_STATUS.value)}},
            "then": {"required": ["http_status"]},
        },
    )


def _image_info() -> Schema:
    measures = list(_MEASURES)
    return shape(
        _FACTS,
        _MEASURES,
        description="A fact that is not in the bytes read is null. Those from `sha256` on come"
        " with `depth: full`.",
        dependentRequired=dict.fromkeys(measures, measures),
    )


def _fetch() -> Schema:
    return shape(
        {
            "status": told(nullable(_HTTP_STATUS), "of the last answer"),
            "bytes": told(COUNT, "received in bodies"),
            "attempts": COUNT,
            "requests": told(COUNT, "sent to hosts, redirects and further ranges included"),
            "ms": {"type": "number", "minimum": 0},
            "size_source": {
                "enum": ["content_range", "content_length", "counted", None],
            },
            "content_type": nullable(TEXT),
            **_VALIDATORS,
        },
        {
            "opt_out": _OPT_OUT,
            "same_as": told(COUNT, "the index of the row the URL was fetched for"),
            "suspect_placeholder": told(constant(True), "many URLs have this same picture"),
        },
        description="How the bytes of a row were got.",
    )


def _options(kind: type[InfoOptions | BatchOptions]) -> Schema:
    """The options as the `start` line tells them: all of them."""
    found: Schema = TypeAdapter(kind).json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    members = {name: _plain(said) for name, said in found["properties"].items()}
    return shape(members, description=kind.__doc__)


def _plain(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name not in ("title", "default")}


def _finding() -> Schema:
    return shape(
        {"rule": choice(rule.name for rule in RULES), "says": TEXT},
        description="One thing to be said of a run, in plain words.",
    )


def _provenance() -> Schema:
    preprocessing = shape(
        {
            "size": _SIDES,
            "fit": ref("Fit"),
            "filter": ref("Filter"),
            "matte": TEXT,
            "layout": choice(layout.value for layout in Layout),
            "jpeg_scale": NUMBER,
            "reducing_gap": NUMBER,
        }
    )
    return shape(
        {
            "predictor": TEXT,
            "version": nullable(TEXT),
            "model_sha256": nullable(DIGEST),
            "settings_sha256": nullable(DIGEST),
            "preprocessing": preprocessing,
            "software": {"type": "object", "additionalProperties": TEXT},
        },
        description="What a prediction can be made again with.",
    )


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
            "fetch": shape(_VALIDATORS, {"opt_out": _OPT_OUT}),
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
