"""The URL of a manifest, read once: what is judged here is what is asked for later.

Prefixes are compared by scheme, host, port and path component, never as text, so that nothing
that only looks like a URL below one is taken for it.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import unquote_to_bytes

from imaging.facts import Failure
from workers.fetch.targets import MAX_URL_CHARS, Target, parse_target, without_userinfo

__all__ = ["Address", "Prefix", "is_url", "parse_address", "parse_prefix", "shown_manifest"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
#: As buckets may be called, aliases of access points among them. A key has no control characters
#: here, and no `?` and `#`, which some tools take for a version or a fragment.
_S3 = re.compile(
    r"s3://([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/([^\x00-\x1f\x7f?#]*))?", re.IGNORECASE
)
_SEPARATORS = re.compile(r"[/\\]")
#: Nobody encodes a path more often.
_DECODED_TIMES = 5


class Address(NamedTuple):
    """Where a manifest lies."""

    scheme: str  #: http, https or s3
    host: str  #: in lower case; of s3 the bucket
    port: int  #: 0 of s3
    parts: tuple[str, ...]  #: of the path, decoded; of s3 of the key, as written
    shown: str  #: as it may be told: without name and password, query and fragment
    target: Target | None  #: what is dialled; None of s3
    #: Why it may lead elsewhere than its parts say, to some server or other; None of most.
    odd: str | None

    @property
    def key(self) -> str:
        """Of s3, within the bucket."""
        return "/".join(self.parts)


class Prefix(NamedTuple):
    """One entry of `MANIFEST_URLS`."""

    scheme: str
    host: str
    port: int
    parts: tuple[str, ...]
    text: str  #: as written

    def holds(self, address: Address) -> bool:
        """Whether *address* is this place, or one below it."""
        return (
            address.odd is None
            and (self.scheme, self.host, self.port) == (address.scheme, address.host, address.port)
            and self.parts == address.parts[: len(self.parts)]
        )

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, address: Address, text: str) -> Self:
        """The prefix that the URL of a folder is."""
        parts = address.parts
        while parts and not parts[-1]:
            parts = parts[:-1]
        return cls(address.scheme, address.host, address.port, parts, text)


def is_url(text: str) -> bool:
    """Whether *text* names a manifest by a URL, of whatever scheme, not by a path."""
    return _SCHEME.match(text) is not None


def shown_manifest(text: str) -> str:
    """The name of a manifest, a path or a URL, as it may be told: a query may be a signature."""
    if not is_url(text):
        return text
    return re.split("[?#]", without_userinfo(text), maxsplit=1)[0]


def parse_address(text: str) -> Address:
    """Read the URL of a manifest.

    Raises:
        ValueError: it is none, or of a scheme that is not read. What it says quotes no password.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise ValueError("not a URL: there is no scheme and ://")
    name = scheme[1].lower()
    if name == "s3":
        return _of_bucket(text)
    if name not in ("http", "https"):
        raise ValueError(f"{name[:30]}:// is not read, only https://, http:// and s3://")
    target = parse_target(text)
    if isinstance(target, Failure):
        raise ValueError(target.message or target.code.sentence)  # noqa: TRY004 - it is a text
    url = target.url
    parts = tuple(url.raw_path.split("/")[1:])
    odd = "it holds a name or a password" if url.raw_user or url.raw_password else None
    if "\\" in text:
        odd = "it holds a backslash"
    decoded = []
    for part in parts:
        try:
            decoded.append(unquote_to_bytes(part).decode())
        except UnicodeDecodeError:
            decoded.append(part)
            odd = "its path is not UTF-8"
    host = target.origin.host.lower().removesuffix(".")
    odd = odd or _leading_away(decoded)
    shown = shown_manifest(str(url))
    return Address(url.scheme.lower(), host, target.origin.port, tuple(decoded), shown, target, odd)


def parse_prefix(text: str) -> Prefix:
    """Read one entry of `MANIFEST_URLS`.

    Raises:
        ValueError: naming it, but for a password.
    """
    try:
        address = parse_address(text)
    except ValueError as exc:
        msg = f"{shown_manifest(text)[:200]!r}: {exc}"
        raise ValueError(msg) from None
    odd = "it holds a query or a fragment" if re.search("[?#]", text) else address.odd
    if odd is not None:
        msg = f"{address.shown!r} is no prefix of URLs: {odd}"
        raise ValueError(msg)
    return Prefix.of(address, text)


def _of_bucket(text: str) -> Address:
    found = _S3.fullmatch(text) if len(text) <= MAX_URL_CHARS else None
    if found is None:
        raise ValueError("an address in S3 is s3://bucket/key, without ? and #")
    key = found[2] or ""
    odd = "it holds a backslash" if "\\" in key else _leading_away(key.split("/"))
    parts = tuple(key.split("/")) if key else ()
    return Address("s3", found[1].lower(), 0, parts, text, None, odd)


def _leading_away(parts: list[str]) -> str | None:
    """Whether some server may take a part, decoded once more or many times, for `.` or `..`."""
    for part in parts:
        for _ in range(_DECODED_TIMES):
            for piece in _SEPARATORS.split(part):
                # What stands behind a semicolon is dropped by some, spaces and dots at the end
                # by others.
                bare = piece.partition(";")[0]
                if "." in bare and not bare.strip(" ."):
                    return "a part of its path is made of dots"
            further = unquote_to_bytes(part).decode(errors="replace")
            if further == part:
                break
            part = further
        else:
            return "its path is encoded again and again"
    return None
