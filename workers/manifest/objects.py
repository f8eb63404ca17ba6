"""A JSON value → `Row`: an object with `url` and maybe `id`, or a URL alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from workers.manifest.lines import MAX_LINE_BYTES
from workers.manifest.rows import Row, bad_row, extra_json

__all__ = [
    "MAX_INLINE_ROWS",
    "batch_items",
    "batch_row",
    "inline_rows",
    "is_report",
    "object_row",
]

#: More rows than this come as a manifest, which is read as a stream.
MAX_INLINE_ROWS = 100_000

#: From here on a JSON reader no longer keeps every number as written.
_EXACT = 2.0**53

#: More members than this in one row: nobody's table is so wide.
MAX_MEMBERS = 4096

#: Lines of our own answers that are about the run, and a member each has.
_REPORTS = {"start": "schema", "progress": "done", "summary": "complete"}


def object_row(
    index: int,
    end: int,
    value: object,
    *,
    extra: bool = False,
    written: Callable[[], str | None] = lambda: None,
) -> Row:
    """The row that *value* is. *written* tells an `id` that is a fraction as it was spelled."""
    if not isinstance(value, dict):
        if not isinstance(value, str):
            return bad_row(index, end, "expected an object with url, or a URL as text")
        return Row(index, str(index), value, end, None, b"{}" if extra else None)
    if len(value) > MAX_MEMBERS:
        return bad_row(index, end, f"{len(value)} members, more than {MAX_MEMBERS}")
    identity, url = _member(value, "id"), _member(value, "url")
    if isinstance(identity, float):
        identity = written() or (repr(identity) if abs(identity) < _EXACT else identity)
    if isinstance(identity, bool) or not isinstance(identity, str | int | None):
        large = isinstance(identity, float)
        told = "id is a number too large to keep: write it as text"
        return bad_row(index, end, told if large else "id is neither text nor a number")
    known = str(index) if identity in (None, "") else str(identity)
    if not isinstance(url, str):
        return bad_row(index, end, "no url" if url is None else "url is not text", known)
    if not extra:
        return Row(index, known, url, end)
    try:
        return Row(index, known, url, end, None, extra_json(_others(value)))
    except ValueError as exc:
        return bad_row(index, end, str(exc), known)


def is_report(value: object) -> bool:
    """Whether a line of one of our own answers is no row: start, progress or summary."""
    if not isinstance(value, dict) or "url" in value:
        return False
    kind = value.get("type")
    return isinstance(kind, str) and _REPORTS.get(kind) in value


def batch_items(value: object) -> list[Any] | None:
    """What stands for the rows of one of our own batch lines; None where it is no such line."""
    if not isinstance(value, dict) or value.get("type") != "batch" or "url" in value:
        return None
    items = value.get("rows")
    return items if isinstance(items, list) and "batch" in value else None


def batch_row(index: int, end: int, item: object, *, extra: bool) -> Row:
    """The row that *item* of a batch line stands for, with what was passed through before."""
    passed: Any = None
    if isinstance(item, dict):
        passed, item = item.get("extra"), {"id": item.get("id"), "url": item.get("url")}
    row = object_row(index, end, item)
    if row.problem is not None:
        return row
    if len(row.id) + len(row.url or "") > MAX_LINE_BYTES:  # as no other line may have it
        return bad_row(index, end, f"id and URL are longer than {MAX_LINE_BYTES} characters")
    if not extra:
        return row
    try:
        return row._replace(extra=extra_json(passed if isinstance(passed, dict) else {}))
    except ValueError as exc:
        return bad_row(index, end, str(exc), row.id)


def inline_rows(
    items: Sequence[Any], *, limit: int | None = None, extra: bool = False
) -> Iterator[Row]:
    """The rows of a list in a JSON body."""
    for index, item in enumerate(items[:limit]):
        yield object_row(index, 0, item, extra=extra)


def _member(found: dict[str, Any], name: str) -> Any:
    if name in found:
        return found[name]
    for key in found:  # as a header may be written: Url, URL
        if key.strip().lower() == name:
            return found[key]
    return None


def _others(found: dict[str, Any]) -> dict[str, Any]:
    """The other members; of a record of our own those that were passed through before."""
    if found.get("type") == "image" and "image_info" in found:
        passed = found.get("extra")
        return passed if isinstance(passed, dict) else {}
    return {key: value for key, value in found.items() if key.strip().lower() not in ("id", "url")}
