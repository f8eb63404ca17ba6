"""The predictors that this child of the pool has loaded: each once, for as long as the child lives.

A predictor is known by its name and the hashes it was loaded by. One whose file was replaced stays
beside the new one: whoever began with it goes on with it. Where another is wanted than is found, it
is said so: predictions of two models are never mixed.
"""

from __future__ import annotations

import errno

from imaging.predictors.about import About, CannotLoad, Kind, Spec
from imaging.predictors.loading import Loaded, load
from workers.pool.child import forget_growth, loading

__all__ = ["find", "load_anew", "used"]

#: So many models are held; of more, the one that was not used for longest is dropped.
MOST = 4

#: Errors that say nothing of a file: this process, or this machine, is short of something.
_OF_THE_PROCESS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})

Key = tuple[Spec, About]

_held: dict[Key, Loaded] = {}
_used: set[Key] = set()


def find(spec: Spec, wanted: About) -> Loaded:
    """The predictor that is *wanted*.

    Raises CannotLoad where it is another by now, or gone; MemoryError where it does not fit.
    """
    key = spec, wanted
    loaded = _held.pop(key, None)
    if loaded is None:
        loaded = load_anew(spec)
        if loaded.about != wanted:
            what = f"the model {spec.name}" if spec.kind is Kind.ONNX else spec.name
            raise CannotLoad(f"{what} is another than the one it began with")
    else:
        _held[key] = loaded  # the last is the one used last
    return loaded


def load_anew(spec: Spec) -> Loaded:
    """Load a predictor, whatever is held.

    Raises CannotLoad; MemoryError and OSError where it may be otherwise another time.
    """
    while len(_held) >= MOST:
        oldest = next(iter(_held))
        del _held[oldest]
        _used.discard(oldest)
    with loading():  # the memory of a child counts from here
        try:
            loaded = load(spec)
        except CannotLoad as exc:
            if isinstance(exc.__cause__, OSError) and exc.__cause__.errno in _OF_THE_PROCESS:
                raise exc.__cause__ from None
            raise
    _held[spec, loaded.about] = loaded
    return loaded


def used(spec: Spec, about: About) -> None:
    """It predicted: what it made room for the first time belongs to it, and is no growth."""
    if (spec, about) not in _used:
        _used.add((spec, about))
        forget_growth()
