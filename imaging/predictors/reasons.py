"""An error of somebody else's code, as one short line that any encoder takes."""

from __future__ import annotations

__all__ = ["CHARACTERS", "one_line", "reason"]

CHARACTERS = 300  #: the longest line; an error's text may be anything, also a gigabyte


def reason(error: BaseException) -> str:
    """Return an error's type and text, also if its own `str` raises."""
    try:
        words = str(error)[: 4 * CHARACTERS]
    except BaseException:
        words = ""
    return one_line(f"{type(error).__name__}: {words}").removesuffix(":")


def one_line(text: str) -> str:
    """Return a text without line breaks and lone surrogates, cut where it is too long."""
    line = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= CHARACTERS else line[: CHARACTERS - 1] + "…"
