"""The JSON beside an .onnx file: what the model expects and what its scores are called.

Every member may be left out; one that is unknown or wrong makes the predictor `CannotLoad`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imaging.predictors.about import MAX_SIDE, CannotLoad, Layout
from imaging.predictors.reasons import one_line

__all__ = ["OnnxSettings"]

Channels = tuple[float, float, float]

_LARGEST = 1e6  #: of mean and std: enough for pictures of 0–65535, and far from overflow
_SMALLEST = 1e-6  #: of std: no picture becomes infinite


@dataclass(frozen=True, slots=True)
class OnnxSettings:
    """What is said of a model beside it."""

    size: tuple[int, int] | None = None  #: (width, height); None: as the model says
    layout: Layout | None = None  #: None: as the model's input looks
    mean: Channels = (0.0, 0.0, 0.0)  #: taken off pictures of 0–1
    std: Channels = (1.0, 1.0, 1.0)  #: and divided by
    labels: tuple[str, ...] = ()  #: of the scores, in order; none: "0", "1", …
    softmax: bool = False  #: whether scores are logits, to be made probabilities
    top_k: int = 5  #: how many scores are told, the highest first; 0: all

    @classmethod
    def read(cls, data: bytes) -> OnnxSettings:
        """Read the bytes of the JSON. Raises `CannotLoad`, naming the member that is wrong."""
        try:
            members = json.loads(data, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise CannotLoad(one_line(f"not JSON: {error}")) from error
        if not isinstance(members, dict):
            raise CannotLoad("not a JSON object")
        for name in members:
            if name not in _READERS:
                raise CannotLoad(
                    one_line(f"unknown member {name!r}; there are {', '.join(_READERS)}")
                )
        return cls(**{name: _READERS[name](value) for name, value in members.items()})


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) == 2 and all(_is_whole(side) and 1 <= side <= MAX_SIDE for side in sides):
        return sides[0], sides[1]
    raise CannotLoad(f"size is neither [width, height] nor one number, of 1 to {MAX_SIDE} pixels")


def _layout(value: Any) -> Layout:
    if isinstance(value, str) and value in list(Layout):
        return Layout(value)
    raise CannotLoad(f"layout is neither {' nor '.join(Layout)}")


def _mean(value: Any) -> Channels:
    return _channels("mean", value, -_LARGEST)


def _std(value: Any) -> Channels:
    return _channels("std", value, _SMALLEST)


def _channels(name: str, value: Any, least: float) -> Channels:
    numbers = value if isinstance(value, list) else [value]
    # NaN, which Python reads in JSON, is not within any bounds.
    if len(numbers) not in (1, 3) or not all(
        _is_number(number) and least <= number <= _LARGEST for number in numbers
    ):
        raise CannotLoad(f"{name} is not one number, or three, of {least:g} to {_LARGEST:g}")
    red, green, blue = numbers if len(numbers) == 3 else numbers * 3
    return float(red), float(green), float(blue)


def _labels(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(map(_is_text, value)):
        raise CannotLoad("labels is not a list of texts")
    if len(set(value)) != len(value):
        twice = next(label for place, label in enumerate(value) if label in value[:place])
        raise CannotLoad(one_line(f"labels has {twice!r} twice"))
    return tuple(value)


def _softmax(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise CannotLoad("softmax is neither true nor false")


def _top_k(value: Any) -> int:
    if _is_whole(value) and value >= 0:
        return int(value)
    raise CannotLoad("top_k is not a whole number from 0")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, float)


def _is_text(value: Any) -> bool:
    """A text that UTF-8 can hold: JSON can spell lone surrogates, records cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_READERS: dict[str, Callable[[Any], Any]] = {
    "size": _size,
    "layout": _layout,
    "mean": _mean,
    "std": _std,
    "labels": _labels,
    "softmax": _softmax,
    "top_k": _top_k,
}
