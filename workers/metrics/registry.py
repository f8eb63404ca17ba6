"""The metrics of one process, or of one application of several in it: nothing global."""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.settings import VERSION

__all__ = ["new_registry"]


class _Build(Collector):
    """What runs here."""

    def collect(self) -> list[Metric]:
        family = GaugeMetricFamily(
            "imagecensus_build_info", "1; its labels say what runs.", labels=["version", "python"]
        )
        family.add_metric([VERSION, platform.python_version()], 1)
        return [family]


def new_registry(*collectors: Collector) -> CollectorRegistry:
    """A registry of *collectors*, what is known of the process, and what runs in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    for collector in (_Build(), *collectors):
        registry.register(collector)
    return registry
