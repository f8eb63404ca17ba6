"""Asking a predictor so that a row it cannot take costs only that row.

A batch is predicted in one call. Where that call raises, or does not answer with one value per
row, the batch is halved until the rows stand alone that it happens with: about 2·log₂ N further
calls for each of them. Where it happens with none of them alone, an answer of so many values is
nobody's, as of a predictor that says one thing of each call: then all of its rows fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imaging.facts import ErrorCode, Failure
from imaging.predictors.about import Layout
from imaging.predictors.protocol import Pictures, Predictor
from imaging.predictors.reasons import one_line, reason

__all__ = ["predict"]


class _WrongAnswer(Exception):
    """What a predictor returned is not one value per row."""


def predict(predictor: Predictor, batch: Pictures, ids: Sequence[str]) -> list[Any | Failure]:
    """Return a value or a `Failure` for each row of an (N, 3, H, W) batch, which stays as it is.

    Raises nothing of the predictor's but `KeyboardInterrupt`.
    """
    if len(batch) != len(ids):
        raise ValueError(f"{len(batch)} pictures with {len(ids)} ids")
    if len(batch) == 0:
        return []
    answer = _ask(predictor, batch, ids)
    if isinstance(answer, list):
        return answer
    failure = Failure(ErrorCode.PREDICTOR_FAILED, str(answer))
    if len(batch) == 1:
        return [failure]
    half = len(batch) // 2
    found = [
        *predict(predictor, batch[:half], ids[:half]),
        *predict(predictor, batch[half:], ids[half:]),
    ]
    if isinstance(answer, _WrongAnswer) and not any(isinstance(one, Failure) for one in found):
        return [failure] * len(batch)
    return found


def _ask(
    predictor: Predictor, batch: Pictures, ids: Sequence[str]
) -> list[Any] | _WrongAnswer | str:
    """Make one call. Returns the values, or what is wrong with them, or what was raised, in words.

    Words, not the error: its traceback would keep the call's arrays alive while the halves run.
    """
    try:
        return _values(predictor(_copy(batch, predictor.layout), list(ids)), len(batch))
    except KeyboardInterrupt:
        raise
    except _WrongAnswer as error:
        return _WrongAnswer(str(error))
    except BaseException as error:  # SystemExit too: code for one script may be run on any row
        return reason(error)


def _copy(batch: Pictures, layout: Layout) -> Pictures:
    """The pictures in a predictor's own memory and layout: it may write over them."""
    return np.array(batch if layout is Layout.NCHW else batch.transpose(0, 2, 3, 1), order="C")


def _values(answer: Any, rows: int) -> list[Any]:
    """An answer as a list. Mappings and texts have a length too, and would be taken apart."""
    if not isinstance(answer, Sequence | np.ndarray) or isinstance(answer, str | bytes | bytearray):
        raise _WrongAnswer(one_line(f"the predictor returned {type(answer).__name__}, not a list"))
    values = list(answer)
    if len(values) != rows:
        raise _WrongAnswer(f"the predictor returned {len(values)} values, not {rows}")
    return values
