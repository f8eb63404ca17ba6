"""The text of a URL → what would be dialled for it, or why nothing would be."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from yarl import URL

from imaging.facts import ErrorCode, Failure

__all__ = ["MAX_URL_CHARS", "Origin", "Target", "parse_target", "without_userinfo"]

MAX_URL_CHARS = 8192
#: A name has at most 253; to encode a long one of another alphabet takes milliseconds.
MAX_AUTHORITY_CHARS = 512

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
#: Only what stands before the host: `https://h//a@2x.png` is left alone.
_USERINFO = re.compile(r"^(\s*(?:[A-Za-z][A-Za-z0-9+.\-]*:/*|/+))[^/?#]*@")
#: What a name may consist of by RFC 3986, as it is sent.
_REG_NAME = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%-]+")
_AUTHORITY = re.compile(r"[^:]*:/*([^/?#]*)")


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
    return _USERINFO.sub(r"\1", text) if "@" in text else text


def parse_target(text: str) -> Target | Failure:
    """Read the URL of a row: `bad_url`, `bad_scheme`, or a target. No address is judged here."""
    if len(text) > MAX_URL_CHARS:
        return _bad(f"the URL is longer than {MAX_URL_CHARS} characters")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _bad("the URL has no scheme" if text else "the URL is empty")
    if scheme[1].lower() not in ("http", "https"):
        return Failure(ErrorCode.BAD_SCHEME, f"{scheme[1]}: is not fetched, only http and https")
    # As written: %28 stays %28, since a signature may be over it. What cannot stand in a request
    # (spaces, other alphabets) is quoted.
    plain = text.isascii() and _CONTROL.search(text) is None
    if not plain and (named := _AUTHORITY.match(text)) and len(named[1]) > MAX_AUTHORITY_CHARS:
        return _bad(f"the host is longer than {MAX_AUTHORITY_CHARS} characters")
    try:
        if not plain:
            text.encode()  # a lone surrogate is an error; `URL` would leave it out
        url = URL(text, encoded=plain)
        host, port = url.host, url.port
    except Exception as exc:  # ValueError and more: IndexError for "https://[]@"
        why = "" if "@" in text else f": {exc}"  # which may quote a password
        return _bad(f"the URL cannot be read{why}"[:200])
    if not host:
        return _bad("the URL has no host")
    if not port:
        return _bad("the port is not one that can be dialled")
    if not plain and (authority := _AUTHORITY.match(text)) and _CONTROL.search(authority[1]):
        return _bad("the host holds a space or a control character")
    origin = _origin(host, url.raw_host or "", port)
    return Target(url, origin) if isinstance(origin, Origin) else origin


@lru_cache(maxsize=4096)
def _origin(host: str, raw_host: str, port: int) -> Origin | Failure:
    """The origin, or what is wrong with its name, whose labels count as they are sent."""
    if ":" in raw_host:
        try:
            ip_address(raw_host)
        except ValueError:
            return _bad("the host is not an IPv6 address")
        return Origin(host, port)
    if not _REG_NAME.fullmatch(raw_host):
        return _bad("the host holds a space, a control character or another that no name has")
    if any(not label or len(label) > 63 for label in raw_host.removesuffix(".").split(".")):
        return _bad("the host has a label that is empty or longer than 63 characters")
    return Origin(host, port)


def _bad(message: str) -> Failure:
    return Failure(ErrorCode.BAD_URL, message)
