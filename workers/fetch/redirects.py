"""Where a redirect leads: followed one by one, so that each hop counts as an answer of its host."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiohttp import hdrs
from yarl import URL

from imaging.facts import ErrorCode, Failure
from workers.fetch.reasons import one_line
from workers.fetch.targets import Target, parse_target, without_userinfo

__all__ = ["MovedError", "RedirectError", "next_target"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_STATUSES = frozenset({301, 302, 303, 307, 308})


class RedirectError(Exception):
    """A redirect that is not followed; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class MovedError(Exception):
    """A redirect leads to another host, whose permit it needs."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.target = target
        #: What the row gets where that host has no turn for it in time.
        self.failure = Failure(ErrorCode.TIMEOUT, "no turn in time at the host it is redirected to")


def next_target(url: URL, status: int, headers: Mapping[str, str]) -> Target | None:
    """What to ask instead of *url*; None where the answer is no redirect or names no place.

    Raises:
        RedirectError: it leads to what is no valid http(s) URL.
    """
    place = headers.get(hdrs.LOCATION, headers.get(hdrs.URI))
    if status not in _STATUSES or place is None:
        return None
    place = place.strip()
    try:
        onward = URL(place, encoded=place.isascii() and " " not in place)
        # `join` would take `http://` for a place relative to this one.
        target = parse_target(place if onward.scheme else str(url.join(onward)))
    except Exception:  # the parser raises more than ValueError on what hosts make up
        target = Failure(ErrorCode.BAD_URL)
    if not isinstance(target, Target):
        told = without_userinfo(place).encode("ascii", "backslashreplace").decode()
        raise RedirectError(
            Failure(ErrorCode.BAD_REDIRECT, one_line(f"{ErrorCode.BAD_REDIRECT.sentence}: {told}"))
        )
    return target
