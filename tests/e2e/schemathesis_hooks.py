"""What schemathesis cannot know of this service: how its bodies are made, which refusals no schema
tells, and that each line of an answer has a schema. `schemathesis.toml` names this module.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import zlib
from typing import Any

import pyarrow as pa
import schemathesis
import zstandard
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pyarrow import parquet
from schemathesis.generation.meta import TestPhase

#: Rows of manifests: addresses that are blocked, and no URLs. Nothing is asked for.
ROWS = ["http://10.0.0.1/a", "ftp://example.org/c", "foo", ""]
#: What is wrong here is wrong by its meaning: no such file or predictor, an array too large, a key
#: that another request had, options of a re-census beside something else.
OF_MEANING = {"filepath", "predictor", "size", "batch_size", "Idempotency-Key", "changes"}

TSV = ("text/tab-separated-values", "text/csv")
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
PARQUET = "application/vnd.apache.parquet"

_file = io.BytesIO()
parquet.write_table(pa.table({"url": ROWS}), _file)
schemathesis.openapi.media_type(PARQUET, st.just(_file.getvalue()))

_numbers = itertools.count()
_CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@schemathesis.serializer("application/json", *TSV, *NDJSON, PARQUET)
def serialized(context: Any, value: Any) -> bytes:
    """The body as it is sent: of the coding that the request says."""
    kind = context.case.media_type
    if isinstance(value, bytes):
        body = value
    elif isinstance(value, str) and (kind in TSV or value.endswith("\n")):
        body = value.encode()
    elif kind in TSV:  # what is no text cannot be sent as text
        body = b""
    elif isinstance(value, list) and kind in NDJSON:
        body = b"".join(json.dumps(row).encode() + b"\n" for row in value) or b"\n"
    else:
        body = json.dumps(value).encode()
    coding = (context.case.headers or {}).get("Content-Encoding")
    return _CODINGS.get(coding, bytes)(body)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Options stand in the query or in JSON: the description says it in words alone."""
    if case.meta is None:
        return
    if case.meta.generation.mode.is_positive:
        if case.media_type == "application/json":
            case.query = {}
        if (key := case.headers.get("Idempotency-Key")) is not None:
            # Of other requests the same key would be refused, all but once.
            case.headers["Idempotency-Key"] = f"{key[:240]}{next(_numbers)}"
    if case.method == "DELETE" and case.meta.phase.name is TestPhase.STATEFUL:
        case.query.pop("through", None)  # with it the job stays: only results are dropped


@schemathesis.check
def refused_by_meaning(context: Any, response: Any, case: Any) -> None:
    """A request that its schema allows is refused with 422 only for what no schema can say."""
    if (
        case.meta is None
        or not case.meta.generation.mode.is_positive
        or response.status_code != 422
    ):
        return
    told = response.json()
    fields = {wrong["field"] for wrong in told.get("errors", ())}
    assert fields, told
    assert fields <= OF_MEANING, f"refused, though it is as described: {told}"


_validators: dict[int, Draft202012Validator] = {}


@schemathesis.check
def lines_conformance(context: Any, response: Any, case: Any) -> None:
    """Each line is as `itemSchema` says, and the last one is a summary."""
    kinds = response.headers.get("content-type", [""])
    if not kinds[0].startswith("application/x-ndjson"):
        return
    document = case.operation.schema.raw_schema
    said = document["paths"][case.operation.path][case.operation.method.lower()]
    schema = said["responses"]["200"]["content"]["application/x-ndjson"]["itemSchema"]
    key = zlib.crc32(json.dumps(schema).encode())
    if key not in _validators:
        whole = {**schema, "components": document["components"]}
        _validators[key] = Draft202012Validator(whole)
    lines = [json.loads(line) for line in response.content.splitlines()]
    assert lines[-1]["type"] == "summary"
    for line in lines:
        problems = [error.message for error in _validators[key].iter_errors(line)]
        assert not problems, f"{problems[0]} in {line}"
