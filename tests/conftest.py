"""What tests of several rooms share: the event loop, a picture host, settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from hypothesis import settings as hypothesis_settings

from tests import picture_hosts
from tests.picture_hosts import PictureHost
from workers.settings import PREFIX, WorkSettings

S = TypeVar("S", bound=WorkSettings)

#: The same examples in every run, on machines of any speed; `HYPOTHESIS=chance` looks for others.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.register_profile("chance", deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS", "steady"))


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
