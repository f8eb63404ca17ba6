"""`/ping/` for who came before, `/healthz` for the process, `/readyz` for what it needs."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server import keys
from workers.errors import WorkError
from workers.jobs.ledger import Ledger

__all__ = ["healthz", "ping", "readyz"]

PROBE_SECONDS = 2.0
REDIS_SECONDS = 1.0


async def ping(_: web.Request) -> web.Response:
    """`GET /ping/`."""
    return web.json_response({"ping": "pong"})


async def healthz(_: web.Request) -> web.Response:
    """`GET /healthz`: the process is alive; nothing else is asked."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 when work would be done, 503 with what is missing otherwise."""
    checks = {
        "pool": await asyncio.shield(request.app[keys.ENGINE].pool.probe(PROBE_SECONDS)),
        "accepting": not request.app[keys.STREAMS].draining,
    }
    if (ledger := request.app.get(keys.LEDGER)) is not None:
        checks["redis"] = await _answers(ledger)
    ready = all(checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return web.json_response(body, status=200 if ready else 503)


async def _answers(ledger: Ledger) -> bool:
    """Whether Redis does, within its second."""
    try:
        await ledger.check(within=REDIS_SECONDS)
    except WorkError:
        return False
    return True
