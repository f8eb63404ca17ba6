"""An engine → its metrics: downloads, spans, the pool, memory in use. Nothing is asked for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.engine import Engine
from workers.metrics.families import histogram_family
from workers.pool.supervisor import CAUSES

__all__ = ["EngineMetrics"]


class EngineMetrics(Collector):
    """Reads an engine when it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Every metric of it."""
        yield from self._of_downloads()
        yield from self._of_pool()
        inflight = GaugeMetricFamily(
            "imagecensus_inflight_bytes",
            "Bytes held in memory: bodies of pictures, and arrays of batches.",
            labels=["what"],
        )
        most = GaugeMetricFamily(
            "imagecensus_inflight_max_bytes",
            "Bytes that may be held, CENSUS_MAX_INFLIGHT_BYTES of each.",
            labels=["what"],
        )
        budgets = {"bodies": self._engine.downloads.budget, "arrays": self._engine.arrays}
        for what, budget in budgets.items():
            inflight.add_metric([what], budget.held)
            most.add_metric([what], budget.size)
        yield from (inflight, most)

    def _of_downloads(self) -> Iterator[Metric]:
        instruments = self._engine.instruments
        outcomes = CounterMetricFamily(
            "imagecensus_downloads",
            "Downloads that ended, by ok or error code; one is a URL, all attempts together.",
            labels=["outcome"],
        )
        for outcome, count in dict(instruments.downloads.outcomes).items():
            outcomes.add_metric([outcome], count)
        yield outcomes
        yield CounterMetricFamily(
            "imagecensus_download_bytes",
            "Bytes of bodies received by downloads that ended.",
            value=instruments.downloads.bytes,
        )
        yield GaugeMetricFamily(
            "imagecensus_downloads_inflight",
            "Tasks that download now, of CENSUS_MAX_CONNECTIONS.",
            value=self._engine.turns.busy,
        )
        yield histogram_family(
            "imagecensus_span_seconds",
            "Where the time of rows goes.",
            "span",
            instruments.timings.named(),
        )

    def _of_pool(self) -> Iterator[Metric]:
        pool = self._engine.pool
        gauges = {
            "slots": ("Slots of the process pool.", pool.size),
            "inflight": ("Slots that somebody has.", pool.busy),
            "waiting": ("Callers that wait for a slot.", pool.waiting),
            "warm": ("Processes of the pool that are up.", pool.warm),
        }
        for name, (help_text, value) in gauges.items():
            yield GaugeMetricFamily(f"imagecensus_pool_{name}", help_text, value=value)
        restarts = CounterMetricFamily(
            "imagecensus_pool_restarts",
            "Processes of the pool that were replaced, by why.",
            labels=["cause"],
        )
        counted: Counter[str] = Counter()
        for causes in pool.replaced:
            counted.update(causes)
        for cause in CAUSES:
            restarts.add_metric([cause], counted[cause])
        yield restarts
