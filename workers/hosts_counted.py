"""What failed at which host, counted in bounded room.

Only rows that failed, or whose picture may be a placeholder, are counted: most rows cost nothing.
Where there are more hosts than there is room for, the lighter half is let go of (lossy counting),
so one that goes wrong late in a long manifest is still seen. What is counted from then on of a host
met anew is a lower bound, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from imaging.facts import ErrorCode, Failure

__all__ = [
    "HTTP",
    "MOST_HOSTS",
    "MOST_JSON_BYTES",
    "MOST_REASONS",
    "HostCount",
    "HostsCounted",
    "Reason",
    "reason_of",
]

T = TypeVar("T")

MOST_HOSTS = 128
#: Of one host: it may answer with any status.
MOST_REASONS = 8
MOST_NAME_CHARS = 100
#: What is longer, as JSON, was not written by us.
MOST_JSON_BYTES = 256 * 1024

#: In front of an HTTP status that is a reason.
HTTP = "http_"

#: `host[:port]` of a URL as records tell it, without the userinfo it does not have.
_AUTHORITY = re.compile(r"(https?)://(?:[^/?#\\]*@)?([^/?#\\@]+)", re.IGNORECASE)
_USUAL_PORTS = {"http": ":80", "https": ":443"}
#: With these no host has to do.
_NO_HOST = frozenset(
    {ErrorCode.BAD_ROW, ErrorCode.BAD_URL, ErrorCode.BAD_SCHEME, ErrorCode.CANCELLED}
)
_REASON = re.compile(rf"{HTTP}\d{{1,3}}|{'|'.join(ErrorCode)}")
_MOST_COUNT = 10**18


def reason_of(failure: Failure) -> str:
    """The code of a failure, `http_429` where it is a status."""
    if failure.code is ErrorCode.HTTP_STATUS and failure.http_status is not None:
        return f"{HTTP}{failure.http_status}"
    return failure.code.value


@dataclass(slots=True)
class Reason:
    """How often a host failed for one reason, and the first row that did."""

    rows: int
    first: int

    @property
    def weight(self) -> tuple[int, int]:
        """By which the lighter ones are let go of: of the same count, those that began earlier."""
        return self.rows, self.first


@dataclass(slots=True)
class HostCount:
    """What is known of one host."""

    first: int  #: the first row counted
    failed: int = 0
    placeholders: int = 0  #: pictures that have the bytes of many others of the host
    at_least: bool = False  #: there may be more, and earlier ones, of which the count is lost
    reasons: dict[str, Reason] = field(default_factory=dict)

    @property
    def weight(self) -> tuple[int, int]:
        """As that of a reason."""
        return self.failed + self.placeholders, self.first

    def json(self) -> dict[str, Any]:
        """As `HostsCounted.json` has it."""
        return {
            "failed": self.failed,
            "placeholders": self.placeholders,
            "first": self.first,
            "at_least": self.at_least,
            "reasons": {name: [one.rows, one.first] for name, one in self.reasons.items()},
        }


@dataclass(slots=True)
class HostsCounted:
    """Hosts by their name, `host[:port]` as URLs have it, in lower case."""

    hosts: dict[str, HostCount] = field(default_factory=dict)
    dropped: bool = False  #: there were more hosts than these

    def failed(self, index: int, url: str | None, failure: Failure) -> None:
        """Count a row that failed."""
        if failure.code in _NO_HOST or (host := self._host(index, url)) is None:
            return
        host.failed += 1
        name = reason_of(failure)
        reason = host.reasons.get(name)
        if reason is not None:
            reason.rows += 1
            reason.first = min(reason.first, index)
            return
        host.reasons[name] = Reason(1, index)
        if _trim(host.reasons, MOST_REASONS, lambda one: one.weight):
            host.at_least = True

    def placeholder(self, index: int, url: str | None) -> None:
        """Count a picture that may be a placeholder."""
        if (host := self._host(index, url)) is not None:
            host.placeholders += 1

    def json(self) -> bytes:
        """All of it, as a job keeps it."""
        hosts = {name: host.json() for name, host in self.hosts.items()}
        return orjson.dumps({"dropped": self.dropped, "hosts": hosts})

    @classmethod
    def read(cls, said: bytes) -> HostsCounted:
        """What `json` wrote, or a person did: of that, whatever can be counts."""
        counted = cls()
        if len(said) > MOST_JSON_BYTES:
            return counted
        try:
            found = orjson.loads(said)
        except orjson.JSONDecodeError:
            return counted
        if not isinstance(found, dict) or not isinstance(found.get("hosts"), dict):
            return counted
        counted.dropped = found.get("dropped") is True
        for name, host in found["hosts"].items():
            if (told := _shown(name)) is not None and isinstance(host, dict):
                counted.hosts[told] = _read(host)
        if _trim(counted.hosts, MOST_HOSTS, lambda one: one.weight):
            counted.dropped = True
        return counted

    def _host(self, index: int, url: str | None) -> HostCount | None:
        if (name := _name(url)) is None:
            return None
        host = self.hosts.get(name)
        if host is not None:
            host.first = min(host.first, index)
            return host
        if _trim(self.hosts, MOST_HOSTS - 1, lambda one: one.weight):
            self.dropped = True
        self.hosts[name] = host = HostCount(index, at_least=self.dropped)
        return host


def _trim(counted: dict[str, T], most: int, weight: Callable[[T], tuple[int, int]]) -> bool:
    """Let go of the lighter half of what is more than *most*; returns whether it was."""
    if len(counted) <= most:
        return False
    by_weight = sorted(counted, key=lambda name: (*weight(counted[name]), name))
    for name in by_weight[: len(counted) - (most + 1) // 2]:
        del counted[name]
    return True


def _name(url: str | None) -> str | None:
    """The host that is asked for *url*, as one name however it is written."""
    parts = _AUTHORITY.match(url) if url is not None else None
    if parts is None:
        return None
    usual = _USUAL_PORTS[parts[1].lower()]
    return _shown(parts[2].lower().removesuffix(usual).removesuffix("."))


def _shown(name: str) -> str | None:
    """A name that may stand in a sentence: of a long one the end, which says whose it is."""
    if not name or not name.isprintable() or " " in name:
        return None
    return name if len(name) <= MOST_NAME_CHARS else f"…{name[1 - MOST_NAME_CHARS :]}"


def _read(host: dict[str, Any]) -> HostCount:
    reasons = host.get("reasons")
    found = {
        name: Reason(_number(pair[0]), _number(pair[1]))
        for name, pair in (reasons.items() if isinstance(reasons, dict) else ())
        if _REASON.fullmatch(name) and isinstance(pair, list) and len(pair) == 2
    }
    trimmed = _trim(found, MOST_REASONS, lambda one: one.weight)
    return HostCount(
        first=_number(host.get("first")),
        failed=_number(host.get("failed")),
        placeholders=_number(host.get("placeholders")),
        at_least=trimmed or host.get("at_least") is True,
        reasons=found,
    )


def _number(said: object) -> int:
    """A count; 0 where it is none."""
    return said if type(said) is int and 0 <= said < _MOST_COUNT else 0
