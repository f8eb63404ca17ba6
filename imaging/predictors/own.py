"""A class of the user's own, named `module:Class`, made into a predictor.

The class is called without arguments; what it makes is called with each batch and the rows' ids.
Attributes it may have: `version`, `size`, `layout`, `labels`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.predictors.about import MAX_SIDE, About, CannotLoad, Layout
from imaging.predictors.protocol import Described, Pictures
from imaging.predictors.reasons import one_line, reason

__all__ = ["Own", "load_class"]


@dataclass(frozen=True, slots=True)
class Own(Described):
    """An object of the user's class, with what it said of itself when it was loaded."""

    about: About
    call: Callable[[Pictures, Sequence[str]], Sequence[Any]]

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        """Ask the object."""
        return self.call(batch, ids)


def load_class(source: str, *, name: str) -> Own:
    """Import `module:Class`, make one and read its attributes. Raises `CannotLoad`."""
    module, separator, qualified = source.partition(":")
    if not (separator and _dotted(module) and _dotted(qualified)):
        raise CannotLoad(one_line(f"{source!r} does not read module:Class"))
    try:
        made = _made(module, qualified)
        about = About(
            name=name,
            version=_version(getattr(made, "version", None)),
            size=_size(getattr(made, "size", None)),
            layout=_layout(getattr(made, "layout", Layout.NCHW)),
            labels=_labels(getattr(made, "labels", ())),
        )
    except CannotLoad as error:
        raise CannotLoad(one_line(f"{source}: {error}")) from error.__cause__
    except (KeyboardInterrupt, MemoryError):  # the latter says nothing of the class
        raise
    except BaseException as error:  # a module may even exit when it is imported
        raise CannotLoad(one_line(f"{source} raised {reason(error)}")) from error
    return Own(about, made)


def _dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _made(module: str, qualified: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in qualified.split("."):
        if not hasattr(found, part):
            raise CannotLoad(f"there is no {part} in {found.__name__}")
        found = getattr(found, part)
    if not callable(found):
        raise CannotLoad("this is not a class")
    made = found()
    if not callable(made):
        raise CannotLoad("its objects cannot be called: it needs __call__(self, batch, ids)")
    return made


def _version(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and _plain(value)):
        return value
    raise CannotLoad("version is not a text")


def _size(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if isinstance(value, Sequence) and len(value) == 2 and all(map(_is_side, value)):
        return int(value[0]), int(value[1])
    raise CannotLoad(f"size is not (width, height) of 1 to {MAX_SIDE} pixels")


def _is_side(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and 1 <= value <= MAX_SIDE


def _layout(value: Any) -> Layout:
    try:
        return Layout(value)
    except ValueError:
        raise CannotLoad(f"layout is neither {' nor '.join(Layout)}") from None


def _labels(value: Any) -> tuple[str, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        labels = tuple(value)
        if all(isinstance(label, str) and _plain(label) for label in labels):
            return labels
    raise CannotLoad("labels is not a list of texts")


def _plain(text: str) -> bool:
    """Whether UTF-8 can hold it: lone surrogates have no place in a record."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
