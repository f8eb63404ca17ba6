"""A manifest in S3, or in what speaks like it: read in parts, through the extra `s3`.

Who we are and where it is come from the usual environment (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`, …). The library has an event loop and a thread of its own: what it reads from
the disk at its start holds nobody up, and what is cancelled here is cancelled there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from workers.errors import ManifestAway, ManifestError, ManifestNotFound
from workers.fetch.reasons import one_line
from workers.manifest.remote import RemoteSource
from workers.settings import WorkSettings

__all__ = ["S3Source", "open_object"]

T = TypeVar("T")

#: Asked for at once.
PART_BYTES = 4 * 1024 * 1024
_BLOCK = 64 * 1024
#: Of each part; the library tries again by itself what was not answered at all.
TRIES = 3
PAUSE_SECONDS = 0.5


class _Store(NamedTuple):
    """The library's file system, and the loop it lives in."""

    files: Any
    loop: asyncio.AbstractEventLoop

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have *work* done there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def call(self, method: str, **said: Any) -> Any:
        """One question, as the API names it."""
        return await self.run(self.files._call_s3(method, **said))  # noqa: SLF001 - as `call_s3`, but not blocking

    async def part(self, **said: Any) -> bytes:
        """The bytes that a `get_object` answers with."""

        async def read() -> bytes:
            answer = await self.files._call_s3("get_object", **said)  # noqa: SLF001
            try:
                data: bytes = await answer["Body"].read()
            finally:
                answer["Body"].close()
            return data

        return await self.run(read())

    async def close(self) -> None:
        """Close its connections."""

        if (client := self.files._s3) is not None:  # noqa: SLF001 - asked for, it would be made
            await self.run(client.close())


class S3Source(RemoteSource):
    """One object. Made by `open_object`."""

    size: int

    def __init__(
        self, store: _Store, settings: WorkSettings, place: dict[str, str], name: str
    ) -> None:
        super().__init__(settings, name)
        self._store = store
        self._place = place
        self._condition: dict[str, str] = {}

    async def open(self) -> None:
        """See what it is. Raises ManifestNotFound, ManifestAway, ManifestError."""
        try:
            found = await self._store.call("head_object", **self._place)
        except Exception as exc:
            if _status(exc) == 404:
                raise ManifestNotFound(await self._missing()) from exc
            raise _opening(exc, self.name) from exc
        etag = str(found.get("ETag") or "")
        self.size = int(found["ContentLength"])
        self._condition = {"IfMatch": etag} if etag else {}
        self.stamp = f"{etag}:{self.size}" if etag else None

    async def _missing(self) -> str:
        """What is not there: the answer to a HEAD does not tell."""
        bucket = self._place["Bucket"]
        try:
            await self._store.call("head_bucket", Bucket=bucket)
        except Exception as exc:
            if _status(exc) == 404:
                return f"cannot open {self.name[:200]}: there is no bucket {bucket!r}"
        return f"cannot open {self.name[:200]}: there is no such key in the bucket"

    async def _stored(self, start: int = 0) -> AsyncGenerator[bytes, None]:
        position = start
        while position < self.size:
            part = await self._part(position, min(position + PART_BYTES, self.size))
            for at in range(0, len(part), _BLOCK):
                yield part[at : at + _BLOCK]
            position += len(part)

    async def _ranged(self, start: int) -> AsyncGenerator[bytes, None] | None:
        return self._stored(start)

    async def _part(self, start: int, end: int) -> bytes:
        asked = {**self._place, **self._condition, "Range": f"bytes={start}-{end - 1}"}
        for tried in range(1, TRIES + 1):
            try:
                part = await self._store.part(**asked)
            except Exception as exc:
                if _status(exc) in (412, 416):
                    raise ManifestError("the manifest changed while it was read") from exc
                if _status(exc) == 404:
                    told = f"the manifest is gone after {start} bytes of it were read"
                    raise ManifestError(told) from exc
                if tried == TRIES or _status(exc) in (400, 401, 403):
                    told = f"the manifest was cut after {start} bytes: {_reason(exc)}"
                    raise ManifestError(told) from exc
            else:
                if len(part) == end - start:
                    return part
            await asyncio.sleep(PAUSE_SECONDS * tried)
        raise ManifestError(f"the manifest was cut after {start} bytes")


@asynccontextmanager
async def open_object(
    settings: WorkSettings, bucket: str, key: str, name: str
) -> AsyncIterator[S3Source]:
    """The object *key*, which is told as *name*.

    Raises:
        ManifestNotFound: there is none, or it is not given to us.
        ManifestAway: it is not reached just now.
        ManifestError: the extra `s3` is not installed.
    """
    store = await asyncio.to_thread(_connect, settings)
    source = S3Source(store, settings, {"Bucket": bucket, "Key": key}, name)
    try:
        await source.open()
        yield source
    finally:
        source.drop()
        await store.close()


def _connect(settings: WorkSettings) -> _Store:
    try:
        import s3fs  # type: ignore[import-untyped]
        from fsspec.asyn import get_loop
    except ImportError as exc:
        told = "s3:// is read with the extra s3: pip install 'imagecensus[s3]'"
        raise ManifestError(told) from exc
    loop = get_loop()
    limits = {"connect_timeout": settings.connect_timeout, "read_timeout": settings.read_timeout}
    files = s3fs.S3FileSystem(
        asynchronous=True, loop=loop, skip_instance_cache=True, config_kwargs=limits
    )
    return _Store(files, loop)


def _answer(exc: BaseException | None) -> dict[str, Any] | None:
    """What the store answered, where it did: the library wraps that."""
    while exc is not None:
        answer = getattr(exc, "response", None)
        if isinstance(answer, dict):
            return answer
        exc = exc.__cause__
    return None


def _status(exc: Exception) -> int | None:
    answer = _answer(exc)
    status = (answer or {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _reason(exc: Exception) -> str:
    """Why, in words that quote no endpoint and no key."""
    status, answer = _status(exc), _answer(exc)
    if status is not None and answer is not None:
        code = one_line(str(answer.get("Error", {}).get("Code", "")), 60)
        return f"it is answered {status}" + ("" if code in ("", str(status)) else f" {code}")
    return {
        "NoCredentialsError": "there are no credentials; set AWS_ACCESS_KEY_ID or AWS_PROFILE",
        "PartialCredentialsError": "the credentials are not complete",
        "ProfileNotFound": "there is no profile of that AWS_PROFILE",
        "EndpointConnectionError": "the endpoint is not reached",
        "ConnectTimeoutError": "the endpoint is not reached in time",
        "ReadTimeoutError": "the endpoint fell silent",
    }.get(type(exc).__name__, type(exc).__name__)


def _opening(exc: Exception, name: str) -> ManifestError:
    status = _status(exc)
    told = f"cannot open {name[:200]}: {_reason(exc)}"
    if status is not None and 400 <= status < 500 and status != 429:
        hint = " (or it is not there, where listing is not allowed either)" if status == 403 else ""
        return ManifestNotFound(told + hint)
    return ManifestAway(told)
