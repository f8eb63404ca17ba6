"""What tests of downloads share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Fetcher, fetching
from workers.fetch import retries
from workers.settings import WorkSettings


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts, a hundred times shorter."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.005)
    monkeypatch.setattr(retries, "_LONGEST_WAIT", 0.08)


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, having forgotten the tests before."""
    picture_host.reset()
    return picture_host


@pytest.fixture
async def fetch(settings: WorkSettings) -> AsyncIterator[Fetcher]:
    """Downloads at header depth."""
    async with fetching(settings) as fetcher:
        yield fetcher


@pytest.fixture
async def fetch_body(settings: WorkSettings) -> AsyncIterator[Fetcher]:
    """Downloads of whole bodies."""
    async with fetching(settings, body=True) as fetcher:
        yield fetcher
