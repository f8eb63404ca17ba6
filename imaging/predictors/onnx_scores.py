"""A model's output → the scores that are told of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.predictors.onnx_settings import OnnxSettings

__all__ = ["as_rows", "scores"]

#: Significant digits of a score: what float32 holds, less what a batch's size may move.
DIGITS = 6


def as_rows(output: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """Return an output as (N, C): sides of 1 behind these go, (N,) is one column.

    Raises `ValueError` for another shape.
    """
    shape = output.shape
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 1:
        shape = (*shape, 1)
    if len(shape) != 2 or shape[0] != rows or shape[1] == 0:
        raise ValueError(f"its output for {rows} pictures is {output.shape}, not one row for each")
    return output.reshape(shape).astype(np.float64)


def scores(
    outputs: NDArray[np.float64], ids: Sequence[str], settings: OnnxSettings
) -> list[dict[str, dict[str, float]]]:
    """Return `{"scores": {label: score}}` for each row, the highest score first.

    Equal scores are in the model's order. Raises `ValueError` for an output that is not finite.
    """
    finite = np.isfinite(outputs).all(axis=1)
    if not finite.all():
        raise ValueError(f"the output for id {ids[int(np.argmin(finite))]!r} is not finite")
    if settings.softmax:
        outputs = _softmax(outputs)
    return [{"scores": _highest(row, settings)} for row in outputs]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of logits of any size."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _highest(row: NDArray[np.float64], settings: OnnxSettings) -> dict[str, float]:
    """The scores of one row by label. Rounded before they are sorted: noise makes no order."""
    wanted = settings.top_k or len(row)
    places = np.arange(len(row))
    if wanted < len(row):
        last = np.partition(row, -wanted)[-wanted]
        # Rounding moves less than that: all that may come to be among the highest.
        places = np.flatnonzero(row >= last - 10.0 ** (1 - DIGITS) * abs(last))
    rounded = [(place, _rounded(row[place])) for place in places.tolist()]
    rounded.sort(key=lambda pair: (-pair[1], pair[0]))
    labels = settings.labels
    return {labels[place] if labels else str(place): score for place, score in rounded[:wanted]}


def _rounded(score: float) -> float:
    return float(f"{score:.{DIGITS}g}") + 0.0  # never -0.0
