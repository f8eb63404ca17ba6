"""One server for all tests of the door, another for tests that change or end theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.settings import ServerSettings
from tests.picture_hosts import PictureHost
from tests.redis_servers import RedisServer
from tests.server.recording import Queue
from tests.server.serving import Served, serving
from workers.environment import read_settings
from workers.jobs.connection import connect


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server for the whole session."""
    settings = read_settings(
        ServerSettings,
        data_root=tmp_path_factory.mktemp("data"),
        allow_networks="127.0.0.0/8",
        max_connections=16,
        pool_slots=1,
    )
    async with serving(settings) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def served(running: Served) -> AsyncIterator[Served]:
    """The same server; whatever a test does to it, it holds nothing afterwards."""
    yield running
    await running.at_rest()


@pytest_asyncio.fixture(loop_scope="session")
async def serve(
    settings_of: Callable[..., ServerSettings],
) -> AsyncIterator[Callable[..., Awaitable[Served]]]:
    """Start a server of the test's own, with the settings given."""
    async with AsyncExitStack() as stack:

        async def start(**given: Any) -> Served:
            return await stack.enter_async_context(serving(settings_of(ServerSettings, **given)))

        yield start


@pytest.fixture
def data_root(served: Served) -> Path:
    """Where manifests of the shared server lie."""
    return served.settings.data_root


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, its counts begun afresh."""
    picture_host.reset()
    return picture_host


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_queue(
    tmp_path_factory: pytest.TempPathFactory,
    redis_members: list[RedisServer],
    redis_cluster: bool,
) -> AsyncIterator[Queue]:
    """A server with a Redis, for the whole session."""
    settings = read_settings(
        ServerSettings,
        data_root=tmp_path_factory.mktemp("jobs"),
        redis_url=redis_members[0].url,
        redis_cluster=redis_cluster,
        allow_networks="127.0.0.0/8",
        max_connections=64,
        pool_slots=1,
    )
    async with serving(settings) as served, aclosing(connect(settings)) as redis:
        yield Queue(served, redis)


@pytest_asyncio.fixture(loop_scope="session")
async def queue(running_queue: Queue, redis_url: str) -> AsyncIterator[Queue]:
    """The same, with nothing in Redis and no file kept; nothing is held afterwards."""
    for path in running_queue.uploads():
        path.unlink()
    yield running_queue
    await running_queue.served.at_rest()
