"""A manifest on the web: one GET, read as it comes, and continued by Range where it was cut.

Every address dialled is judged by the guard of the session, also behind a redirect.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

from aiohttp import ClientResponse, ClientSession, hdrs
from multidict import CIMultiDict

from imaging.facts import ErrorCode, Failure
from workers.errors import ManifestAway, ManifestError, ManifestNotFound
from workers.fetch.failures import failure_of, header_text, status_failure
from workers.fetch.ranges import Kind, judge
from workers.fetch.reasons import one_line
from workers.fetch.redirects import RedirectError, next_target
from workers.fetch.retries import retry_after, seconds_until_next
from workers.fetch.targets import Target
from workers.manifest.remote import RemoteSource
from workers.manifest.versions import Version, lasting
from workers.settings import WorkSettings

__all__ = ["WebSource"]

#: So often in a row, without a byte between, it is tried to read on what was begun.
TRIES = 5
#: A host that asks for a longer pause is not waited for.
LONGEST_PAUSE = 60.0
#: Codings whose bytes are told by how they begin.
_CODINGS = ("", "identity", "gzip", "x-gzip", "zstd")
_GONE = frozenset({404, 410})
_BEYOND = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)


class _Failed(Exception):
    """A try that failed; another one may not."""

    def __init__(self, failure: Failure, asked: float = 0.0) -> None:
        super().__init__(failure)
        self.failure = failure
        self.asked = asked  # seconds, by the host


class _Unranged(Exception):
    """The host gives the whole, and nothing from the middle."""


class WebSource(RemoteSource):
    """A manifest by http or https. `open` it first, `close` it at last."""

    def __init__(
        self, session: ClientSession, settings: WorkSettings, target: Target, name: str
    ) -> None:
        super().__init__(settings, name)
        self._session = session
        self._target = target
        self._version: Version | None = None
        self._opened: ClientResponse | None = None  # nothing of it was read yet

    async def open(self, retries: int) -> None:
        """Ask for it, up to *retries* times again, and see what it is.

        Raises:
            ManifestNotFound: there is none, or the host does not give it to us.
            ManifestAway: the host is not reached, or cannot give it just now.
            ManifestError: what comes cannot be read.
        """
        failed = 0
        while self._opened is None:
            try:
                self._opened = await self._ask(0)
            except _Failed as exc:
                failed += 1
                await self._pause(exc, failed, retries, 0)

    def close(self) -> None:
        """Reading is over."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self.drop()

    async def _stored(
        self, start: int = 0, response: ClientResponse | None = None
    ) -> AsyncGenerator[bytes, None]:
        position, failed = start, 0
        if response is None and not start:
            response, self._opened = self._opened, None
        try:
            while True:
                try:
                    if response is None and (response := await self._ask(position)) is None:
                        return
                    data = await self._next(response)
                    if not data and self.size is not None and position < self.size:
                        raise _Failed(_failure(ErrorCode.TRUNCATED_BODY))
                except _Failed as exc:
                    if response is not None:
                        response.close()
                        response = None
                    failed += 1
                    await self._pause(exc, failed, max(TRIES, self._settings.retries), position)
                    continue
                except _Unranged:
                    told = f"{self._cut(position)}, and its host does not read on in the middle"
                    raise ManifestError(told) from None
                if not data:
                    return
                failed = 0
                position += len(data)
                yield data
        finally:
            if response is not None:
                response.close()

    async def _ranged(self, start: int) -> AsyncGenerator[bytes, None] | None:
        failed = 0
        while True:
            try:
                response = await self._ask(start)
            except _Unranged:
                return None
            except _Failed as exc:
                failed += 1
                await self._pause(exc, failed, max(TRIES, self._settings.retries), start)
                continue
            return self._stored(start, response)

    async def _pause(self, exc: _Failed, failed: int, most: int, position: int) -> None:
        """Wait until the next try. Raises ManifestError where there is none."""
        failure = exc.failure
        wait = seconds_until_next(failure, attempt=failed, retries=most, asked=exc.asked)
        if wait is not None and wait <= LONGEST_PAUSE:
            await asyncio.sleep(wait)
            return
        if self._version is not None:
            raise ManifestError(f"{self._cut(position)}: {failure.message}") from exc
        told = f"cannot open {self._shown}: {failure.message}"
        raise (ManifestNotFound if lasting(failure) else ManifestAway)(told) from exc

    async def _next(self, response: ClientResponse) -> bytes:
        """What comes next of a body; nothing at its end. Raises _Failed."""
        try:
            async with asyncio.timeout(self._settings.read_timeout):
                return await response.content.readany()
        except Exception as exc:
            raise _failed(exc, answered=True) from exc

    async def _ask(self, start: int) -> ClientResponse | None:
        """The answer whose body is what is stored from *start* on; None where nothing is.

        Raises _Failed, _Unranged, ManifestError.
        """
        response = await self._answer(start)
        try:
            return self._judged(response, start)
        except BaseException:
            response.close()
            raise

    async def _answer(self, start: int) -> ClientResponse:
        """Ask, and follow redirects. Raises _Failed."""
        headers: CIMultiDict[str] = CIMultiDict()
        if start:
            headers[hdrs.RANGE] = f"bytes={start}-"
            if self._version is not None and self._version.validator is not None:
                headers[hdrs.IF_RANGE] = self._version.validator
        url, hops = self._target.url, 0
        patience = self._settings.connect_timeout + self._settings.read_timeout
        while True:
            response: ClientResponse | None = None
            try:
                async with asyncio.timeout(patience):
                    response = await self._session.get(url, headers=headers, allow_redirects=False)
                onward = next_target(url, response.status, response.headers)
            except Exception as exc:
                if response is not None:
                    response.close()
                if isinstance(exc, RedirectError):  # where to is not told: it may be signed
                    raise _Failed(_failure(ErrorCode.BAD_REDIRECT)) from None
                raise _failed(exc, answered=False) from exc
            if onward is None:
                return response
            response.close()
            if url.scheme == "https" and onward.url.scheme != "https":
                told = "a redirect leads from https to http, which is not followed"
                raise _Failed(Failure(ErrorCode.BAD_REDIRECT, told))
            if hops == self._settings.max_redirects:
                raise _Failed(_failure(ErrorCode.TOO_MANY_REDIRECTS))
            url, hops = onward.url, hops + 1

    def _judged(self, response: ClientResponse, start: int) -> ClientResponse | None:
        status, said = response.status, response.headers
        answer = judge(status, said, asked=start or None)
        if answer.kind is Kind.PART:
            self._check(Version.of(response, answer.total), start)
        elif answer.kind is Kind.WHOLE:
            self._check(Version.of(response, response.content_length), start)
            if start:
                raise _Unranged
        elif status == 416 and start:
            beyond = _BEYOND.fullmatch(said.get(hdrs.CONTENT_RANGE, ""))
            if beyond is None or int(beyond[1]) != start:
                raise ManifestError("the manifest changed while it was read: it became shorter")
            self.size = start
            return None
        elif status in _GONE and self._version is not None:
            raise ManifestError(f"the manifest is gone after {start} bytes of it were read")
        elif status >= 400:
            asked = retry_after(said.get(hdrs.RETRY_AFTER))
            raise _Failed(status_failure(status, response.reason), asked)
        elif start:
            raise _Unranged
        else:
            raise ManifestError(f"cannot open {self._shown}: its host answers {status}")
        coding = said.get(hdrs.CONTENT_ENCODING, "").strip().lower()
        if coding not in _CODINGS:
            shown = one_line(header_text(coding) or "", 40)
            told = f"cannot read {self._shown}: its host sends it with the Content-Encoding {shown}"
            raise ManifestError(told)
        return response

    def _check(self, version: Version, start: int) -> None:
        """Keep what version it is, or see that it is still the same. Raises ManifestError."""
        if self._version is None:
            self._version, self.stamp, self.size = version, version.stamp, version.size
            return
        if self._version.is_other(version):
            raise ManifestError("the manifest changed while it was read: its host has another now")
        if start and self._version.stamp is None:
            told = "and cannot be read on: its host tells no version of it (ETag, Last-Modified)"
            raise ManifestError(f"{self._cut(start)}, {told}")
        if self.size is None:
            self.size = version.size

    @property
    def _shown(self) -> str:
        return self.name[:200]

    @staticmethod
    def _cut(position: int) -> str:
        return f"the manifest was cut after {position} bytes"


def _failed(exc: Exception, *, answered: bool) -> _Failed:
    """A failed try. Raises *exc* where it is none that comes of downloading."""
    failure = failure_of(exc, answered=answered)
    if failure.code is ErrorCode.INTERNAL:
        raise exc
    return _Failed(failure)


def _failure(code: ErrorCode) -> Failure:
    return Failure(code, code.sentence)
