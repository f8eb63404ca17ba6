"""Every piece of application state, by typed key."""

from __future__ import annotations

from aiohttp import web

from server.settings import ServerSettings
from server.streams import OpenStreams
from workers.engine import Engine
from workers.manifest.spool import SpoolRoom

__all__ = ["ENGINE", "SETTINGS", "SPOOL_ROOM", "STREAMS"]

SETTINGS = web.AppKey("settings", ServerSettings)
ENGINE = web.AppKey("engine", Engine)
SPOOL_ROOM = web.AppKey("spool_room", SpoolRoom)
STREAMS = web.AppKey("streams", OpenStreams)
