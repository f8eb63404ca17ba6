"""What goes into looking at a picture besides its bytes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on decoding. Header facts are never bound by them."""

    max_pixels: int = 50_000_000  #: width × height of the first frame (and of the canvas)
    max_scans: int = 64  #: JPEG scans; a file of thousands keeps a decoder busy for minutes
