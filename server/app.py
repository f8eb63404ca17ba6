"""`create_app(settings)` and `create_runner(settings)`: pure wiring."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver

from server import access, batches, health, images, jobs, keys, lifecycle, metrics, submissions
from server.admission import working
from server.gate import Gate
from server.http_counts import HttpCounts
from server.listener import Runner
from server.openapi import document
from server.readers import Readers
from server.settings import ServerSettings
from server.static_files import READER_POLICY, StaticFiles
from server.streams import OpenStreams
from workers.manifest.spool import SpoolRoom

__all__ = ["create_app", "create_runner"]

#: So long an unwanted body is read on behind its answer: a close would lose the answer with it.
LINGER_SECONDS = 2.0


def create_runner(
    settings: ServerSettings, *, resolver: AbstractResolver | None = None
) -> web.AppRunner:
    """The application and how it is served: lost clients cancel, bodies come as they were sent."""
    app = create_app(settings, resolver=resolver)
    return Runner(
        app,
        Gate(settings),
        counts=app[keys.HTTP_COUNTS],
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        lingering_time=LINGER_SECONDS,
        shutdown_timeout=LINGER_SECONDS,  # streams had their grace in `lifecycle.drain`
    )


def create_app(
    settings: ServerSettings, *, resolver: AbstractResolver | None = None
) -> web.Application:
    """The application; *resolver* stands in for the system's names in tests."""
    app = web.Application()
    app[keys.SETTINGS] = settings
    app[keys.STREAMS] = OpenStreams(settings.max_streams)
    app[keys.HTTP_COUNTS] = HttpCounts()
    app[keys.READERS] = Readers(settings.max_streams)
    app[keys.SPOOL_ROOM] = SpoolRoom(Path(settings.data_root), int(settings.max_spool_bytes))
    app.on_response_prepare.append(access.finish_stream)
    app.on_shutdown.append(lifecycle.drain)
    app.cleanup_ctx.append(lifecycle.engine(resolver))
    app.cleanup_ctx.append(lifecycle.ledger)
    app.cleanup_ctx.append(metrics.opened)
    files = StaticFiles()
    docs = files.page("docs/index.html", policy=READER_POLICY)
    description = document.description(keyed=settings.key is not None)
    app.add_routes(
        [
            web.get("/", files.page("index.html")),
            web.get("/docs", docs),
            web.get("/docs/", docs),
            web.get("/static/{path:.+}", files.file),
            web.get(document.PATH, description),
            web.get(f"{document.PATH}/", description),
            *working("/api/v1/images_info", images.images_info),
            *working("/api/v1/images_info_async", submissions.images_info_async),
            *working("/api/v1/batch_predict", batches.batch_predict),
            *working("/api/v1/batch_predict_async", submissions.batch_predict_async),
            web.get("/api/v1/predictors", batches.predictors),
            web.get("/api/v1/predictors/", batches.predictors),
            *jobs.routes(),
            web.get("/ping", health.ping),
            web.get("/ping/", health.ping),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
            web.get("/metrics", metrics.metrics),
        ]
    )
    return app
