"""The text of a `traceparent` ↔ which trace it names, as W3C Trace Context has it.

It comes in a header or a field of a job, whether or not spans are made here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["HEADER", "Traceparent", "read_traceparent"]

#: Of the header, and of the field of a job.
HEADER = "traceparent"

#: Later versions may have more behind it.
_TEXT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,200})?")


class Traceparent(NamedTuple):
    """A span that others may be children of. All in lower-case hexadecimal digits."""

    trace_id: str  #: 32
    span_id: str  #: 16
    flags: str  #: 2; the last bit says that the trace is recorded

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def read_traceparent(text: str | bytes | None) -> Traceparent | None:
    """What *text* names; None where it is no `traceparent`, which is as good as none given."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    found = _TEXT.fullmatch(text.strip(" \t")) if text else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if (
        version == "ff"
        or (version == "00" and rest)
        or not (int(trace_id, 16) and int(span_id, 16))
    ):
        return None
    return Traceparent(trace_id, span_id, flags)
