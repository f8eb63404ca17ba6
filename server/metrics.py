"""`GET /metrics`: every number of this process, and what Redis has of jobs, for Prometheus.

docs/metrics.md has all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiohttp import hdrs, web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server import keys
from server.scrapes import Scrapes
from workers.errors import WorkError
from workers.jobs import keys as jobs
from workers.jobs.backlog import Backlog
from workers.jobs.ledger import Ledger
from workers.jobs.patience import RedisAway
from workers.metrics.instruments import OUTCOMES
from workers.metrics.of_engine import EngineMetrics
from workers.metrics.of_queue import queue_metrics
from workers.metrics.registry import new_registry

__all__ = ["metrics", "opened"]

#: So long a look waits for Redis.
REDIS_SECONDS = 1.0


async def opened(app: web.Application) -> AsyncIterator[None]:
    """The cleanup context of scrapes, behind that of the engine."""
    collectors = (app[keys.HTTP_COUNTS], _DoorMetrics(app), EngineMetrics(app[keys.ENGINE]))
    registry = new_registry(*collectors)

    async def look() -> Collector:
        backlog, up = await _asked(app.get(keys.LEDGER))
        await app[keys.SPOOL_ROOM].look()
        return _Together(registry, queue_metrics(backlog, up=up))

    scrapes = app[keys.SCRAPES] = Scrapes(look)
    yield
    await scrapes.close()


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`, as text of Prometheus or of OpenMetrics: what `Accept` asks for.

    Redis may be away, or slow: then its numbers are missing, and nothing else.
    """
    accept = ",".join(request.headers.getall(hdrs.ACCEPT, []))
    text, content_type = await request.app[keys.SCRAPES].text(accept)
    return web.Response(body=text, headers={hdrs.CONTENT_TYPE: content_type})


async def _asked(ledger: Ledger | None) -> tuple[Backlog | None, bool | None]:
    """What stands in Redis, and whether that answered; None where there is no Redis."""
    if ledger is None:
        return None, None
    try:
        return await ledger.backlog(within=REDIS_SECONDS), True
    except RedisAway:
        return None, False
    except WorkError:  # it answers, in words that are not ours
        return None, True


class _Together(Collector):
    """A registry, and what was asked for this look alone."""

    def __init__(self, registry: Collector, asked: Iterator[Metric]) -> None:
        self._registry = registry
        self._asked = list(asked)

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        yield from self._asked


class _DoorMetrics(Collector):
    """What is open at the door."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        """Streams, readers, spools."""
        app = self._app
        streams, room = app[keys.STREAMS], app[keys.SPOOL_ROOM]
        rows = CounterMetricFamily(
            "imagecensus_rows",
            "Rows that streams answered, by ok or error code.",
            labels=["kind", "outcome"],
        )
        counted = streams.rows()
        for kind in jobs.KINDS:
            for outcome in OUTCOMES:
                rows.add_metric([kind, outcome], counted[kind, outcome])
        yield rows
        gauges: dict[str, tuple[str, Any]] = {
            "open_streams": ("Streams being answered.", len(streams)),
            "open_streams_max": ("Requests for work at once, CENSUS_MAX_STREAMS.", streams.most),
            "result_readers": ("Clients that read results of jobs.", len(app[keys.READERS])),
            "spool_bytes": ("Bytes of uploaded manifests on disk.", room.held),
            "spool_max_bytes": ("Bytes they may take, CENSUS_MAX_SPOOL_BYTES.", room.size),
        }
        for name, (help_text, value) in gauges.items():
            yield GaugeMetricFamily(f"imagecensus_{name}", help_text, value=value)
