"""A request → what it asks for, validated. What is wrong is named, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import ValidationError

from server.bodies import Body
from server.problems import RequestError
from workers.asked import Asked, wrong_fields
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.kinds import Kind, check_readable
from workers.manifest.objects import MAX_INLINE_ROWS

__all__ = ["MANIFEST_TYPES", "read_json", "read_query", "read_request", "refuse_unreadable"]

A = TypeVar("A", bound=Asked)

#: What a manifest may come as, in the body itself.
MANIFEST_TYPES = {
    "text/tab-separated-values": Kind.TSV,
    "text/csv": Kind.CSV,
    "application/x-ndjson": Kind.NDJSON,
    "application/ndjson": Kind.NDJSON,
    "application/jsonl": Kind.NDJSON,
    "application/vnd.apache.parquet": Kind.PARQUET,
}
MAX_JSON_BYTES = 16 * 1024 * 1024
#: More members than any request has: naming each that is wrong would take seconds.
MAX_OPTIONS = 64
#: More objects and lists than that many rows have: reading them would hold up everybody.
MAX_CONTAINERS = 300_000
#: And of values, told by their commas.
MAX_VALUES = 500_000


async def read_request(request: web.Request, model: type[A]) -> tuple[A, Kind | None]:
    """What is asked for, and of which kind the body is where that is the manifest itself.

    Raises:
        RequestError: as `read_json` and `read_query`.
    """
    kind = MANIFEST_TYPES.get(request.content_type)
    asked = await read_json(request, model) if kind is None else read_query(request, model)
    return asked, kind


async def read_json(request: web.Request, model: type[A]) -> A:
    """The request in a JSON body.

    Raises:
        RequestError: 422 "Data is not provided" without a JSON object; 400, 413, 422 otherwise.
    """
    kind = request.content_type
    body = b""
    if kind == "application/json" or kind.endswith("+json"):
        body = await _read(request)
    if not body:
        raise _no_data(
            "send a JSON object as application/json, or a manifest as " + ", ".join(MANIFEST_TYPES)
        )
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS or body.count(b",") > MAX_VALUES:
        raise RequestError(413, "more values than are read at once: send the rows as a manifest")
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise RequestError(400, f"the body is not JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise _no_data('the JSON body is not an object; rows go into {"images": […]}')
    if request.query_string:
        raise RequestError(422, "options belong in the JSON body, not in the query")
    if len(data) > MAX_OPTIONS:
        raise RequestError(422, f"the body has {len(data)} members; no request has so many")
    images = data.get("images")
    if isinstance(images, list) and len(images) > MAX_INLINE_ROWS:
        told = f"more than {MAX_INLINE_ROWS} rows: send them as a manifest"
        raise RequestError(413, told, fields=[("images", told)])
    asked = _validated(model, data)
    if asked.filepath is None and asked.images is None:
        missing = "give filepath or images"
        raise RequestError(
            422, "Invalid input file url", detail=missing, fields=[("filepath", missing)]
        )
    return asked


def read_query(request: web.Request, model: type[A]) -> A:
    """The options of a request whose body is the manifest. Raises RequestError (422)."""
    data: dict[str, Any] = {}
    for name, value in request.query.items():
        if name in ("filepath", "images"):
            raise RequestError(
                422,
                f"{name}: the body is the manifest",
                fields=[(name, "the body is the manifest")],
            )
        data[name] = value
    return _validated(model, data)


def refuse_unreadable(kind: Kind | None, status: int, field: str) -> None:
    """Raises RequestError (*status*) where what reads this kind of manifest is not installed."""
    try:
        check_readable(kind)
    except ManifestError as exc:
        raise RequestError(status, str(exc), fields=[(field, str(exc))]) from exc


async def _read(request: web.Request) -> bytes:
    try:
        body = Body(request, max_bytes=MAX_JSON_BYTES)
        return b"".join([piece async for piece in body.pieces()])
    except ManifestTooLarge as exc:
        told = f"a JSON body may have {MAX_JSON_BYTES} bytes; send a manifest"
        raise RequestError(413, told) from exc


def _validated(model: type[A], data: Mapping[str, Any]) -> A:
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        fields = wrong_fields(exc)
        told = "; ".join(f"{name}: {sentence}" for name, sentence in fields)
        raise RequestError(422, told, fields=fields) from exc


def _no_data(detail: str) -> RequestError:
    return RequestError(422, "Data is not provided", detail=detail)
