"""Which downloads have spans, what is told of them, and that hosts hear nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from tests.workers.tracing.collector import Collector, Sent
from workers.engine import Engine, open_engine
from workers.manifest.rows import Row
from workers.options import InfoOptions
from workers.pipeline import inspect_rows
from workers.settings import WorkSettings
from workers.tracing import downloads, spans
from workers.tracing.downloads import shown
from workers.tracing.switch import traced
from workers.tracing.traceparent import Traceparent

GIVEN = Traceparent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, its counts begun afresh."""
    picture_host.reset()
    return picture_host


@pytest.fixture
async def engine(settings_of: Callable[..., WorkSettings]) -> AsyncIterator[Engine]:
    """Everything rows need."""
    async with open_engine(settings_of(retries=0), resolver=resolving({})) as engine:
        yield engine


async def run(engine: Engine, urls: Sequence[str], *, first: int = 0) -> int:
    """Look at rows of these URLs; how many there were."""

    async def rows() -> AsyncIterator[Row]:
        for index, url in enumerate(urls, first):
            yield Row(index, str(index), url, 0)

    count = 0
    async with inspect_rows(engine, rows(), InfoOptions()) as flow:
        async for records in flow.batches(idle=60):
            count += len(records)
    return count


def indexes(spans: Sequence[Sent]) -> list[int]:
    """Rows that have spans."""
    return sorted(span.facts["imagecensus.index"] for span in spans)


async def test_downloads_are_children_of_the_stream_and_told_to_no_host(
    engine: Engine, collector: Collector, host: PictureHost
) -> None:
    """None of what may be a secret is told either, of URLs and of where they lead."""
    secret = f"{host}/1.jpg?X-Amz-Signature=secret#more"
    away = f"http://user:secret@127.0.0.1:{host.port}/redirect/1/status/404/2.jpg?secret"
    with traced("foo"), spans.span("stream", parent=GIVEN):
        await run(engine, [f"{host}/0.jpg", secret, away])

    (stream,) = collector.named("stream")
    first, second, third = sorted(
        collector.named("GET"), key=lambda span: span.facts["imagecensus.index"]
    )
    for span in (first, second, third):
        assert (span.kind, span.trace_id) == ("CLIENT", GIVEN.trace_id)
        assert span.parent_id == stream.span_id
        assert stream.began <= span.began < span.ended <= stream.ended
    assert first.facts == {
        "http.request.method": "GET",
        "url.full": f"{host}/0.jpg",
        "server.address": "127.0.0.1",
        "server.port": host.port,
        "http.response.status_code": 206,
        "imagecensus.index": 0,
        "imagecensus.attempt": 1,
        "imagecensus.requests": 1,
        "imagecensus.bytes": 16384,
    }
    assert second.facts["url.full"] == f"{host}/1.jpg?…"
    assert third.failed
    assert third.facts["imagecensus.requests"] == 2
    assert third.facts["imagecensus.final_url"] == f"{host}/status/404/2.jpg?…"
    assert "secret" not in str(collector.spans)
    for asked in host.requests():
        assert not {"traceparent", "tracestate", "baggage", "b3"} & set(asked["headers"])


async def test_the_first_rows_have_spans_then_one_in_so_many(
    engine: Engine, collector: Collector, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the rows' indexes, so shards of a job go on where those before them ended."""
    monkeypatch.setattr(downloads, "FIRST_ROWS", 5)
    monkeypatch.setattr(downloads, "ONE_IN", 10)
    with traced("foo"):
        for first in (0, 12):
            with spans.span("stream"):
                await run(engine, [f"{host}/{row}.jpg" for row in range(12)], first=first)

    assert indexes(collector.named("GET")) == [0, 1, 2, 3, 4, 10, 20]


async def test_so_many_failures_have_spans_and_no_more(
    engine: Engine, collector: Collector, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each run, besides those that have one anyhow."""
    monkeypatch.setattr(downloads, "MOST_FAILED", 3)
    with traced("foo"):
        for first in (1001, 2001):
            with spans.span("stream"):
                await run(engine, [f"{host}/status/404/{row}" for row in range(9)], first=first)

    found = collector.named("GET")
    assert len(found) == 6
    assert all(span.failed and span.facts["error.type"] == "http_status" for span in found)
    assert all(span.facts["http.response.status_code"] == 404 for span in found)


async def test_attempts_have_spans_each(
    settings_of: Callable[..., WorkSettings], collector: Collector
) -> None:
    """And say when it was tried again."""
    settings = settings_of(retries=1, timeout=20)
    async with open_engine(settings, resolver=resolving({})) as engine:
        with traced("foo"), spans.span("stream"):
            await run(engine, ["http://127.0.0.1:1/"])

    first, second = sorted(collector.named("GET"), key=lambda span: span.began)
    assert [span.facts["imagecensus.attempt"] for span in (first, second)] == [1, 2]
    assert first.facts["imagecensus.again_seconds"] > 0
    assert "imagecensus.again_seconds" not in second.facts
    assert first.facts["error.type"] == "connect"


async def test_what_is_not_recorded_costs_nothing(
    engine: Engine, collector: Collector, host: PictureHost
) -> None:
    """Attempts are not even looked at, where the sampler said no or nothing is traced."""
    attempt = engine.downloads.header
    assert downloads.traced(attempt) == attempt
    with traced("foo"):
        assert downloads.traced(attempt) == attempt
        with spans.span("stream", parent=GIVEN._replace(flags="00")):
            assert downloads.traced(attempt) == attempt
            await run(engine, [f"{host}/0.jpg"])
    assert collector.spans == []


async def test_streams_beside_one_another_keep_their_spans_apart(
    engine: Engine, collector: Collector, host: PictureHost
) -> None:
    """A fetching task goes on to the rows of others; spans do not."""

    async def stream(name: str, path: str) -> None:
        with spans.span(name):
            await run(engine, [f"{host}/{path}/{row}.jpg" for row in range(40)])

    with traced("foo"):
        await asyncio.gather(stream("a", "a"), stream("b", "b"))

    for name in "ab":
        (parent,) = collector.named(name)
        mine = [span for span in collector.named("GET") if span.parent_id == parent.span_id]
        assert indexes(mine) == list(range(40))
        assert all(f"/{name}/" in span.facts["url.full"] for span in mine)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a.jpg", "https://example.org/a.jpg"),
        ("https://user:secret@example.org/a@2x.jpg", "https://example.org/a@2x.jpg"),
        ("https://example.org/a?token=secret", "https://example.org/a?…"),
        ("https://example.org/a?", "https://example.org/a"),
        ("https://example.org/a#secret?b", "https://example.org/a"),
        ("https://example.org/https://u:secret@h/a", "https://example.org/https://h/a"),
    ],
)
def test_urls_have_no_secrets(url: str, expected: str) -> None:
    """Nor has anything else a span tells."""
    assert shown(url) == expected
