"""`images_info`: a list in, a record per row out."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from server import keys
from server.keyed import wants_keyed, write_keyed
from server.ndjson import write_ndjson
from server.requests import MANIFEST_TYPES, read_json, read_query, refuse_unreadable
from server.uploads import receive
from workers.asked import InfoRequest
from workers.manifest.files import FileSource
from workers.manifest.kinds import Kind, kind_of_name
from workers.manifest.objects import inline_rows
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row, Source
from workers.options import InfoOptions
from workers.pipeline import inspect_rows
from workers.records import start_line

__all__ = ["images_info"]


async def images_info(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/images_info`."""
    app = request.app
    keyed = wants_keyed(request)
    async with AsyncExitStack() as stack:
        source: Source | None
        if (kind := MANIFEST_TYPES.get(request.content_type)) is not None:
            asked = read_query(request)
            refuse_unreadable(kind, 415, "Content-Type")
            whole = kind is Kind.PARQUET  # it says at its end what is in it
            source = await stack.enter_async_context(receive(request, whole=whole))
        else:
            asked = await read_json(request)
            source = _file(app, asked, stack)
            kind = kind_of_name(source.name) if source is not None else None
            refuse_unreadable(kind, 422, "filepath")
        options = asked.options()
        if keyed:
            options = replace(options, ordered=True)
        rows = _rows(source, kind, asked, options)
        stack.push_async_callback(rows.aclose)
        inspection = await stack.enter_async_context(inspect_rows(app[keys.ENGINE], rows, options))
        stream = stack.enter_context(app[keys.STREAMS].entered(inspection))
        if keyed:
            return await write_keyed(request, stream)
        start = start_line(
            kind="images_info",
            manifest=source.name if source is not None else None,
            options=options.json(),
        )
        return await write_ndjson(
            request,
            stream,
            start=start,
            sha256=lambda: None if source is None or options.limit is not None else source.sha256,
        )


def _file(app: web.Application, asked: InfoRequest, stack: AsyncExitStack) -> FileSource | None:
    """The file the request names; None where the rows are inline. Raises ManifestNotFound."""
    if asked.filepath is None:
        return None
    settings = app[keys.SETTINGS]
    # What lies below the data root was put there by the operator: of any size.
    source = FileSource(Path(settings.data_root), asked.filepath, max_bytes=sys.maxsize)
    stack.callback(source.close)
    return source


async def _rows(
    source: Source | None, kind: Kind | None, asked: InfoRequest, options: InfoOptions
) -> AsyncGenerator[Row, None]:
    if source is not None:
        async with aclosing(
            read_rows(source, kind=kind, limit=options.limit, extra=options.extra)
        ) as rows:
            async for row in rows:
                yield row
    else:
        for row in inline_rows(asked.images or [], limit=options.limit, extra=options.extra):
            yield row
