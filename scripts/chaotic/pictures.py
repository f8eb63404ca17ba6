"""The picture host a run asks, and what it answers to each path, known beforehand."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import orjson
from PIL import Image

from imaging.facts import Failure
from imaging.options import Limits, Resize
from imaging.pixels import as_batch, prepare
from imaging.predictors.appearance import SIDE, Appearance
from scripts.hosting.pictures import choose, make

__all__ = ["MADE", "Facts", "Foretold"]

#: So many pictures the host has.
MADE = 16


class Facts(NamedTuple):
    """What must be told of a picture."""

    image_size: int
    image_dimension: list[int]
    image_format: str


class Foretold:
    """The facts and the prediction of any path without prefixes."""

    def __init__(self) -> None:
        pictures = {picture.name: picture for picture in make(MADE)}
        self.names = sorted(pictures)
        self.data = {name: pictures[name].data for name in self.names}
        self._facts = {}
        for name, data in self.data.items():
            with Image.open(io.BytesIO(data)) as image:
                self._facts[name] = Facts(len(data), list(image.size), image.format or "")
        self._predictions = {name: _predicted(data) for name, data in self.data.items()}

    def name(self, path: str) -> str:
        """The picture that the host answers *path* with."""
        return choose(path, self.names)

    def facts(self, path: str) -> Facts:
        """What is to be told of it."""
        return self._facts[self.name(path)]

    def prediction(self, path: str) -> dict[str, Any]:
        """What the predictor says of it, whatever its neighbours in a batch are."""
        return self._predictions[self.name(path)]


def _predicted(data: bytes) -> dict[str, Any]:
    """Of one picture alone, as it comes out of JSON."""
    size = (SIDE, SIDE)
    pixels = prepare(data, limits=Limits(), resize=Resize(size))
    if isinstance(pixels, Failure):
        raise TypeError(f"a picture of our own cannot be decoded: {pixels}")
    (value,) = Appearance()(as_batch(pixels, size), ["alone"])
    read: dict[str, Any] = orjson.loads(orjson.dumps(value))
    return read
