"""The picture host a run asks, and what it answers to each path, known beforehand."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image

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
    """The facts of any path without prefixes."""

    def __init__(self) -> None:
        pictures = {picture.name: picture for picture in make(MADE)}
        self.names = sorted(pictures)
        self.data = {name: pictures[name].data for name in self.names}
        self._facts = {}
        for name, data in self.data.items():
            with Image.open(io.BytesIO(data)) as image:
                self._facts[name] = Facts(len(data), list(image.size), image.format or "")

    def facts(self, path: str) -> Facts:
        """What the host answers to *path*."""
        return self._facts[choose(path, self.names)]
