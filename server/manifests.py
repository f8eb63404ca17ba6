"""The manifest of a request: the body itself, a file below the data root, or rows in the JSON."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from server import keys
from server.requests import refuse_unreadable
from server.uploads import receive
from workers.asked import Asked
from workers.manifest.files import FileSource
from workers.manifest.kinds import Kind, kind_of_name
from workers.manifest.objects import inline_rows
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row, Source

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
        RequestError, ManifestError: there is no such file, or nothing that reads it.
    """
    if kind is not None:
        refuse_unreadable(kind, 415, "Content-Type")
        whole = kind is Kind.PARQUET  # it says at its end what is in it
        upload = await stack.enter_async_context(receive(request, whole=whole))
        return Manifest(asked, upload, kind)
    if asked.filepath is None:
        return Manifest(asked, None, None)
    # What lies below the data root was put there by the operator: of any size.
    root = Path(request.app[keys.SETTINGS].data_root)
    source = FileSource(root, asked.filepath, max_bytes=sys.maxsize)
    stack.callback(source.close)
    kind = kind_of_name(source.name)
    refuse_unreadable(kind, 422, "filepath")
    return Manifest(asked, source, kind)
