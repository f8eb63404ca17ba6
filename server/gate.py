"""Who is let in: by the key, or without one by where a request says it comes from.

Without a key the service trusts its own machine, and a browser on it runs pages of strangers. A
page whose name was made to resolve to the loopback (DNS rebinding) has another `Host`; a page that
posts from elsewhere says so in `Sec-Fetch-Site` (W3C Fetch Metadata) or `Origin` (RFC 6454).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re

from aiohttp import web

from server.problems import RequestError
from server.settings import ServerSettings

__all__ = ["Gate"]

#: These answer anybody: they tell of no list or job, and start no work. Literal paths, as routes
#: match them.
OPEN_PATHS = frozenset(
    {"/", "/docs", "/docs/", "/ping", "/ping/", "/healthz", "/readyz", "/metrics"}
)
OPEN_FOLDER = "/static/"

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::[0-9]*)?")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Judges the head of a request, before anything of its body is read."""

    def __init__(self, settings: ServerSettings) -> None:
        key = settings.key
        self._digest = None if key is None else _digest(key.get_secret_value())
        self._private = settings.private
        self._host = settings.host.lower()

    def check(self, request: web.BaseRequest) -> None:
        """Let *request* in.

        Raises:
            RequestError: 400 for HTTP/0.9; 401 without the key; 403 where none is needed and a page
                of another site asks.
        """
        if request.version < (1, 0):  # it has no status by which it could be told of anything
            raise RequestError(400, "HTTP/0.9 is not spoken here")
        if self._digest is not None:
            path = request.rel_url.raw_path
            if path not in OPEN_PATHS and not path.startswith(OPEN_FOLDER):
                self._check_key(request)
            return
        # The parser takes one Host, no more, and none from HTTP/1.0 only, which no browser speaks.
        host = request.headers.get("Host")
        if self._private and host is not None and not self._is_ours(host):
            raise RequestError(
                403,
                "the Host of the request is not this machine",
                detail="the service has no key and listens on the loopback only, so it answers to"
                " localhost and loopback addresses; set CENSUS_API_KEY or CENSUS_OPEN=1 to have"
                " it answer to other names",
            )
        if request.method not in _READING and _from_another_site(request, host):
            raise RequestError(
                403,
                "a page of another site sent the request",
                detail="without a key only pages of this service may post to it",
            )

    def _check_key(self, request: web.BaseRequest) -> None:
        given = request.headers.getall("Authorization", [])
        match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
        # Compared even where nothing was given; the digests hide the length of the key as well.
        same = hmac.compare_digest(_digest(match[1] if match else ""), self._digest or b"")
        if not same:
            raise RequestError(
                401,
                "the key is missing or wrong",
                detail="send the header Authorization: Bearer <CENSUS_API_KEY>",
            )

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower()
        if name in ("localhost", self._host):
            return True
        try:
            return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
        except ValueError:
            return False


def _from_another_site(request: web.BaseRequest, host: str | None) -> bool:
    """Whether a browser says so. What is no browser says nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:  # the browser knows better than names behind a proxy tell
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2].lower() != (host or "").lower()


def _digest(key: str) -> bytes:
    # Header fields that are not UTF-8 come with surrogates.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
