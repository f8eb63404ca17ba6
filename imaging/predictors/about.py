"""Which predictor is meant, and what a loaded one is. Light: who only tells of predictors, or
pickles these values, needs neither numpy nor a model's libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "BUILT_IN",
    "DEFAULT",
    "MAX_SIDE",
    "About",
    "CannotLoad",
    "Kind",
    "Layout",
    "Spec",
    "is_name",
    "parse_class",
]

BUILT_IN = ("none", "appearance")  #: predictors that are always there
DEFAULT = "appearance"
MAX_SIDE = 4096  #: pixels; the widest and highest picture a predictor may ask for

_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class CannotLoad(Exception):
    """A predictor could not be made ready. Its one argument is a sentence for people."""


class Kind(StrEnum):
    """Where a predictor comes from."""

    BUILT_IN = "built_in"
    CLASS = "class"  #: a class of the user's own, `module:Class`
    ONNX = "onnx"  #: a model file


class Layout(StrEnum):
    """The order of a batch's axes: N pictures, C channels, H rows, W columns."""

    NCHW = "NCHW"
    NHWC = "NHWC"


@dataclass(frozen=True, slots=True)
class Spec:
    """Which predictor is meant, before it is loaded."""

    name: str
    source: str  #: nothing for a built-in, `module:Class`, or the path of an .onnx file
    kind: Kind

    def __str__(self) -> str:
        return f"{self.name}={self.source}"


def parse_class(text: str) -> Spec:
    """`name=module:Class` → a predictor of the user's own. Raises ValueError."""
    name, _, where = (part.strip() for part in text.partition("="))
    if not is_name(name) or _CLASS.fullmatch(where) is None:
        raise ValueError(f"{text!r} is not name=module:Class")
    if name.endswith(".onnx"):
        raise ValueError(f"{name} looks like the name of a file: give another")
    if name in BUILT_IN:
        raise ValueError(f"{name} is the name of a predictor that is built in")
    return Spec(name, where, Kind.CLASS)


@dataclass(frozen=True, slots=True)
class About:
    """What a loaded predictor is."""

    name: str
    version: str | None = None
    size: tuple[int, int] | None = None  #: (width, height) pictures must have; None: any
    layout: Layout = Layout.NCHW
    labels: tuple[str, ...] = ()
    sha256: str | None = None  #: of the model file
    settings_sha256: str | None = None  #: of the JSON beside it
    software: tuple[tuple[str, str], ...] = ()  #: what computes, each with its version

    def json(self) -> dict[str, Any]:
        """Return what a JSON encoder takes, with the same names."""
        return {
            "name": self.name,
            "version": self.version,
            "size": None if self.size is None else list(self.size),
            "layout": self.layout.value,
            "labels": list(self.labels),
            "sha256": self.sha256,
            "settings_sha256": self.settings_sha256,
            "software": dict(self.software),
        }


def is_name(text: str) -> bool:
    """Whether a predictor may be called so: 1 to 64 ASCII letters, digits, `.`, `_`, `-`."""
    return _NAME.fullmatch(text) is not None
