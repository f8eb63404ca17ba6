"""Python values → JSON Schemas, in as few words as the description needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "BOOLEAN",
    "COUNT",
    "DIGEST",
    "NUMBER",
    "TEXT",
    "Schema",
    "array",
    "choice",
    "constant",
    "counts",
    "nullable",
    "ref",
    "shape",
    "told",
]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def ref(name: str, section: str = "schemas") -> Schema:
    """A component by its name."""
    return {"$ref": f"#/components/{section}/{name}"}


def told(schema: Schema, sentence: str) -> Schema:
    """The same, with a sentence for people."""
    return {**schema, "description": sentence}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if isinstance(kind := schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def constant(value: object) -> Schema:
    """This value alone."""
    return {"const": value}


def choice(values: Iterable[str]) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


def array(items: Schema, *, least: int | None = None, most: int | None = None) -> Schema:
    """A list of such."""
    bounds = {"minItems": least, "maxItems": most}
    found = {name: value for name, value in bounds.items() if value is not None}
    return {"type": "array", "items": items, **found}


def counts(names: Schema) -> Schema:
    """How many of each; *names* says what may be counted."""
    return {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": {"type": "integer", "minimum": 0},
    }


def shape(
    always: Mapping[str, Schema], sometimes: Mapping[str, Schema] | None = None, /, **more: Any
) -> Schema:
    """An object that has the members *always*, may have those *sometimes*, and no other.

    *more* is added to it as it is.
    """
    return {
        "type": "object",
        "properties": {**always, **(sometimes or {})},
        "required": list(always),
        "additionalProperties": False,
        **more,
    }
