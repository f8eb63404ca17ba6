"""Every piece of application state, by typed key."""

from __future__ import annotations

from aiohttp import web

from server.http_counts import HttpCounts
from server.readers import Readers
from server.scrapes import Scrapes
from server.settings import ServerSettings
from server.streams import OpenStreams
from workers.engine import Engine
from workers.jobs.ledger import Ledger
from workers.manifest.spool import SpoolRoom

__all__ = [
    "ENGINE",
    "HTTP_COUNTS",
    "LEDGER",
    "READERS",
    "SCRAPES",
    "SETTINGS",
    "SPOOL_ROOM",
    "STREAMS",
]

SETTINGS = web.AppKey("settings", ServerSettings)
ENGINE = web.AppKey("engine", Engine)
HTTP_COUNTS = web.AppKey("http_counts", HttpCounts)
SCRAPES = web.AppKey("scrapes", Scrapes)
#: Only where there is a Redis.
LEDGER = web.AppKey("ledger", Ledger)
READERS = web.AppKey("readers", Readers)
SPOOL_ROOM = web.AppKey("spool_room", SpoolRoom)
STREAMS = web.AppKey("streams", OpenStreams)
