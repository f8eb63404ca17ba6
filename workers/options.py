"""What a client may ask for besides the list itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from imaging.options import Filter, Fit
from imaging.predictors import about

__all__ = ["BatchOptions", "Depth", "InfoOptions", "Options", "Pixels", "text_of"]


class Depth(StrEnum):
    """How far a picture is looked into."""

    HEADER = "header"  #: the first bytes, in the event loop
    FULL = "full"  #: the whole file, decoded in the pool


class Pixels(StrEnum):
    """Whether the array of a batch stands in its line, and how."""

    NONE = "none"  #: it does not
    NPY = "npy"  #: base64 of a `.npy` file
    LIST = "list"  #: nested lists


@dataclass(frozen=True, slots=True)
class InfoOptions:
    """Options of `images_info`."""

    depth: Depth = Depth.HEADER
    ordered: bool = False  #: records in manifest order
    limit: int | None = None  #: only the first so many rows
    timeout: float | None = None  #: seconds a picture, instead of the setting
    thumbnail: int | None = None  #: long side of a WebP beside the facts; implies full depth
    extra: bool = False  #: pass the other columns of the manifest through
    changes: bool = False  #: the manifest is an earlier answer: say what has changed since

    @property
    def needs_body(self) -> bool:
        """Whether whole files are fetched and decoded."""
        return self.depth is Depth.FULL or self.thumbnail is not None

    def json(self) -> dict[str, Any]:
        """As the `start` line tells them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of `batch_predict`."""

    batch_size: int = 32  #: rows predicted together
    predictor: str = about.DEFAULT
    size: tuple[int, int] | None = None  #: (width, height); None: what the predictor wants
    fit: Fit = Fit.STRETCH
    matte: str = "#ffffff"  #: behind transparency and around a padded picture
    filter: Filter = Filter.BICUBIC
    pixels: Pixels = Pixels.NONE
    ordered: bool = False  #: batches in manifest order
    limit: int | None = None  #: only the first so many rows
    timeout: float | None = None  #: seconds a picture, instead of the setting
    extra: bool = False  #: pass the other columns of the manifest through

    def json(self) -> dict[str, Any]:
        """As the `start` line tells them."""
        return asdict(self)


Options = InfoOptions | BatchOptions


def text_of(value: object) -> str:
    """An option as a field of a job has it: `1` for true, `224x224` for a size."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value)
