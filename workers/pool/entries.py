"""What the pool is asked for: each runs in a child, on one item of a chunk.

Light at the top: the parent imports this for its names, and must not import Pillow by it.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from imaging.facts import ErrorCode, Failure
from imaging.predictors.about import About, CannotLoad, Spec
from workers.options import Pixels

if TYPE_CHECKING:
    from imaging.examine import Examined
    from imaging.options import Limits, Resize

__all__ = [
    "Batch",
    "Lost",
    "Predicted",
    "examine_item",
    "load_item",
    "predict_item",
    "prepare_item",
    "write_item",
]

#: More text than this is no prediction: the lines of a whole window are held.
MAX_VALUE_BYTES = 64 * 1024


class Batch(NamedTuple):
    """The decoded rows of a batch, or some of them."""

    ids: list[str]
    pixels: bytes  #: uint8 (N, 3, H, W), as many pictures as ids


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a predictor says of each row: JSON, or why there is nothing."""

    values: list[bytes | Failure]


@dataclass(frozen=True, slots=True)
class Lost:
    """The predictor that was meant cannot be had here any more; why, for people."""

    reason: str


def examine_item(data: bytes, limits: Limits, thumbnail: int | None) -> Examined | Failure:
    """All facts of one picture, decoded in full."""
    from imaging.examine import examine

    return examine(data, limits=limits, thumbnail=thumbnail)


def prepare_item(data: bytes, limits: Limits, resize: Resize) -> bytes | Failure:
    """One picture as a place in a batch takes it: uint8 (3, H, W)."""
    from imaging.pixels import prepare

    return prepare(data, limits=limits, resize=resize)


def load_item(spec: Spec) -> About | Lost:
    """Load a predictor, and tell what it is."""
    from workers.pool import held

    try:
        return held.load_anew(spec).about
    except CannotLoad as exc:
        return Lost(str(exc))


def predict_item(
    batch: Batch | None, spec: Spec, wanted: About, size: tuple[int, int]
) -> Predicted | Lost | None:
    """Ask a predictor, which must be the very one that is *wanted*.

    Without a batch it is only loaded, where it is not held: that has a time of its own then.
    """
    from imaging.pixels import as_batch
    from imaging.predictors.careful import predict
    from workers.pool import held

    try:
        predictor = held.find(spec, wanted).predictor
    except CannotLoad as exc:
        return Lost(str(exc))
    if batch is None:
        return None
    values = predict(predictor, as_batch(batch.pixels, size), batch.ids)
    held.used(spec, wanted)
    return Predicted([_written(value) for value in values])


def write_item(pixels: bytes, size: tuple[int, int], form: Pixels) -> bytes:
    """The array of a batch as JSON: base64 of a `.npy` file, or nested lists."""
    import numpy as np

    from imaging.pixels import as_batch

    array = as_batch(pixels, size)
    if form is Pixels.LIST:
        return orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return b'"' + b64encode(file.getbuffer()) + b'"'


def _plain(value: Any) -> Any:
    """What numpy has and orjson does not write: arrays that are not contiguous, or of text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _written(value: Any) -> bytes | Failure:
    """A prediction as JSON. NaN and infinities have no place there, and become null."""
    if isinstance(value, Failure):
        return value
    try:
        known = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        text = orjson.dumps(value, default=_plain, option=known)
        orjson.loads(text)  # a fragment may be anything, also the end of a line
    except Exception as error:  # of its own classes, too
        told = " ".join(f"{type(value).__name__} cannot be written as JSON: {error}".split())[:300]
        return Failure(ErrorCode.PREDICTOR_FAILED, told.encode("utf-8", "replace").decode())
    if len(text) > MAX_VALUE_BYTES:
        told = f"the prediction is {len(text)} bytes of JSON, more than {MAX_VALUE_BYTES}"
        return Failure(ErrorCode.PREDICTOR_FAILED, told)
    return text
