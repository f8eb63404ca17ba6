"""What stands in lines, as schemas: facts, errors, how bytes were got, options, provenance."""

from __future__ import annotations

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
    nullable,
    ref,
    shape,
    told,
)
from workers.diagnosis import RULES
from workers.options import BatchOptions, InfoOptions

__all__ = ["OPT_OUT", "VALIDATORS", "member_schemas"]

_SIDES = array({"type": "integer", "minimum": 0}, least=2, most=2)
_HTTP_STATUS: Schema = {"type": "integer", "minimum": 100, "maximum": 999}

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
VALIDATORS: dict[str, Schema] = {
    "final_url": told(nullable(TEXT), "where redirects led"),
    "etag": nullable(TEXT),
    "last_modified": nullable(TEXT),
}
OPT_OUT = told(TEXT, "the rule by which the host opts out of machine learning")


def member_schemas() -> dict[str, Schema]:
    """Every one, by its name among the components."""
    return {
        "ErrorCode": _error_code(),
        "RowError": _row_error(),
        "ImageInfo": _image_info(),
        "Fetch": _fetch(),
        "InfoOptions": _options(InfoOptions),
        "BatchOptions": _options(BatchOptions),
        "Finding": _finding(),
        "Provenance": _provenance(),
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
            **VALIDATORS,
        },
        {
            "opt_out": OPT_OUT,
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
