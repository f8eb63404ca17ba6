"""What Redis has of jobs → metrics. They are the same at every server of one Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from workers.jobs.backlog import Backlog
from workers.metrics.instruments import OUTCOMES

__all__ = ["queue_metrics"]


def queue_metrics(backlog: Backlog | None, *, up: bool | None) -> Iterator[Metric]:
    """Every metric of the queue; without a *backlog* none of them has a value.

    *up*: whether Redis answered; None where there is none.
    """
    answered = GaugeMetricFamily("imagecensus_redis_up", "Whether Redis answered this scrape.")
    if up is not None:
        answered.add_metric([], up)
    yield answered
    yield from _of_totals(backlog)
    yield from _of_streams(backlog)
    yield from _of_consumers(backlog)


def _of_totals(backlog: Backlog | None) -> Iterator[Metric]:
    rows = CounterMetricFamily(
        "imagecensus_job_rows",
        "Rows of jobs that were recorded, each once, by ok or error code.",
        labels=["kind", "outcome"],
    )
    size = CounterMetricFamily(
        "imagecensus_job_bytes", "Bytes downloaded for rows of jobs.", labels=["kind"]
    )
    shards = CounterMetricFamily(
        "imagecensus_job_shards", "Shards of jobs that were recorded.", labels=["kind"]
    )
    jobs = CounterMetricFamily(
        "imagecensus_jobs", "Jobs that were started, and how they ended.", labels=["state"]
    )
    running = GaugeMetricFamily(
        "imagecensus_jobs_running", "Jobs that were started and have not ended."
    )
    dead = GaugeMetricFamily("imagecensus_dead_letters", "Dead letters kept.")
    if backlog is not None:
        for kind, totals in backlog.totals.items():
            counts = {"ok": totals.ok, **totals.errors}
            for outcome in OUTCOMES:
                rows.add_metric([kind, outcome], counts.get(outcome, 0))
            size.add_metric([kind], totals.bytes)
            shards.add_metric([kind], totals.shards)
        for event, count in backlog.jobs.items():
            jobs.add_metric([event], count)
        if backlog.running is not None:
            running.add_metric([], backlog.running)
        if backlog.dead is not None:
            dead.add_metric([], backlog.dead)
    yield from (rows, size, shards, jobs, running, dead)


def _of_streams(backlog: Backlog | None) -> Iterator[Metric]:
    length = _of_stream("length", "Entries of a stream: jobs, or shards, still to be done.")
    pending = _of_stream("pending", "Of these, entries that consumers were given.")
    waiting = _of_stream("waiting", "Of these, entries that nobody was given yet.")
    lag = _of_stream("lag", "The same as Redis 7 tells it, where it does.")
    oldest = _of_stream(
        "oldest_waiting_seconds", "Age of the oldest entry nobody was given; 0 without."
    )
    for name, standing in (backlog.streams if backlog else {}).items():
        length.add_metric([name], standing.length)
        waiting.add_metric([name], standing.waiting)
        oldest.add_metric([name], standing.oldest_waiting or 0.0)
        if standing.pending is not None:
            pending.add_metric([name], standing.pending)
        if standing.lag is not None:
            lag.add_metric([name], standing.lag)
    yield from (length, pending, waiting, lag, oldest)


def _of_consumers(backlog: Backlog | None) -> Iterator[Metric]:
    told: dict[str, tuple[str, Mapping[str, int]]] = {
        "imagecensus_consumers": (
            "Consumers that live, by kind of job they do.",
            backlog.consumers if backlog else {},
        ),
        "imagecensus_consumer_capacity": (
            "Shards that living consumers run at once.",
            backlog.capacity if backlog else {},
        ),
        "imagecensus_jobs_splitting": (
            "Jobs whose manifest is being read.",
            backlog.splitting if backlog else {},
        ),
    }
    for name, (help_text, by_kind) in told.items():
        family = GaugeMetricFamily(name, help_text, labels=["kind"])
        for kind, value in by_kind.items():
            family.add_metric([kind], value)
        yield family


def _of_stream(name: str, help_text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"imagecensus_stream_{name}", help_text, labels=["stream"])
