"""A consumer's own numbers over HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.prometheus import Scrape
from tests.workers.fetch.downloading import resolving
from workers.engine import open_engine
from workers.metrics.listening import serving_metrics
from workers.settings import WorkSettings


def asked(url: str) -> str:
    """One scrape."""
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - of this machine
        text: str = answer.read().decode()
    return text


async def test_nothing_listens_unless_it_is_asked_for(settings: WorkSettings) -> None:
    """By default."""
    async with open_engine(settings, resolver=resolving({}), pixels=False) as engine:
        with serving_metrics(settings, engine) as url:
            assert url is None


async def test_it_listens_on_this_machine_only_and_says_where(settings_of: Any) -> None:
    """Downloads, spans and the pool; and the process. Gone when the consumer is."""
    settings = settings_of(metrics_port=0)
    async with open_engine(settings, resolver=resolving({}), pixels=False) as engine:
        engine.instruments.downloads.ended(None, 77)
        with serving_metrics(settings, engine) as url:
            assert url is not None
            assert url.startswith("http://127.0.0.1:")
            text = await asyncio.to_thread(asked, url)
        with pytest.raises(OSError, match="refused"):
            await asyncio.to_thread(asked, url)

    told = Scrape(text)
    assert told.by("outcome", "downloads_total") == {"ok": 1}
    assert told("download_bytes_total") == 77
    assert told("pool_slots") == 1
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("application/openmetrics-text; version=1.x", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=999.0", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0"),
    ],
)
async def test_versions_that_it_cannot_write_are_passed_over(
    settings_of: Any, capfd: pytest.CaptureFixture[str], accept: str, told: str
) -> None:
    """Neither told back nor a reason to fail."""

    def asked_for(url: str) -> str:
        with urlopen(Request(url, headers={"Accept": accept}), timeout=10) as answer:  # noqa: S310
            return str(answer.headers["Content-Type"])

    settings = settings_of(metrics_port=0)
    async with open_engine(settings, resolver=resolving({}), pixels=False) as engine:
        with serving_metrics(settings, engine) as url:
            assert url is not None
            assert (await asyncio.to_thread(asked_for, url)).startswith(told)
    assert capfd.readouterr().err == ""


async def test_a_port_that_is_taken_is_no_reason_not_to_work(
    settings_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = settings_of(metrics_port=other.getsockname()[1])
        async with open_engine(settings, resolver=resolving({}), pixels=False) as engine:
            with (
                caplog.at_level(logging.ERROR),
                serving_metrics(settings, engine) as url,
            ):
                assert url is None

    assert [record.__dict__["action"] for record in caplog.records] == ["no_metrics"]
