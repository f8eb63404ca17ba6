"""The predictors that this child of the pool has loaded: each once, for as long as the child lives.

A predictor is known by its name and the hashes it was loaded by. Where another is wanted than the
one that is found, it is said so: predictions of two models are never mixed.
"""

from __future__ import annotations

from imaging.predictors.about import About, CannotLoad, Kind, Spec
from imaging.predictors.loading import Loaded, load
from workers.pool.child import forget_growth, loading

__all__ = ["find", "load_anew", "used"]

#: So many models are held; of more, the one that was not used for longest is dropped.
MOST = 4

_held: dict[Spec, Loaded] = {}
_used: set[Spec] = set()


def find(spec: Spec, wanted: About) -> Loaded:
    """The predictor that is *wanted*. Raises CannotLoad where it is another by now, or gone."""
    loaded = _held.pop(spec, None)
    if loaded is None or loaded.about != wanted:
        loaded = load_anew(spec)
    _held[spec] = loaded  # the last is the one used last
    if loaded.about != wanted:
        what = f"the file of the model {spec.name}" if spec.kind is Kind.ONNX else spec.name
        raise CannotLoad(f"{what} is another than the one it began with")
    return loaded


def load_anew(spec: Spec) -> Loaded:
    """Load a predictor, whatever is held. Raises CannotLoad, and MemoryError."""
    _held.pop(spec, None)
    _used.discard(spec)
    while len(_held) >= MOST:
        del _held[next(iter(_held))]
    with loading():  # the memory of a child counts from here
        loaded = load(spec)
    _held[spec] = loaded
    return loaded


def used(spec: Spec) -> None:
    """It predicted: what it made room for the first time belongs to it, and is no growth."""
    if spec not in _used:
        _used.add(spec)
        forget_growth()
