"""What the client library raises → one code of the closed set. The only place that knows both."""

from __future__ import annotations

import socket
import ssl

import aiohttp
from aiohttp import http_exceptions

from imaging.facts import ErrorCode, Failure
from workers.fetch.deadlines import DownloadTimeout
from workers.fetch.guard import BLOCKED_ERRNO
from workers.fetch.redirects import RedirectError

__all__ = ["NO_CONNECTION", "failure_of", "header_text", "status_failure"]

NO_CONNECTION = "no connection in time"

#: What `getaddrinfo` says when a name does not exist, as opposed to when it could not tell.
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def status_failure(status: int, reason: str | None) -> Failure:
    """The failure of an answer that is not the picture."""
    told = f"{status} {header_text(reason) or ''}".strip()[:200]
    return Failure(ErrorCode.HTTP_STATUS, told, status)


def header_text(value: str | None) -> str | None:
    """What a host wrote in a header, as text that can be written on: latin-1 if not UTF-8."""
    if value is None or value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def failure_of(exc: Exception, *, answered: bool) -> Failure:
    """The failure that *exc* stands for; *answered*: the head of an answer had come."""
    if isinstance(exc, RedirectError):
        return exc.failure
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return _dns(exc.os_error)
    if isinstance(exc, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure(ErrorCode.TLS, _sentence(ErrorCode.TLS, exc))
    if isinstance(exc, aiohttp.ClientConnectorError):
        return _connector(exc.os_error)
    if isinstance(exc, TimeoutError):  # aiohttp's own timeouts are of this class too
        return Failure(ErrorCode.TIMEOUT, _timeout(exc, answered))
    if isinstance(exc, aiohttp.NonHttpUrlClientError):
        return Failure(ErrorCode.BAD_SCHEME)
    if isinstance(exc, aiohttp.InvalidURL | UnicodeError):
        return Failure(ErrorCode.BAD_URL, "the URL cannot be dialled")
    if isinstance(exc, aiohttp.ClientPayloadError):
        return _payload(exc)
    if isinstance(exc, aiohttp.ClientResponseError | http_exceptions.HttpProcessingError):
        return Failure(ErrorCode.HTTP_PROTOCOL, _sentence(ErrorCode.HTTP_PROTOCOL, exc))
    if isinstance(exc, aiohttp.ClientConnectionError | OSError):
        code = ErrorCode.TRUNCATED_BODY if answered else ErrorCode.CONNECT
        return Failure(code, _sentence(code, exc))
    return Failure(ErrorCode.INTERNAL, f"{type(exc).__name__} while downloading")


def _dns(error: OSError) -> Failure:
    missing = isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME
    code = ErrorCode.DNS_NOT_FOUND if missing else ErrorCode.DNS_TEMPORARY
    return Failure(code, f"{code.sentence}: {error.strerror or error}"[:200])


def _connector(error: OSError) -> Failure:
    if error.errno == BLOCKED_ERRNO:
        return Failure(
            ErrorCode.BLOCKED_ADDRESS,
            f"{error.strerror}; CENSUS_ALLOW_NETWORKS can allow its network",
        )
    if isinstance(error, ssl.SSLError):
        return Failure(ErrorCode.TLS, _sentence(ErrorCode.TLS, error))
    return Failure(ErrorCode.CONNECT, _sentence(ErrorCode.CONNECT, error))


def _payload(exc: aiohttp.ClientPayloadError) -> Failure:
    # A connection that ends is said to be an error of the framing too, but only in the cause.
    ended = str(exc).startswith("Response payload is not completed")
    code = ErrorCode.TRUNCATED_BODY if ended else ErrorCode.HTTP_PROTOCOL
    return Failure(code, code.sentence if ended else _sentence(code, exc))


def _timeout(exc: Exception, answered: bool) -> str:
    if isinstance(exc, DownloadTimeout):
        return str(exc)
    return "the host fell silent" if answered else NO_CONNECTION


def _sentence(code: ErrorCode, exc: Exception) -> str:
    """The code's sentence and what the system said, in one line without addresses of ours."""
    said = getattr(exc, "strerror", None) or getattr(exc, "message", None) or type(exc).__name__
    return f"{code.sentence}: {' '.join(str(said).split())}"[:200]
