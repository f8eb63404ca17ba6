"""What a client accepts: the media types that it names, and how much it wants each."""

from __future__ import annotations

import math

from aiohttp import web

__all__ = ["accepted"]


def accepted(request: web.Request) -> dict[str, float]:
    """The types named in `Accept`, in small letters, with their quality; not those of quality 0."""
    found: dict[str, float] = {}
    for part in ",".join(request.headers.getall("Accept", [])).split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_quality(piece[2:]) for piece in parameters if piece[:2] == "q="), 1.0)
        if kind and quality > 0:
            found[kind] = max(quality, found.get(kind, 0.0))
    return found


def _quality(said: str) -> float:
    """One that cannot be read is as good as none given."""
    try:
        quality = float(said)
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(quality) else quality
