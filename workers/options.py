"""What a client may ask for besides the list itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Depth", "InfoOptions"]


class Depth(StrEnum):
    """How far a picture is looked into."""

    HEADER = "header"  #: the first bytes, in the event loop
    FULL = "full"  #: the whole file, decoded in the pool


@dataclass(frozen=True, slots=True)
class InfoOptions:
    """Options of `images_info`."""

    depth: Depth = Depth.HEADER
    ordered: bool = False  #: records in manifest order
    limit: int | None = None  #: only the first so many rows
    timeout: float | None = None  #: seconds a picture, instead of the setting
    thumbnail: int | None = None  #: long side of a WebP beside the facts; implies full depth
    extra: bool = False  #: pass the other columns of the manifest through

    @property
    def needs_body(self) -> bool:
        """Whether whole files are fetched and decoded."""
        return self.depth is Depth.FULL or self.thumbnail is not None

    def json(self) -> dict[str, Any]:
        """As the `start` line tells them."""
        return asdict(self)
