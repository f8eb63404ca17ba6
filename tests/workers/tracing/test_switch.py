"""Whether spans are made, and what an environment that cannot be followed comes to."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.tracing.collector import Collector
from workers.tracing import spans
from workers.tracing.switch import asked, traced
from workers.tracing.traceparent import Traceparent

ROOT = Path(__file__).parents[3]
GIVEN = Traceparent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")

#: What makes spans and sends them. (The client of Redis imports the SDK's metrics by itself.)
MAKERS = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf")

#: Works as a process does; *setup* comes first. The last line says what was imported.
PROGRAM = """
import json, sys
{setup}
from workers import logs
from workers.tracing import spans
from workers.tracing.switch import traced
import server.app, workers.jobs.consumer, workers.flow, workers.tracing.downloads
logs.set_up("info", "json")
with traced("foo"), spans.span("bar"):
    spans.note({{"rows": 1}})
print(json.dumps(sorted(sys.modules)))
"""


def run_program(setup: str = "") -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(setup=setup)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def program(setup: str = "") -> tuple[list[str], list[dict[str, object]]]:
    """What it imported of the makers of spans, and what it logged."""
    ran = run_program(setup)
    imported = json.loads(ran.stdout.splitlines()[-1])
    made = [name for name in imported if name.startswith(MAKERS)]
    return made, [json.loads(line) for line in ran.stderr.splitlines()]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "foo"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://foo:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://foo:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://foo"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "false"}, True),
    ],
)
def test_who_asks_for_spans(environ: dict[str, str], expected: bool) -> None:
    """The standard variables do, nothing of our own."""
    assert asked(environ) is expected


def test_nothing_is_imported_unless_it_is_asked_for() -> None:
    """It costs a look at the environment."""
    assert program() == ([], [])


def test_what_is_asked_for_is_imported_and_sent(collector: Collector) -> None:
    """So the test before looks for the right names."""
    imported, logged = program()

    assert set(MAKERS) <= set(imported)
    assert [line["action"] for line in logged] == ["traces_on"]
    (span,) = collector.spans
    assert (span.service, span.name, span.facts) == ("foo", "bar", {"rows": 1})


def test_what_is_asked_for_and_not_installed_is_told_once(collector: Collector) -> None:
    """The work goes on without."""
    imported, logged = program("sys.modules['opentelemetry'] = None")

    assert imported == []
    (line,) = logged
    assert line["level"] == "warning"
    assert "pip install 'imagecensus[otel]'" in str(line["event"])
    assert collector.spans == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OTEL_TRACES_EXPORTER", "foo", "there is no exporter 'foo' here"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "there is no exporter 'otlp_proto_grpc' here"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "foo", "OTEL_SPAN_EVENT_COUNT_LIMIT"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1", "max_queue_size"),
    ],
)
def test_what_cannot_be_followed_is_told_and_traces_nothing(
    name: str,
    value: str,
    why: str,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is no reason not to work."""
    monkeypatch.setenv(name, value)

    with traced("foo"), spans.span("bar"):
        assert spans.traceparent() is None

    (line,) = [line for line in caplog.records if line.levelname == "WARNING"]
    assert why in line.__dict__["reason"]
    assert logging.getLogger("opentelemetry").propagate


@pytest.mark.parametrize("fields", ["secret", "authorization: Bearer secret"])
def test_a_key_in_the_wrong_form_is_not_logged(
    fields: str,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The library has it in its own line."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", fields)

    with traced("foo"), spans.span("bar"):
        pass

    (line,) = [line for line in caplog.records if line.levelname == "WARNING"]
    assert line.__dict__["action"] == "traces_headers"
    assert "secret" not in str([line.__dict__ for line in caplog.records])
    assert len(collector.spans) == 1


def test_a_span_has_its_parent_its_facts_and_its_service(collector: Collector) -> None:
    """What is left is sent at the end."""
    with traced("foo"), spans.span("bar", {"a": 1}, kind="SERVER", parent=GIVEN):
        here = spans.traceparent()
        assert here is not None
        assert here.trace_id == GIVEN.trace_id
        assert here.span_id != GIVEN.span_id
        assert spans.logged() == {"trace_id": GIVEN.trace_id}
        spans.note({"b": True})

    assert spans.traceparent() is None
    (span,) = collector.spans
    assert (span.service, span.name, span.kind) == ("foo", "bar", "SERVER")
    assert (span.trace_id, span.parent_id) == (GIVEN.trace_id, GIVEN.span_id)
    assert span.facts == {"a": 1, "b": True}
    assert not span.failed


def test_exceptions_are_told_by_name_alone(collector: Collector) -> None:
    """Their words may have a URL with its password in them."""
    with traced("foo"), pytest.raises(ValueError), spans.span("bar"):  # noqa: PT011
        raise ValueError("https://user:secret@example.org/")

    (span,) = collector.spans
    assert span.failed
    assert span.facts == {"error.type": "ValueError"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_SERVICE_NAME", "own"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=own")],
)
def test_the_environment_names_the_service(
    name: str, value: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours is for those who say nothing."""
    monkeypatch.setenv(name, value)

    with traced("foo"), spans.span("bar"):
        pass

    assert [span.service for span in collector.spans] == ["own"]


def test_the_sampler_is_the_one_the_environment_names(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that is recorded has its children recorded, another has not."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")

    with traced("foo"):
        with spans.span("ours"):
            assert spans.here() is None
            assert spans.traceparent() is not None
        with spans.span("recorded", parent=GIVEN):
            assert spans.here() is not None
        with spans.span("not recorded", parent=GIVEN._replace(flags="00")):
            assert spans.here() is None

    assert [span.name for span in collector.spans] == ["recorded"]


def test_without_tracing_a_parent_is_known_all_the_same() -> None:
    """Jobs and log lines have it."""
    with spans.span("foo", parent=GIVEN):
        assert spans.traceparent() == GIVEN
        assert spans.logged() == {"trace_id": GIVEN.trace_id}
        with spans.span("bar"):
            assert spans.traceparent() == GIVEN

    assert spans.traceparent() is None
    assert spans.logged() == {}


def test_several_exporters_and_one_of_them_the_terminal(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `OTEL_TRACES_EXPORTER` lists them."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp, console")

    ran = run_program()

    assert [span.name for span in collector.spans] == ["bar"]
    assert '"name": "bar"' in ran.stdout
