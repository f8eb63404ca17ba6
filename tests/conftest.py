"""What tests of several rooms share: the event loop, a picture host, Redis, settings."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from hypothesis import settings as hypothesis_settings

from tests import picture_hosts, redis_servers
from tests.picture_hosts import PictureHost
from tests.redis_servers import RedisServer
from workers.settings import PREFIX, WorkSettings

S = TypeVar("S", bound=WorkSettings)

#: The same examples in every run, on machines of any speed; `HYPOTHESIS=chance` looks for others.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.register_profile("chance", deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS", "steady"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which Redis tests run against."""
    group = parser.getgroup("Redis")
    group.addoption(
        "--redis-server",
        metavar="PATH",
        default=os.environ.get("CENSUS_TEST_REDIS"),
        help="program of the Redis or Valkey (default: CENSUS_TEST_REDIS, PATH, .venv/bin)",
    )
    group.addoption(
        "--redis-cluster",
        action="store_true",
        help="run what needs a Redis against a cluster of two, where it may be one",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With BRIEF=1 in the environment what is marked `lengthy` is left out, and says so."""
    if os.environ.get("BRIEF") == "1":
        left_out = pytest.mark.skip(reason="lengthy, and BRIEF=1: ./scripts/test runs it")
        for item in items:
            if item.get_closest_marker("lengthy") is not None:
                item.add_marker(left_out)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every asynchronous test runs on the loop that the programs run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def unset() -> Iterator[None]:
    """Tests do not depend on the settings of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """What tests start hears Ctrl-C, also where a shell runs the tests in the background.

    A run that is told to end by SIGTERM puts away what it started, as it does at Ctrl-C.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def picture_host() -> Iterator[PictureHost]:
    """One host of 32 made pictures for the whole session; `reset()` it before counting."""
    with picture_hosts.started("--made", "32") as host:
        yield host


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Any]:
    """Make settings of a kind: the loopback may be reached, a data root of the test's own."""

    def make(kind: type[S] = WorkSettings, **given: Any) -> S:  # type: ignore[assignment]
        data_root = tmp_path / "data"
        data_root.mkdir(exist_ok=True)
        chosen: dict[str, Any] = {
            "data_root": data_root,
            "allow_networks": "127.0.0.0/8",
            "max_connections": 16,
            "pool_slots": 1,
            "log_format": "json",
        }
        return kind(**(chosen | given))

    return make


@pytest.fixture
def settings(settings_of: Callable[..., WorkSettings]) -> WorkSettings:
    """Settings of the work, nothing changed."""
    return settings_of()


@pytest.fixture(scope="session")
def redis_binary(pytestconfig: pytest.Config) -> Path:
    """The server program that is tested against."""
    return redis_servers.find_binary(pytestconfig.getoption("--redis-server"))


@pytest.fixture(scope="session")
def redis_cluster(pytestconfig: pytest.Config) -> bool:
    """Whether `redis_url` leads to a cluster."""
    return bool(pytestconfig.getoption("--redis-cluster"))


@pytest.fixture(scope="session")
def redis_members(redis_binary: Path, redis_cluster: bool) -> Iterator[list[RedisServer]]:
    """The servers behind `redis_url`: one, or a cluster of two."""
    if redis_cluster:
        with redis_servers.cluster(redis_binary, **redis_servers.KEEPING) as members:
            yield members
    else:
        with redis_servers.started(redis_binary, **redis_servers.KEEPING) as server:
            yield [server]


@pytest.fixture
def redis_url(redis_members: list[RedisServer]) -> str:
    """The session's Redis, with nothing in it."""
    for member in redis_members:
        member.flush()
    return redis_members[0].url


@pytest.fixture
def redis_server(redis_binary: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start a server of the test's own: `redis_server(appendonly="yes")`. Never a cluster."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(redis_servers.started(redis_binary, **options))


@pytest.fixture
def queue_settings(
    settings_of: Callable[..., Any], redis_url: str, redis_cluster: bool
) -> Callable[..., Any]:
    """As `settings_of`, with the session's Redis; a `redis_url` given is another, no cluster."""

    def make(kind: type[S] = WorkSettings, **given: Any) -> S:  # type: ignore[assignment]
        ours: dict[str, Any] = {"redis_url": redis_url, "redis_cluster": redis_cluster}
        made: S = settings_of(kind, **(given if "redis_url" in given else ours | given))
        return made

    return make
