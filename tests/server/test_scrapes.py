"""One look for all scrapes that come together, and for those that come soon after."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from server import scrapes
from server.scrapes import Scrapes


class Looks:
    """Looks that go on until they are let."""

    def __init__(self) -> None:
        self.count = 0
        self.under_way = asyncio.Event()
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> Collector:
        """One look."""
        self.count += 1
        self.under_way.set()
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return CollectorRegistry()


async def test_who_comes_together_waits_for_one_look() -> None:
    """And whoever comes within a second has it as well; one that leaves takes it from nobody."""
    look = Looks()
    shared = Scrapes(look)
    scraping = [asyncio.create_task(shared.text("")) for _ in range(20)]
    await look.under_way.wait()
    scraping[0].cancel()
    look.go.set()
    found = await asyncio.gather(*scraping, return_exceptions=True)
    await shared.text("")

    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [(b"", "text/plain; version=0.0.4; charset=utf-8")] * 19
    assert look.count == 1


async def test_an_old_look_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that failed, which those who waited for it hear of."""
    monkeypatch.setattr(scrapes, "SHARED_SECONDS", 0.0)
    look = Looks()
    look.go.set()
    shared = Scrapes(look)
    await shared.text("")
    look.error = ZeroDivisionError()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await shared.text("")
    look.error = None
    await shared.text("")

    assert look.count == 4


async def test_the_end_waits_for_no_look() -> None:
    """It is cut off."""
    look = Looks()
    shared = Scrapes(look)
    await shared.close()
    scraping = asyncio.create_task(shared.text(""))
    await look.under_way.wait()
    await shared.close()

    with pytest.raises(asyncio.CancelledError):
        await scraping
