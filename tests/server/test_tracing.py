"""The trace that a request says it belongs to: in log lines and jobs, with or without the extra."""

from __future__ import annotations

import logging

import pytest
from structlog.contextvars import get_contextvars

from tests.picture_hosts import PictureHost
from tests.server.recording import ASYNC, Queue
from tests.server.serving import INFO, Served
from tests.workers.tracing.collector import Collector, collecting
from workers.jobs import keys
from workers.tracing.switch import traced

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"


class Heard(logging.Handler):
    """Of each record, what its context says."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One of them."""
        self.said.append((record.getMessage(), get_contextvars().get("trace_id")))


async def test_log_lines_have_the_trace_of_their_request(served: Served) -> None:
    """And only of theirs, on a connection that is kept."""
    heard = Heard()
    logger = logging.getLogger("server.access")
    logger.addHandler(heard)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        await served.ask(json={"images": ["foo"]}, headers={"traceparent": GIVEN})
        await served.ask(json={"images": ["foo"]})
        await served.ask(json={"images": ["foo"]}, headers={"traceparent": "foo"})
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)

    assert heard.said == [("answered", TRACE), ("answered", None), ("answered", None)]


async def test_a_job_has_the_trace_of_its_request(queue: Queue) -> None:
    """As it came: nothing here makes spans. An upload as well."""
    headers = {"traceparent": GIVEN}
    await queue.served.ask(ASYNC, json={"images": ["foo"]}, headers=headers)
    await queue.upload(b"foo\n", **headers)
    await queue.served.ask(ASYNC, json={"images": ["foo"]}, headers={"traceparent": "foo"})
    await queue.served.ask(ASYNC, json={"images": ["foo"]})

    entries = await queue.entries()

    given = [entry.get(b"traceparent") for entry in entries]
    assert given == [GIVEN.encode(), GIVEN.encode(), None, None]


@pytest.mark.parametrize("upload", [False, True])
async def test_the_trace_is_no_part_of_what_is_asked_for(queue: Queue, upload: bool) -> None:
    """A request that is sent again is another span, or of another trace."""
    jobs = []
    for trace in (GIVEN, GIVEN.replace("b7", "b8"), None):
        headers = {"Idempotency-Key": "foo"} | ({} if trace is None else {"traceparent": trace})
        if upload:
            answer = await queue.upload(b"foo\n", **headers)
        else:
            answer = await queue.served.ask(ASYNC, json={"images": ["foo"]}, headers=headers)
        assert answer.status == 202
        jobs.append(answer.json()["job"])

    assert len(set(jobs)) == 1
    assert len(await queue.entries()) == 1


async def test_a_cancellation_may_have_one(queue: Queue) -> None:
    """By whatever hands entries in: it is of no use there, and no dead letter."""
    said = ("kind", "cancel", "job", "1-1", "traceparent", GIVEN)
    await queue.redis.execute_command("XADD", keys.INTAKE, "*", *said)

    job = await queue.submit()

    assert (await queue.state(job))["state"] == "queued"


async def test_requests_have_spans_by_their_routes(
    served: Served, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never by their paths; those that only watch the service have none."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        with traced("foo"):
            await served.ask(
                json={"images": [f"{host}/0.jpg", "foo"]}, headers={"traceparent": GIVEN}
            )
            await served.ask(INFO, json={}, params={"secret": "a"})
            await served.ask("/secret?key=secret", method="GET")
            await served.ask(INFO, method="PROPFIND")
            await served.ask("/api/v1/predictors/", method="GET")
            for path in ("/healthz", "/readyz", "/ping", "/ping/"):
                await served.ask(path, method="GET")

        _check(collector)


def _check(collector: Collector) -> None:
    requests = [span for span in collector.spans if span.kind == "SERVER"]
    assert [(span.name, span.facts["http.response.status_code"]) for span in requests] == [
        (f"POST {INFO}", 200),
        (f"POST {INFO}", 422),
        ("GET", 404),
        ("HTTP", 405),
        ("GET /api/v1/predictors", 200),
    ]
    assert not any(span.failed for span in requests)
    assert requests[0].trace_id == TRACE
    assert requests[0].parent_id == "b7ad6b7169203331"
    assert requests[0].facts["http.route"] == INFO
    (stream,) = collector.named("stream images_info")
    assert stream.parent_id == requests[0].span_id
    assert {name: stream.facts[f"imagecensus.{name}"] for name in ("rows", "ok", "failed")} == {
        "rows": 2,
        "ok": 1,
        "failed": 1,
    }
    (download,) = collector.named("GET", TRACE)
    assert download.parent_id == stream.span_id
    assert "secret" not in str(collector.spans)
