"""The `image_info` or the `error` of a record, read again as the value that was written."""

from __future__ import annotations

from typing import Any

from imaging.facts import ErrorCode, Failure, ImageInfo

__all__ = ["read_outcome", "typed"]

_CODES = {code.value: code for code in ErrorCode}
#: How a fact stands there, by the type of its JSON.
_TYPES: dict[str, type] = {
    "image_mode": str,
    "orientation": int,
    "animated": bool,
    "image_size": int,
    "sha256": str,
    "phash": str,
    "frames": int,
    "has_icc": bool,
    "sharpness": float,
    "brightness": float,
    "contrast": float,
    "colourfulness": float,
}


def read_outcome(record: dict[str, Any]) -> ImageInfo | Failure | None:
    """The outcome in *record*, parsed JSON; None where there is none of ours. Facts that are not
    what they should be are as good as not known.
    """
    info, error = record.get("image_info"), record.get("error")
    if isinstance(info, dict) and isinstance(info.get("image_format"), str):
        known: dict[str, Any] = {name: typed(info.get(name), kind) for name, kind in _TYPES.items()}
        return ImageInfo(info["image_format"], _dimension(info.get("image_dimension")), **known)
    if not isinstance(error, dict) or (code := _CODES.get(str(error.get("code")))) is None:
        return None
    message = typed(error.get("message"), str) or ""
    return Failure(code, message, typed(error.get("http_status"), int))


def typed(value: object, kind: type) -> Any:
    """*value* where it is of that very type (a whole number may be a measure), else None."""
    if kind is float and type(value) is int:
        return float(value)
    return value if type(value) is kind else None


def _dimension(said: object) -> tuple[int, int] | None:
    if not isinstance(said, list) or [type(side) for side in said] != [int, int]:
        return None
    return said[0], said[1]
