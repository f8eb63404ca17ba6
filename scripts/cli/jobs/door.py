"""A server as a client sees it: questions, answers, and what it means when there are none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from scripts.cli.exits import Refused
from scripts.cli.jobs.jobs_told import plain

__all__ = ["A_JOB", "DEFAULT_URL", "Body", "Denied", "Door", "Unanswered", "key_of"]

DEFAULT_URL = "http://127.0.0.1:5000"

CONNECT_SECONDS = 10.0
#: A server says something every 10 seconds while it gives out results.
SILENT_SECONDS = 60.0
#: Of an answer that is not results: a page of a thousand jobs has some megabytes.
LONGEST_ANSWER = 64 * 1024 * 1024
#: What may be otherwise in a moment.
_PASSING = frozenset({408, 429, 502, 503, 504})

#: What the state of a job holds, whatever else.
A_JOB: Mapping[str, type] = {"state": str}
_NOTHING: Mapping[str, type] = {}

Query = Mapping[str, str]
Body = bytes | AsyncIterable[bytes]


class Unanswered(Exception):
    """No answer, or one that says to come again: worth another try."""

    def __init__(self, sentence: str, *, after: float | None = None, refused: bool = False) -> None:
        """*after*: the seconds to wait, as the server says; *refused*: nobody listens there."""
        super().__init__(sentence)
        self.after = after
        self.refused = refused


class Denied(Exception):
    """The server answered, and will not do it, however often it is asked."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def key_of(given: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The key: *given*, else that of CENSUS_API_KEY or of the file CENSUS_API_KEY_FILE.

    Raises:
        Refused: it can be no key, or the file cannot be read. Never with the key in it.
    """
    key, name = given or environ.get("CENSUS_API_KEY"), "--key" if given else "CENSUS_API_KEY"
    if not key and (path := environ.get("CENSUS_API_KEY_FILE")):
        name = "CENSUS_API_KEY_FILE"
        try:
            with Path(path).open("rb") as file:
                key = file.read(65536).decode("latin-1").strip()
        except (OSError, ValueError) as exc:
            told = getattr(exc, "strerror", None) or "not a path"
            raise Refused(f"{name} cannot be read: {told}") from exc
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Refused(f"{name}: a key is printable ASCII without a space")
    return key


class Door:
    """One server, asked over kept connections; to be entered."""

    def __init__(self, server: str, key: str | None) -> None:
        """Raises Refused where *server* is no URL of one."""
        try:
            url = URL(server.strip())
            port = url.port
        except ValueError:
            raise Refused(f"--server {server!r} is no URL") from None
        if url.scheme not in ("http", "https") or not url.host or port is None:
            raise Refused(f"--server {server!r}: give an http:// or https:// URL")
        if url.user is not None or url.password is not None:
            raise Refused("--server: a name or password in the URL is not used; give --key")
        self.url = str(url.with_query(None).with_fragment(None)).rstrip("/")
        self._key = key
        self._headers = {"User-Agent": "imagecensus"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        holds: Mapping[str, type] = _NOTHING,
    ) -> dict[str, Any]:
        """The JSON object that is answered, in which there are such members.

        Raises:
            Unanswered: nothing came, or "later".
            Denied: anything else but success.
        """
        async with self.opened(method, path, query=query, headers=headers, body=body) as response:
            async with asyncio.timeout(SILENT_SECONDS):
                said = _object(await self._read(response))
            if said is None or not all(isinstance(said.get(name), holds[name]) for name in holds):
                raise self._stranger(response)
            return said

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that succeeds, to be read. Raises as `ask`, also for what goes wrong inside."""
        assert self._session is not None  # noqa: S101 - it was entered
        try:
            async with self._session.request(
                method,
                f"{self.url}{path}",
                params=query,
                headers=headers,
                data=body,
                allow_redirects=False,  # the key is for this server
            ) as response:
                try:
                    if not 200 <= response.status < 300:
                        raise await self._failure(response)
                    yield response
                finally:
                    response.close()  # what is still being sent is for nobody
        except aiohttp.ClientError as exc:
            raise self._unanswered(exc) from exc
        except (TimeoutError, ConnectionError) as exc:
            raise Unanswered(f"{self.url} does not answer") from exc

    async def _failure(self, response: aiohttp.ClientResponse) -> Exception:
        """What an answer that is no success means."""
        status = response.status
        if 300 <= status < 400:
            there = plain(response.headers.get("Location", "elsewhere")[:200])
            return Denied(f"{self.url} sends to {there}: give that server as --server", status)
        said = _object(await self._read(response))
        told = _sentence(said) if said is not None else None
        if status in _PASSING and not (status == 502 and told is not None):
            sentence = told or f"{status} {response.reason}"
            return Unanswered(f"{self.url}: {sentence}", after=_after(response))
        if told is None:
            return self._stranger(response)
        if status == 401:
            told += " (--key, CENSUS_API_KEY or CENSUS_API_KEY_FILE gives it)"
        if status == 500 and said is not None:
            told += f" {said.get('request_id')}"
        return Denied(told, status)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > LONGEST_ANSWER:
                raise self._stranger(response)
            pieces.append(piece)
        return b"".join(pieces)

    def _stranger(self, response: aiohttp.ClientResponse) -> Denied:
        told = f"{response.status} with {response.content_type}"
        return Denied(f"{self.url} is no imagecensus server: it answers {told}", response.status)

    def _unanswered(self, exc: aiohttp.ClientError) -> Exception:
        """The words for what the client library raises; none of them holds the request."""
        if isinstance(exc, aiohttp.ClientConnectorCertificateError):
            return Denied(f"the certificate of {self.url} is not trusted", 0)
        if isinstance(exc, aiohttp.ClientConnectorDNSError):
            return Unanswered(f"there is no host {exc.host!r}", refused=True)
        if isinstance(exc, aiohttp.ClientSSLError):
            return Denied(f"{self.url} does not speak TLS as it should", 0)
        if isinstance(exc, aiohttp.ClientConnectorError):
            told = f"no server answers at {self.url}"
            if isinstance(exc.os_error, ConnectionRefusedError):
                told = f"no server listens at {self.url}"
            return Unanswered(
                f"{told}; `imagecensus serve` starts one, --server names another", refused=True
            )
        if isinstance(exc, asyncio.TimeoutError):
            return Unanswered(f"{self.url} does not answer")
        if isinstance(exc, aiohttp.ClientResponseError):
            return Denied(f"{self.url} is no imagecensus server: what it answers is not HTTP", 0)
        return Unanswered(f"the connection to {self.url} was cut")


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _sentence(said: dict[str, Any]) -> str | None:
    """As the server worded it; None where this is no problem of ours."""
    error, detail = said.get("error"), said.get("detail")
    if not isinstance(error, str):
        return None
    if not isinstance(detail, str) or detail == error:
        return error
    return detail if error in detail else f"{error}: {detail}"


def _after(response: aiohttp.ClientResponse) -> float | None:
    said = response.headers.get("Retry-After", "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else None
