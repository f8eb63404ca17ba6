"""What an answer claims to be: the part asked for, the whole file, or neither. Pure decisions.

Range requests as RFC 9110 section 14 has them; what servers do instead is judged here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from aiohttp import hdrs

__all__ = [
    "FURTHER_RANGES",
    "RANGE_BYTES",
    "Answer",
    "Kind",
    "further",
    "judge",
    "range_header",
    "step",
    "strong_validator",
]

#: So many ranges are asked for after the first, then the whole file.
FURTHER_RANGES = 3
#: The first range, and the least of a further one. Enough for 95 % of photographs.
RANGE_BYTES = 16 * 1024
#: A further range is never longer than this, whatever the walker asks for.
MAX_RANGE_BYTES = 1024 * 1024
#: Of a body that streams by, a piece costs no request: it need not be long.
STEP_BYTES = 1024
#: Asked for behind what the walker needs: it mostly goes on right there.
BEYOND_BYTES = 4 * 1024

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)
#: Statuses some servers give to a request only because it has a Range.
_REFUSALS = frozenset({400, 403, 416, 501})


class Kind(Enum):
    """What the body of an answer is."""

    PART = auto()  #: the bytes asked for, and the file's size is known
    WHOLE = auto()  #: the file from its first byte
    EMPTY = auto()  #: there is no byte in the file
    UNRANGED = auto()  #: useless because of the Range: ask again without
    ERROR = auto()  #: not the file at all


class Answer(NamedTuple):
    """An answer's kind and, for a part, the size of the whole file."""

    kind: Kind
    total: int | None = None


def further(needed: int) -> int:
    """How many bytes to ask for where the walker needs so many."""
    return min(max(needed + BEYOND_BYTES, RANGE_BYTES), MAX_RANGE_BYTES)


def step(needed: int) -> int:
    """How many bytes of a body that streams by to keep where the walker needs so many."""
    return min(max(needed, STEP_BYTES), MAX_RANGE_BYTES)


def range_header(offset: int, length: int) -> str:
    """The value of `Range` for *length* bytes at *offset*."""
    return f"bytes={offset}-{offset + length - 1}"


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """What `If-Range` may carry: a strong entity tag, else the date of the last change."""
    tag = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return headers.get("Last-Modified")


def judge(status: int, headers: Mapping[str, str], *, asked: int | None) -> Answer:
    """What the answer to a Range from byte *asked* (None: to no Range) is."""
    if status in (200, 203):
        return Answer(Kind.WHOLE)
    if asked is None:
        return Answer(Kind.ERROR)
    claim = _CONTENT_RANGE.fullmatch(headers.get(hdrs.CONTENT_RANGE, ""))
    if status == 206:
        if claim is None or claim[1] is None or claim[3] == "*":
            return Answer(Kind.UNRANGED)
        start, end, total = int(claim[1]), int(claim[2]), int(claim[3])
        if start != asked or not start <= end < total:
            return Answer(Kind.UNRANGED)
        return Answer(Kind.PART, total)
    if status == 416 and claim is not None and claim[3] == "0":
        return Answer(Kind.EMPTY)
    return Answer(Kind.UNRANGED if status in _REFUSALS else Kind.ERROR)
