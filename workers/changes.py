"""What an earlier census found, and what a later one finds changed."""

from __future__ import annotations

from typing import NamedTuple

from imaging.facts import Failure, ImageInfo

__all__ = ["Earlier"]


class Earlier(NamedTuple):
    """One row as an earlier census recorded it."""

    outcome: ImageInfo | Failure
    etag: str | None  #: as the host sent it
    last_modified: str | None
