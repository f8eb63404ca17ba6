"""What the client library raises → one code of the closed set. The only place that knows both."""

from __future__ import annotations

import socket
import ssl

import aiohttp
from aiohttp import http_exceptions

from imaging.facts import ErrorCode, Failure
from workers.fetch.deadlines import DownloadTimeout
from workers.fetch.framing import FramingError
from workers.fetch.guard import BLOCKED_ERRNO
from workers.fetch.opt_out import OptOutError
from workers.fetch.reasons import broken_rule, one_line, system_reason, tls_reason
from workers.fetch.redirects import RedirectError

__all__ = ["NO_CONNECTION", "failure_of", "header_text", "status_failure", "too_large"]

NO_CONNECTION = "no connection in time"

#: What `getaddrinfo` says when a name does not exist, as opposed to when it could not tell.
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def status_failure(status: int, reason: str | None) -> Failure:
    """The failure of an answer that is not the picture."""
    told = one_line(f"{status} {header_text(reason) or ''}")
    return Failure(ErrorCode.HTTP_STATUS, told, status)


def too_large(most: int, told: int | None) -> Failure:
    """The failure of a body of more than *most* bytes; *told*: the host announced so many."""
    said = "" if told is None else f": the host announces {told}"
    return Failure(ErrorCode.TOO_LARGE, f"more than {most} bytes{said}")


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
    """The failure that *exc* stands for; *answered*: the head of an answer had come.

    Its message is one line of at most 200 characters in words of ours: no address that was
    dialled, and nothing a host sent but what a certificate or a status line says.
    """
    if isinstance(exc, RedirectError | OptOutError):
        return exc.failure
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return _dns(exc.os_error)
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return _failure(ErrorCode.TLS, tls_reason(exc.certificate_error))
    if isinstance(exc, aiohttp.ClientConnectorError):  # TLS errors among them
        return _connector(exc.os_error)
    if isinstance(exc, ssl.SSLError):
        return _failure(ErrorCode.TLS, tls_reason(exc))
    if isinstance(exc, TimeoutError):  # aiohttp's own timeouts are of this class too
        return Failure(ErrorCode.TIMEOUT, _timeout(exc, answered))
    if isinstance(exc, aiohttp.NonHttpUrlClientError):
        return Failure(ErrorCode.BAD_SCHEME)
    if isinstance(exc, aiohttp.InvalidURL | UnicodeError):
        return Failure(ErrorCode.BAD_URL, "the URL cannot be dialled")
    if isinstance(exc, FramingError):
        return _failure(ErrorCode.HTTP_PROTOCOL, str(exc))
    if isinstance(exc, aiohttp.ClientPayloadError):
        return _payload(exc)
    if isinstance(exc, aiohttp.ClientResponseError | http_exceptions.HttpProcessingError):
        return _failure(ErrorCode.HTTP_PROTOCOL, broken_rule(exc.message))
    if isinstance(exc, aiohttp.ClientConnectionError | OSError):
        return _connection(exc, answered)
    return Failure(ErrorCode.INTERNAL, f"{type(exc).__name__} while downloading")


def _dns(error: OSError) -> Failure:
    if isinstance(error, socket.gaierror):
        missing = error.errno in _NO_SUCH_NAME
        code = ErrorCode.DNS_NOT_FOUND if missing else ErrorCode.DNS_TEMPORARY
        return _failure(code, one_line(error.strerror or "", 120))
    return _failure(ErrorCode.DNS_TEMPORARY, system_reason(error))


def _connector(error: OSError) -> Failure:
    if error.errno == BLOCKED_ERRNO:
        return Failure(
            ErrorCode.BLOCKED_ADDRESS,
            f"{error.strerror}; CENSUS_ALLOW_NETWORKS can allow its network",
        )
    if isinstance(error, ssl.SSLError):
        return _failure(ErrorCode.TLS, tls_reason(error))
    return _failure(ErrorCode.CONNECT, system_reason(error))


def _payload(exc: aiohttp.ClientPayloadError) -> Failure:
    # A connection that ends is said to be an error of the framing too, but only in the cause.
    if str(exc).startswith("Response payload is not completed"):
        return Failure(ErrorCode.TRUNCATED_BODY, ErrorCode.TRUNCATED_BODY.sentence)
    return _failure(ErrorCode.HTTP_PROTOCOL, broken_rule(str(exc)))


def _connection(exc: Exception, answered: bool) -> Failure:
    code = ErrorCode.TRUNCATED_BODY if answered else ErrorCode.CONNECT
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        return _failure(code, "the host closed it")
    return _failure(code, system_reason(exc) if isinstance(exc, OSError) else None)


def _timeout(exc: Exception, answered: bool) -> str:
    if isinstance(exc, DownloadTimeout):
        return str(exc)
    return "the host fell silent" if answered else NO_CONNECTION


def _failure(code: ErrorCode, why: str | None) -> Failure:
    """The code's sentence and, where it is known, why."""
    return Failure(code, f"{code.sentence}: {why}" if why else code.sentence)
