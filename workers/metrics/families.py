"""What is counted here, as the Prometheus library takes it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isinf

from prometheus_client.core import HistogramMetricFamily

from workers.metrics.histogram import Histogram

__all__ = ["histogram_family"]


def histogram_family(
    name: str, help_text: str, label: str, series: Iterable[tuple[str, Histogram]]
) -> HistogramMetricFamily:
    """The metric *name* with a histogram for each value of *label*."""
    family = HistogramMetricFamily(name, help_text, labels=[label])
    for value, histogram in series:
        ends = [(_written(end), float(count)) for end, count in histogram.buckets()]
        family.add_metric([value], ends, histogram.sum)
    return family


def _written(end: float) -> str:
    return "+Inf" if isinf(end) else str(end)
