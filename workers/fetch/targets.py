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
#: `scheme://userinfo@host:port` by RFC 3986, and what follows: only its userinfo may be a secret,
#: `https://h/a@2x.png` is left alone. In anything else, what stands before an `@` may be one.
_WELL_FORMED = re.compile(
    r"(?P<start>[A-Za-z][A-Za-z0-9+.\-]*://)(?P<userinfo>[^/?#\s]*@)?"
    r"(?P<rest>(?:[^\s/?#@\uff20\ufe6b:\uff1a\\\"'<>%\[\]]+|\[[0-9A-Fa-f:.]*\])(?::\d*)?(?:[/?#].*)?)",
    re.DOTALL,
)
#: A URL inside another one, as archives and resizers have it.
_INNER = re.compile(r"//[^/?#\s@:]*:[^/?#\s@]*@")
#: `@`, and what a parser or a decoder may take for one.
_ATS = ("@", "\uff20", "\ufe6b", "%40")
_SHOWN_CHARS = 2048
_SCHEME_CHARS = 30
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
    """*text* as it may be shown: a name and password before the host are dropped.

    Where it is not clear what is the host, all from the first colon or double slash to the last
    `@` is. Of a text too long for a URL the beginning is shown.
    """
    if any(at in text for at in _ATS):
        text = _well_formed(text) or _anything(text)
    return text if len(text) <= MAX_URL_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _well_formed(text: str) -> str | None:
    parts = _WELL_FORMED.fullmatch(text)
    return f"{parts['start']}{_INNER.sub('//', parts['rest'])}" if parts else None


def _anything(text: str) -> str:
    ends = [text.rfind(at) + len(at) for at in _ATS if at in text]
    starts = [text.find(mark) for mark in (":", "\uff1a", "//", "\\\\") if mark in text]
    if not starts or min(starts) >= max(ends):
        return text
    start, end = min(starts), max(ends)
    while start < end and text[start] in ":\uff1a/\\":
        start += 1
    return text[:start] + text[end:]


def parse_target(text: str) -> Target | Failure:
    """Read the URL of a row: `bad_url`, `bad_scheme`, or a target. No address is judged here."""
    if len(text) > MAX_URL_CHARS:
        return _bad(f"the URL is longer than {MAX_URL_CHARS} characters")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _bad("the URL has no scheme" if text else "the URL is empty")
    if scheme[1].lower() not in ("http", "https"):
        named_so = scheme[1] if len(scheme[1]) <= _SCHEME_CHARS else f"{scheme[1][:_SCHEME_CHARS]}…"
        return Failure(ErrorCode.BAD_SCHEME, f"{named_so}: is not fetched, only http and https")
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
        # What it says may quote a password.
        return _bad("the port is not a number" if "ort" in str(exc) else "the URL cannot be read")
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
    # `example.com.` is looked up without search domains, but it is the same host.
    host, raw_host = host.removesuffix("."), raw_host.removesuffix(".")
    if not _REG_NAME.fullmatch(raw_host):
        return _bad("the host holds a space, a control character or another that no name has")
    if any(not label or len(label) > 63 for label in raw_host.split(".")):
        return _bad("the host has a label that is empty or longer than 63 characters")
    return Origin(host, port)


def _bad(message: str) -> Failure:
    return Failure(ErrorCode.BAD_URL, message)
