"""What a scrape says, as tests ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Scrape"]

Labels = frozenset[tuple[str, str]]


class Scrape:
    """One answer, as text of Prometheus, or metrics."""

    def __init__(self, told: str | Iterable[Metric]) -> None:
        self.metrics = list(text_string_to_metric_families(told) if isinstance(told, str) else told)
        self._samples: dict[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for metric in self.metrics
            for sample in metric.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        """The value of one sample; None where it is missing."""
        return self._samples.get((f"imagecensus_{name}", frozenset(labels.items())))

    def by(self, label: str, name: str, **labels: str) -> Mapping[str, float]:
        """Values that are not 0, by what *label* says, of samples with these other *labels*."""
        found = {}
        for (sample, said), value in self._samples.items():
            of = dict(said)
            if sample == f"imagecensus_{name}" and value and of.items() >= labels.items():
                found[of[label]] = value
        return found
