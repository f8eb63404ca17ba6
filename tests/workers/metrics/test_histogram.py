"""Ranges of seconds: each observation in one, the sum beside them, as Prometheus counts."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as OfTheLibrary

from tests.prometheus import Scrape
from workers.metrics.families import histogram_family
from workers.metrics.histogram import SPAN_BOUNDS, Histogram

SECONDS = st.floats(0, 100) | st.sampled_from(SPAN_BOUNDS)


@given(st.lists(SECONDS))
def test_it_counts_as_the_library_does(seconds: list[float]) -> None:
    """Also what is exactly at the end of a range."""
    ours = Histogram()
    library = OfTheLibrary("a_seconds", "-", registry=CollectorRegistry(), buckets=SPAN_BOUNDS)

    for one in seconds:
        ours.observe(one)
        library.observe(one)

    (metric,) = library.collect()
    told = {sample.labels.get("le"): sample.value for sample in metric.samples}
    assert [count for _, count in ours.buckets()] == [
        told["+Inf" if end == inf else str(end)] for end, _ in ours.buckets()
    ]
    assert ours.count == len(seconds)
    assert ours.sum == pytest.approx(sum(seconds))


def test_it_is_told_as_a_histogram() -> None:
    """With a count, a sum, and the last range without an end."""
    histogram = Histogram([0.5, 1.0])
    for seconds in (0.1, 0.5, 3.0):
        histogram.observe(seconds)
    told = Scrape([histogram_family("imagecensus_a_seconds", "-", "of", [("b", histogram)])])

    assert told.by("le", "a_seconds_bucket", of="b") == {"0.5": 2, "1.0": 2, "+Inf": 3}
    assert told("a_seconds_count", of="b") == 3
    assert told("a_seconds_sum", of="b") == pytest.approx(3.6)
