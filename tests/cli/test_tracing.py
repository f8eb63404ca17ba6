"""Spans of the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.programs import count
from tests.workers.tracing.collector import collecting

Listed = Callable[..., Path]


def test_a_run_is_a_span_with_its_downloads(
    listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent before the command ends."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        assert count("info", listed(20), "-o", tmp_path / "facts.ndjson").code == 0

    (run,) = collector.named("imagecensus info")
    downloads = collector.named("GET")
    assert run.service == "imagecensus-command"
    assert not run.failed
    assert {span.parent_id for span in downloads} == {run.span_id}
    assert {span.facts["imagecensus.index"] for span in downloads} == set(range(20))
