"""What clients ask: a request's head, the length of its body, the bytes a Range names."""

import re
from collections.abc import Mapping
from typing import NamedTuple

# Eighteen digits address more than any picture holds; what is not this form is ignored, as RFC
# 9110 lets a server do, several ranges in one header included.
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


class NonsenseError(ValueError):
    """What was asked means nothing: the answer is 400 with this sentence."""


class Request(NamedTuple):
    """A request's head; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    keep_alive: bool
    number: int = 1  # on its connection


def parse(head: str) -> Request:
    """A request's head, without the empty line, as a `Request`."""
    line, *fields = head.split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise NonsenseError("This is not a request line of HTTP/1.1")
    method, target, version = words
    if target.startswith(("http://", "https://")):
        target = "/" + target.partition("://")[2].partition("/")[2]
    if not target.startswith("/") or not method.isalpha():
        raise NonsenseError("The request line names no path")
    headers: dict[str, str] = {}
    for entry in fields:
        name, colon, value = entry.partition(":")
        if not colon or not name or " " in name or "\t" in name or "\n" in entry:
            raise NonsenseError("A header line is not `name: value`")
        headers[name.lower()] = value.strip(" \t")
    modern = version == "HTTP/1.1"
    if modern and "host" not in headers:
        raise NonsenseError("HTTP/1.1 asks for a Host header")
    wish = headers.get("connection", "").lower()
    return Request(method, target, headers, "close" not in wish if modern else wish == "keep-alive")


def body_length(request: Request) -> int:
    """How many bytes of body follow the head."""
    if "transfer-encoding" in request.headers:
        raise NonsenseError("This host reads no chunked bodies")
    said = request.headers.get("content-length", "0")
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise NonsenseError("Content-Length is not a number")
    return int(said)


def parse_range(value: str, total: int) -> tuple[int, int] | None:
    """Start and stop of the bytes asked for; an empty span is unsatisfiable, None is no range."""
    match = RANGE.fullmatch(value)
    if match is None or value.endswith("=-"):
        return None
    first, last = match.groups()
    if not first:
        return max(total - int(last), 0), total
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, total) if last else total
