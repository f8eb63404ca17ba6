"""`batch_predict`: a list in, a record per batch out; and who may be asked to predict."""

from __future__ import annotations

from contextlib import AsyncExitStack

import orjson
from aiohttp import web

from imaging.predictors.about import DEFAULT
from server import keys
from server.job_requests import check_query
from server.keyed import wants_keyed
from server.manifests import open_manifest
from server.problems import RequestError
from server.recipes import recipe_of
from server.requests import read_request
from server.submissions import batch_predict_async
from server.tables import table_asked, writing
from workers.asked import BatchRequest
from workers.lines import start_line
from workers.options import Pixels
from workers.pipeline import predict_batches
from workers.tracing import spans

__all__ = ["batch_predict", "predictors"]

NO_PLACE = "a table has no place for arrays: ask for application/x-ndjson"


async def batch_predict(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/batch_predict`; a job where `application/json` is asked for, as it once was."""
    table = table_asked(request)
    if table is None and wants_keyed(request):
        return await batch_predict_async(request)
    app = request.app
    async with AsyncExitStack() as stack:
        asked, kind = await read_request(request, BatchRequest)
        options = asked.options()
        if table is not None and options.pixels is not Pixels.NONE:
            raise RequestError(422, f"pixels: {NO_PLACE}", fields=[("pixels", NO_PLACE)])
        recipe = await recipe_of(request, options)  # before a body is taken in for nothing
        manifest = await open_manifest(request, asked, kind, stack)
        rows = manifest.rows()
        stack.push_async_callback(rows.aclose)
        stack.enter_context(spans.span("stream batch_predict"))
        predicting = predict_batches(app[keys.ENGINE], rows, options, recipe)
        flow = await stack.enter_async_context(predicting)
        stream = stack.enter_context(app[keys.STREAMS].entered(flow, "batch_predict"))
        start = start_line(kind="batch_predict", manifest=manifest.name, options=options.json())
        write = writing(table, "batch_predict")
        return await write(
            request,
            stream,
            start=start,
            sha256=manifest.sha256,
            provenance=recipe.provenance(),
        )


async def predictors(request: web.Request) -> web.Response:
    """`GET /api/v1/predictors`."""
    check_query(request)
    known = await request.app[keys.ENGINE].predictors.all()
    body = {"predictors": [one.json() for one in known], "default": DEFAULT}
    return web.Response(body=orjson.dumps(body), content_type="application/json")
