"""`python -m server` and `./scripts/run` for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.demo import Demo, demo_running
from tests.e2e.serving import ServerProcess, started
from tests.redis_servers import RedisServer


@pytest.fixture(scope="session")
def redis_settings(redis_members: list[RedisServer], redis_cluster: bool) -> dict[str, str]:
    """The session's Redis, as a server is told of it."""
    return {"REDIS_URL": redis_members[0].url, "REDIS_CLUSTER": str(int(redis_cluster))}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`./scripts/run`, its sample done; for all who read documents."""
    with demo_running(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, redis_settings: dict[str, str]
) -> Iterator[ServerProcess]:
    """A server for the tests of a module."""
    with started(tmp_path_factory.mktemp("server"), **redis_settings) as process:
        yield process


@pytest.fixture
def start(
    tmp_path: Path, redis_settings: dict[str, str], redis_url: str
) -> Iterator[Callable[..., ServerProcess]]:
    """Start a server of the test's own, with the settings given; `REDIS_URL=""`: with its own."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(started(tmp_path, **(redis_settings | given)))
