"""Spans of the programs that people start, at a collector that is there, and at one that is not."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.asserts import eventually
from tests.e2e.serving import INFO, ServerProcess
from tests.picture_hosts import PictureHost
from tests.workers.tracing.collector import Collector, collecting

Start = Callable[..., ServerProcess]

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"

#: Of what writes spans for a collector. Only in a process that sends some.
ENCODER = "/google/_upb/"


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, its counts begun afresh."""
    picture_host.reset()
    return picture_host


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that processes started from here are asked to send to."""
    with collecting() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.endpoint)
        yield one


def ask(server: ServerProcess, method: str, path: str, body: Any = None) -> Any:
    """One request of the trace; the JSON it is answered with."""
    connection = server.connect()
    try:
        headers = {"Content-Type": "application/json", "traceparent": GIVEN}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def encodes(process: psutil.Process) -> bool:
    """Whether a process can send spans."""
    return ENCODER in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")


def test_a_request_and_a_job_are_one_trace_through_both_processes(
    start: Start, collector: Collector, host: PictureHost
) -> None:
    """Of the pool's processes none sends any; the last spans are sent when the server ends."""
    server = start(REDIS_URL="", LOG_FORMAT="json")
    urls = [f"{host}/{row}.jpg" for row in range(4)]
    lines = server.lines({"images": urls, "depth": "full"}, traceparent=GIVEN)
    assert lines[-1]["ok"] == 4
    job = ask(server, "POST", f"{INFO}_async", {"images": urls, "depth": "full"})["job"]
    eventually(lambda: ask(server, "GET", f"/api/v1/jobs/{job}")["state"] == "done", 60)
    below = server.itself.children(recursive=True)
    senders = [one for one in (server.itself, *below) if encodes(one)]
    assert [senders[0].pid, len(senders)] == [server.process.pid, 2]  # and the consumer
    assert "workers" in senders[1].cmdline()
    assert len(below) >= 6  # forkserver, tracker and slot of each, Redis
    assert server.end() == 0

    mine = [span for span in collector.spans if span.trace_id == TRACE]
    names = {(span.service, span.name) for span in mine}
    assert names == {
        ("imagecensus-server", f"POST {INFO}"),
        ("imagecensus-server", f"POST {INFO}_async"),
        ("imagecensus-server", "GET /api/v1/jobs/{id}"),
        ("imagecensus-server", "stream images_info"),
        ("imagecensus-server", "GET"),
        ("imagecensus-consumer", "split images_info"),
        ("imagecensus-consumer", "shard images_info"),
        ("imagecensus-consumer", "GET"),
    }
    by_id = {span.span_id: span for span in mine}
    (shard,) = collector.named("shard")
    handed_in = by_id[shard.parent_id]
    assert handed_in.name == f"POST {INFO}_async"
    assert handed_in.facts["imagecensus.job"] == shard.facts["imagecensus.job"] == job
    assert handed_in.parent_id == "b7ad6b7169203331"
    for asked in host.requests():
        assert not {"traceparent", "tracestate", "baggage"} & set(asked["headers"])
    logged = [line for line in server.logs() if line.get("action") in ("request", "splitting")]
    assert {line["trace_id"] for line in logged} == {TRACE}
    assert [line for line in server.logs() if line["level"] in ("warning", "error")] == []


@pytest.mark.parametrize("silent", [False, True], ids=["dead", "silent"])
def test_a_collector_that_is_away_delays_and_tells_nothing(
    start: Start,
    collector: Collector,
    host: PictureHost,
    redis_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    silent: bool,
) -> None:
    """One line of the log, and the end comes as it does without."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if silent:
            other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        server = start(LOG_FORMAT="json")
        for _ in range(50):
            assert server.lines({"images": [f"{host}/0.jpg"]})[-1]["ok"] == 1
        began = time.monotonic()
        assert server.end() == 0
        took = time.monotonic() - began

    assert took < 8  # far less than the ten seconds that one try may take, and one is under way
    told = [line for line in server.logs() if line["level"] in ("warning", "error")]
    assert [line["action"] for line in told] == ["traces_failing"]
