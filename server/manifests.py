"""The manifest of a request: the body itself, a file or a URL by its name, or rows in the JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from aiohttp import web

from server import keys
from server.problems import RequestError
from server.requests import refuse_unreadable
from server.uploads import receive
from workers.asked import Asked, InfoRequest
from workers.errors import ManifestAway, ManifestError, ManifestNotFound
from workers.manifest.addresses import is_url
from workers.manifest.kinds import Kind, kind_of_name
from workers.manifest.objects import inline_rows
from workers.manifest.opening import open_source
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row, Source
from workers.results.rows import result_rows

__all__ = ["Manifest", "open_manifest"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where the rows come from."""

    asked: Asked
    source: Source | None  #: None where the rows are inline
    kind: Kind | None

    @property
    def name(self) -> str | None:
        """As the `start` line tells it."""
        return self.source.name if self.source is not None else None

    def sha256(self) -> str | None:
        """Of the whole manifest, once all of it was read."""
        whole = self.source is not None and self.asked.limit is None
        return self.source.sha256 if self.source is not None and whole else None

    async def rows(self) -> AsyncGenerator[Row, None]:
        """All that are asked for. Raises ManifestError where they cannot be read on."""
        limit, extra = self.asked.limit, self.asked.extra
        if self.source is not None:
            if _of_changes(self.asked):
                reading = result_rows(self.source, limit=limit, extra=extra, before=True)
            else:
                reading = read_rows(self.source, kind=self.kind, limit=limit, extra=extra)
            async with aclosing(reading) as rows:
                async for row in rows:
                    yield row
        else:
            for row in inline_rows(self.asked.images or [], limit=limit, extra=extra):
                yield row


async def open_manifest(
    request: web.Request, asked: Asked, kind: Kind | None, stack: AsyncExitStack
) -> Manifest:
    """Open what *asked* names, or begin to take in the body, which is of *kind* where it is one.

    What is opened is closed with *stack*.

    Raises:
        RequestError, ManifestError: there is no such manifest, or nothing that reads it.
    """
    if kind is not None:
        _check_kind(asked, kind)
        refuse_unreadable(kind, 415, "Content-Type")
        whole = kind is Kind.PARQUET  # it says at its end what is in it
        upload = await stack.enter_async_context(receive(request, whole=whole))
        return Manifest(asked, upload, kind)
    if asked.filepath is None:
        return Manifest(asked, None, None)
    opening = open_source(request.app[keys.SETTINGS], asked.filepath)
    try:
        source = await stack.enter_async_context(opening)
    except (ManifestAway, ManifestNotFound):
        raise
    except ManifestError as exc:
        if not is_url(asked.filepath):
            raise
        raise RequestError(422, str(exc), fields=[("filepath", str(exc))]) from exc
    kind = kind_of_name(source.name)
    _check_kind(asked, kind)
    refuse_unreadable(kind, 422, "filepath")
    return Manifest(asked, source, kind)


def _of_changes(asked: Asked) -> bool:
    """Whether the manifest is an earlier answer, to be compared with."""
    return isinstance(asked, InfoRequest) and asked.changes


def _check_kind(asked: Asked, kind: Kind | None) -> None:
    """Raises RequestError (422) where an earlier answer is asked for and this is surely none."""
    if _of_changes(asked) and kind not in (None, Kind.NDJSON):
        told = "the manifest is an earlier answer as NDJSON, by filepath or as the body"
        raise RequestError(422, f"changes: {told}", fields=[("changes", told)])
