"""`images_info`: a list in, a record per row out."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from aiohttp import web

from server import keys
from server.keyed import wants_keyed, write_keyed
from server.manifests import open_manifest
from server.problems import RequestError
from server.requests import read_request
from server.tables import table_asked, writing
from workers.asked import InfoRequest
from workers.lines import start_line
from workers.pipeline import inspect_rows
from workers.tracing import spans

__all__ = ["images_info"]

NO_PLACE = "an answer as application/json has no place for them: ask for application/x-ndjson"


async def images_info(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/images_info`."""
    app = request.app
    table = table_asked(request)
    keyed = table is None and wants_keyed(request)
    async with AsyncExitStack() as stack:
        asked, kind = await read_request(request, InfoRequest)
        if keyed and asked.changes:
            raise RequestError(422, f"changes: {NO_PLACE}", fields=[("changes", NO_PLACE)])
        manifest = await open_manifest(request, asked, kind, stack)
        options = asked.options()
        if keyed:
            options = replace(options, ordered=True)
        rows = manifest.rows()
        stack.push_async_callback(rows.aclose)
        stack.enter_context(spans.span("stream images_info"))
        flow = await stack.enter_async_context(inspect_rows(app[keys.ENGINE], rows, options))
        stream = stack.enter_context(app[keys.STREAMS].entered(flow, "images_info"))
        if keyed:
            return await write_keyed(request, stream)
        start = start_line(kind="images_info", manifest=manifest.name, options=options.json())
        write = writing(table, "images_info")
        return await write(request, stream, start=start, sha256=manifest.sha256)
