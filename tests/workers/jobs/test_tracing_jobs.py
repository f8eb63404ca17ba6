"""The trace of a job: from whoever handed it in to every shard, whichever consumer runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.picture_hosts import PictureHost
from tests.workers.jobs import processes
from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import consuming, entry_of, until_over
from tests.workers.tracing.collector import Collector, collecting
from workers.engine import Engine

Pictures = Callable[[int], list[str]]
Written = Callable[..., str]

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that processes started from here are asked to send to."""
    with collecting() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.endpoint)
        yield one


async def test_a_consumer_goes_on_with_the_trace_of_a_job(
    queue: Queue,
    collector: Collector,
    pictures: Pictures,
    picture_host: PictureHost,
    written: Written,
    tmp_path: Path,
    redis_url: str,
    redis_cluster: bool,
) -> None:
    """The split, each shard and its downloads; what is left is sent at the end, hosts hear nothing.

    What is handed in without a caller has a trace of its own, one for all of it.
    """
    entry = entry_of(written(pictures(6)))
    ours = {"REDIS_URL": redis_url, "REDIS_CLUSTER": str(redis_cluster)}
    with processes.started(tmp_path, **ours) as worker:
        await worker.ready()
        with_caller = await queue.added(**entry, traceparent=GIVEN)
        without = await queue.added(**entry)
        told = await until_over(queue, with_caller)
        other = await until_over(queue, without)
        assert worker.end() == 0

    assert told["traceparent"] == GIVEN
    for job, trace_id, parent in (
        (with_caller, TRACE, GIVEN.split("-")[2]),
        (without, other["traceparent"].split("-")[1], ""),
    ):
        (split,) = collector.named("split images_info", trace_id)
        shards = collector.named("shard images_info", trace_id)
        assert split.parent_id == parent
        assert split.facts["imagecensus.job"] == job
        assert {shard.parent_id for shard in shards} == {parent or split.span_id}
        assert sorted(shard.facts["imagecensus.shard"] for shard in shards) == [0, 1]
        assert sum(shard.facts["imagecensus.ok"] for shard in shards) == 6
        downloads = collector.named("GET", trace_id)
        assert {span.parent_id for span in downloads} <= {shard.span_id for shard in shards}
        assert sorted(span.facts["imagecensus.index"] for span in downloads) == list(range(6))
        assert {span.service for span in (split, *shards, *downloads)} == {"imagecensus-consumer"}
    # Leases, heartbeats and blocking reads have none: there would be several a second, for ever.
    assert {span.name for span in collector.spans} == {split.name, shards[0].name, "GET"}
    for asked in picture_host.requests():
        assert not {"traceparent", "tracestate", "baggage"} & set(asked["headers"])
    assert f'"trace_id":"{TRACE}"' in worker.log_text()


@pytest.mark.parametrize("said", ["foo", "", b"\xff\xff", f"00-{'0' * 32}-b7ad6b7169203331-01"])
async def test_one_that_cannot_be_read_is_no_dead_letter(
    queue: Queue, engine: Engine, pictures: Pictures, written: Written, said: str | bytes
) -> None:
    """The job is done, of no trace."""
    entry = entry_of(written(pictures(2)))
    async with consuming(engine):
        told = await until_over(queue, await queue.added(**entry, traceparent=said))

    assert "traceparent" not in told
    assert told["ok"] == "2"
