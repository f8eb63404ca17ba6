"""The text of a URL → what would be dialled for it, or why nothing would be."""

from __future__ import annotations

import re
from typing import NamedTuple

from yarl import URL

from imaging.facts import ErrorCode, Failure

__all__ = ["MAX_URL_CHARS", "Origin", "Target", "parse_target", "without_userinfo"]

MAX_URL_CHARS = 8192

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_USERINFO = re.compile(r"(?<=//)[^/?#]*@")


class Origin(NamedTuple):
    """Who is dialled: permits, silence and manners are counted by this."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Target(NamedTuple):
    """A URL that may be asked for."""

    url: URL
    origin: Origin


def without_userinfo(text: str) -> str:
    """*text* as it may be shown: a name and password before the host are dropped."""
    return _USERINFO.sub("", text) if "@" in text else text


def parse_target(text: str) -> Target | Failure:
    """Read the URL of a row: `bad_url`, `bad_scheme`, or a target. No address is judged here."""
    if len(text) > MAX_URL_CHARS:
        return _bad(f"the URL is longer than {MAX_URL_CHARS} characters")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _bad("the URL has no scheme" if text else "the URL is empty")
    if scheme[1].lower() not in ("http", "https"):
        return Failure(ErrorCode.BAD_SCHEME, f"{scheme[1]}: is not fetched, only http and https")
    try:
        url = URL(text)
        host, port = url.host, url.port
    except (ValueError, TypeError) as exc:
        return _bad(f"the URL cannot be read: {without_userinfo(str(exc))[:200]}")
    if not host or not port:
        return _bad(
            "the URL has no host" if not host else "the port is not one that can be dialled"
        )
    if _CONTROL.search(host) or _CONTROL.search(text.partition("://")[2].partition("/")[0]):
        return _bad("the host holds a space or a control character")
    if ":" not in host and any(
        not label or len(label) > 63 for label in (url.raw_host or "").rstrip(".").split(".")
    ):
        return _bad("the host has a label that is empty or longer than 63 characters")
    return Target(url, Origin(host, port))


def _bad(message: str) -> Failure:
    return Failure(ErrorCode.BAD_URL, message)
