"""A collector that is away, or says nothing: told once, and waited for by nobody."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from tests.asserts import eventually
from tests.workers.tracing.collector import Collector
from workers.tracing import spans
from workers.tracing.exporting import LAST_SECONDS, NOTICE_SECONDS
from workers.tracing.switch import traced

#: Of the exporter, ten seconds by default, of which none may be waited for.
LONG = 5.0


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, by whomever."""
    return [line.__dict__.get("action", line.getMessage()) for line in caplog.records]


def test_a_dead_collector_is_told_once_and_delays_no_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is tried, and however many spans are lost."""
    caplog.set_level(logging.DEBUG, "opentelemetry")
    caplog.set_level(logging.INFO)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            f"http://user:secret@127.0.0.1:{nobody.getsockname()[1]}/?key=secret",
        )
        with traced("foo"):
            with spans.span("bar"):
                pass
            eventually(lambda: "traces_failing" in actions(caplog))
            for _ in range(3000):  # more than wait
                with spans.span("bar"):
                    pass
            began = time.monotonic()
        assert time.monotonic() - began < LONG

    assert actions(caplog) == ["traces_on", "traces_failing"]
    assert "secret" not in str([line.__dict__ for line in caplog.records])
    assert logging.getLogger("opentelemetry").propagate


def test_a_collector_that_comes_back_gets_what_is_made_then(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says that it is away, one that it is back."""
    caplog.set_level(logging.INFO)
    collector.refuses = True
    with traced("foo"):
        with spans.span("bar"):
            pass
        eventually(
            lambda: len(collector.asked) >= 3
        )  # each try that fails is logged by the library
        collector.refuses = False
        eventually(lambda: "traces_sent" in actions(caplog))

    assert actions(caplog) == ["traces_on", "traces_failing", "traces_sent"]
    assert [span.name for span in collector.spans] == ["bar"]


def test_a_collector_that_says_nothing_is_not_waited_for(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has a second for the last spans."""
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        with traced("foo"):
            with spans.span("bar"):
                pass
            began = time.monotonic()
        assert time.monotonic() - began < LAST_SECONDS + NOTICE_SECONDS + LONG
    eventually(lambda: logging.getLogger("opentelemetry").propagate)  # the try has ended as well

    assert actions(caplog) == ["traces_on", "traces_failing"]


@pytest.mark.parametrize("name", ["TIMEOUT", "COMPRESSION"])
def test_a_variable_that_is_wrong_is_no_fault_of_the_collector(
    name: str,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told before anything is sent, and what is sent arrives."""
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", "foo")
    caplog.set_level(logging.INFO)
    with traced("foo"), spans.span("bar"):
        pass

    assert actions(caplog) == ["traces_odd", "traces_on"]
    assert "foo" in caplog.records[0].__dict__["reason"]
    assert [span.name for span in collector.spans] == ["bar"]
