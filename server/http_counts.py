"""How many requests were answered, with what, and how long it took: by route, never by path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from server.routes import method_of, route_of
from workers.metrics.families import histogram_family
from workers.metrics.histogram import Histogram

__all__ = ["OTHER", "HttpCounts"]

#: For whatever anybody could make up: methods nobody answers, paths that are no route, requests
#: that were refused before it was looked where they lead.
OTHER = "other"
#: The status of an answer that was cut off: its client left, or the server ended.
CUT = "cut"

#: Upper ends, seconds: a stream may take hours.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class HttpCounts(Collector):
    """All requests of one application."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[str, Histogram] = {}

    def answered(self, request: web.Request, status: int | None, seconds: float) -> None:
        """Count one; without a *status* it was cut off."""
        method, route = method_of(request) or OTHER, route_of(request) or OTHER
        self._count(method, route, CUT if status is None else str(status), seconds)

    def not_http(self, status: int) -> None:
        """Count what came and is no request."""
        self._count(OTHER, OTHER, str(status), 0.0)

    def _count(self, method: str, route: str, status: str, seconds: float) -> None:
        self._requests[method, route, status] += 1
        histogram = self._durations.get(route)
        if histogram is None:
            histogram = self._durations[route] = Histogram(_BOUNDS)
        histogram.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """The metrics of it."""
        requests = CounterMetricFamily(
            "imagecensus_http_requests",
            "Requests that were answered, or cut off.",
            labels=["method", "route", "status"],
        )
        for labels, count in self._requests.items():
            requests.add_metric(labels, count)
        yield requests
        yield histogram_family(
            "imagecensus_http_request_duration_seconds",
            "From the head of a request to the end of its answer.",
            "route",
            self._durations.items(),
        )
