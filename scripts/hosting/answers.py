"""An answer as good servers give it: a picture, the part of it a Range asks for, or a status.

What is `Asking` may bend the manner: whole pictures only, no total, a refusal, half of the body.
Nothing here touches a socket.
"""

import enum
import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from hosting.editions import Editions
from hosting.pictures import Picture
from hosting.requests import Request, parse_range
from hosting.validators import Validators, unmodified, validated
from hosting.wire import Wire


class Framing(enum.Enum):
    """How the client learns where the body ends."""

    LENGTH = "Content-Length"
    CLOSE = "the connection's end"
    CHUNKED = "the last chunk"
    ENDLESS = "it never does"


class Ranges(enum.Enum):
    """What becomes of a Range header."""

    KEPT = "206 as asked"
    IGNORED = "200"
    NO_TOTAL = "206 that does not say the total"
    WRONG_OFFSET = "206 from the next byte"


@dataclass(slots=True)
class Answer:
    """What to send. `headers` are finished lines; framing headers are the sender's business."""

    status: int
    headers: str
    body: bytes | memoryview
    framing: Framing = Framing.LENGTH
    sent: int | None = None  # of the body, when it is less than announced
    stalls: bool = False  # after `sent` bytes: say nothing more instead of closing
    delay_s: float = 0.0
    silent: bool = False
    wire: Wire | None = None  # said instead of all the above, head included


@dataclass(slots=True)
class Asking:
    """A request on its way to an answer: what the prefixes seen so far have changed."""

    request: Request
    shelf: Mapping[str, Picture]
    seen: Counter[str]
    ranges: Ranges
    framing: Framing
    editions: Editions = field(default_factory=Editions)
    validators: Validators = Validators.BOTH
    conditions: bool = True
    refusal: int | None = None
    halves: bool = False
    stalls: bool = False
    delay_s: float = 0.0


def plain(status: int, headers: str = "", text: str = "") -> Answer:
    """A status with a line of text."""
    if status in (204, 304):
        return Answer(status, headers, b"")
    body = f"{status} {text or phrase(status)}\n".encode()
    return Answer(status, f"Content-Type: text/plain; charset=utf-8\r\n{headers}", body)


@functools.cache
def phrase(status: int) -> str:
    """The reason phrase of a status, also of one nobody registered."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unregistered"


def serve(chosen: Picture, asking: Asking) -> Answer:
    """A picture, or the part of it that was asked for, in the manner asked for; 304 where the
    client says that it has it.
    """
    chosen = validated(chosen, asking.validators)
    if asking.conditions and unmodified(chosen, asking.request):
        return Answer(304, chosen.headers, b"")
    headers, body, status = chosen.headers, chosen.data, 200
    result = Answer(status, headers, body, asking.framing, stalls=asking.stalls)
    if asking.ranges is not Ranges.IGNORED:
        result.headers += "Accept-Ranges: bytes\r\n"
        if "range" in asking.request.headers and asking.request.method == "GET":
            result = _part(result, chosen, asking)
    if asking.halves:
        result.sent = len(result.body) // 2
    return result


def _part(whole: Answer, chosen: Picture, asking: Asking) -> Answer:
    """What a Range makes of the whole answer: 206, 416, a refusal, or the whole after all."""
    if asking.refusal is not None:
        return plain(asking.refusal)
    headers, total = asking.request.headers, len(chosen.data)
    known = headers.get("if-range")
    if known is not None and known not in (chosen.etag, chosen.last_modified):
        return whole
    span = parse_range(headers["range"], total)
    if span is None:
        return whole
    start, stop = span
    if start >= stop:
        return plain(416, f"Content-Range: bytes */{total}\r\n")
    if asking.ranges is Ranges.WRONG_OFFSET:
        start, stop = min(start + 1, total - 1), min(stop + 1, total)
    said = "*" if asking.ranges is Ranges.NO_TOTAL else total
    whole.status = 206
    whole.headers += f"Content-Range: bytes {start}-{stop - 1}/{said}\r\n"
    whole.body = memoryview(chosen.data)[start:stop]
    return whole
