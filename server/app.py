"""`create_app(settings)`: pure wiring."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver

from server import access, health, images, keys, lifecycle
from server.settings import ServerSettings
from server.streams import OpenStreams
from workers.manifest.spool import SpoolRoom

__all__ = ["create_app"]

#: Header fields of an answer or request beyond this are refused by the parser.
_JSON_AND_SMALL_BODIES = 16 * 1024 * 1024


def create_app(
    settings: ServerSettings, *, resolver: AbstractResolver | None = None
) -> web.Application:
    """The application; *resolver* stands in for the system's names in tests."""
    app = web.Application(middlewares=[access.around], client_max_size=_JSON_AND_SMALL_BODIES)
    app[keys.SETTINGS] = settings
    app[keys.STREAMS] = OpenStreams()
    app[keys.SPOOL_ROOM] = SpoolRoom(Path(settings.data_root), int(settings.max_spool_bytes))
    app.on_response_prepare.append(access.name_response)
    app.on_shutdown.append(lifecycle.drain)
    app.cleanup_ctx.append(lifecycle.engine(resolver))
    app.add_routes(
        [
            web.post("/api/v1/images_info", images.images_info),
            web.post("/api/v1/images_info/", images.images_info),
            web.get("/ping", health.ping),
            web.get("/ping/", health.ping),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
        ]
    )
    return app
