"""The files to start from: every sample of the tests, by the format its name begins with."""

from __future__ import annotations

import importlib
from pathlib import Path

__all__ = ["seeds"]

TESTS = Path(__file__).resolve().parents[2] / "tests"
#: Larger ones (fat metadata, large pictures) take their time without leading further.
LARGEST = 70_000
#: Sample names that do not begin with their format.
_ALSO = {"apng": "png", "mpo": "jpeg"}


def seeds(formats: list[str] | None = None) -> list[tuple[str, bytes]]:
    """All samples, as (name, bytes), of the formats named: jpeg, png, gif, webp, bmp, tiff, …

    Raises ValueError when there are none.
    """
    found = {}
    for path in sorted(TESTS.glob("samples*.py")):
        found.update(importlib.import_module(f"tests.{path.stem}").SAMPLES)
    chosen = [
        (name, data)
        for name, data in sorted(found.items())
        if len(data) <= LARGEST and (not formats or format_of(name) in formats)
    ]
    if not chosen:
        present = ", ".join(sorted({format_of(name) for name in found}))
        raise ValueError(f"no such samples; there are {present}")
    return chosen


def format_of(name: str) -> str:
    """The format a sample's name begins with."""
    first = name.partition("-")[0].lower()
    return _ALSO.get(first, first)
