"""What is said to people: on standard error, always."""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ["say"]


def say(text: str) -> None:
    """Print *text*, if somebody reads it. What is in it is shown, not obeyed by the terminal."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print("".join(map(_shown, text)), file=sys.stderr, flush=True)


def _shown(sign: str) -> str:
    return sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}"
