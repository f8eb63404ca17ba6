"""A `Spec` → the predictor it means, ready to be asked. Imports only what that one needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imaging.predictors.about import About, CannotLoad, Kind, Spec
from imaging.predictors.protocol import Predictor

__all__ = ["Loaded", "load"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A predictor and what it is."""

    about: About
    predictor: Predictor


class _Described(Predictor, Protocol):
    """A predictor that says what it is."""

    @property
    def about(self) -> About:
        """What it is."""
        ...


def load(spec: Spec) -> Loaded:
    """Load a predictor. Raises `CannotLoad`, whatever is wrong with it."""
    predictor = _predictor(spec)
    return Loaded(predictor.about, predictor)


def _predictor(spec: Spec) -> _Described:
    match spec.kind:
        case Kind.ONNX:
            from imaging.predictors.onnx_file import load_file

            return load_file(Path(spec.source), name=spec.name)
        case Kind.CLASS:
            from imaging.predictors.own import load_class

            return load_class(spec.source, name=spec.name)
        case Kind.BUILT_IN if spec.name == "appearance":
            from imaging.predictors.appearance import Appearance

            return Appearance()
        case Kind.BUILT_IN if spec.name == "none":
            from imaging.predictors.nothing import Nothing

            return Nothing()
    raise CannotLoad(f"there is no predictor {spec.name!r}")
