"""The one line codec. What the HTTP stream writes and what a job keeps are these same bytes:
compact JSON, one object a line, each with its `type`.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["LINE_TYPES", "SCHEMA", "encode_line", "encode_value", "start_line"]

#: What the records of each kind are called in their lines.
LINE_TYPES = {"images_info": "image", "batch_predict": "batch"}

#: Raised when a line's fields change their meaning; new fields do not raise it.
SCHEMA = 1


def encode_line(line: dict[str, Any]) -> bytes:
    """One NDJSON line, its break included."""
    return encode_value(line) + b"\n"


def encode_value(value: object) -> bytes:
    """Any value as compact JSON."""
    try:
        return orjson.dumps(value)
    except (
        TypeError
    ):  # lone surrogates and integers beyond 64 bits: the standard library takes them
        return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    """What the standard library does not know."""
    return orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else str(value)


def start_line(
    *,
    kind: str,
    manifest: str | None,
    options: dict[str, Any],
    job: str | None = None,
    **more: Any,
) -> bytes:
    """The first line of a stream, or of the results of a *job*; *more* fields stand last."""
    return encode_line(
        {
            "type": "start",
            "schema": SCHEMA,
            "kind": kind,
            "job": job,
            "manifest": manifest,
            "options": options,
            **more,
        }
    )
