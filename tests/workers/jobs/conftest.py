"""What tests of jobs share: the queue in the session's Redis, an engine, manifests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.imaging.predictors import models
from tests.picture_hosts import PictureHost
from tests.redis_servers import RedisServer
from tests.workers.fetch.downloading import resolving
from tests.workers.jobs.queues import Queue, opened
from workers.engine import Engine, open_engine
from workers.jobs import feeding, streams
from workers.settings import WorkSettings

EngineOf = Callable[..., AbstractAsyncContextManager[Engine]]
Pictures = Callable[[int], list[str]]
Written = Callable[..., str]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a stop has to wait for, ten times shorter."""
    monkeypatch.setattr(streams, "BLOCK_SECONDS", 0.1)
    monkeypatch.setattr(feeding, "PAUSED_SECONDS", 0.1)


@pytest.fixture
async def queue(
    queue_settings: Callable[..., WorkSettings], redis_members: list[RedisServer]
) -> AsyncIterator[Queue]:
    """The queue, empty but for the groups of its streams."""
    async with opened(queue_settings(), redis_members) as queue:
        await queue.groups()
        yield queue


@pytest.fixture
def engine_of(queue_settings: Callable[..., WorkSettings], hurried: None) -> EngineOf:
    """Open everything rows need; short leases, one connection, four rows a shard."""

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[Engine]:
        chosen = {"lease_seconds": 0.5, "max_connections": 1, "shard_rows": 4, "retries": 0}
        settings = queue_settings(**{**chosen, "shutdown_grace": 5, **given})
        async with open_engine(settings, resolver=resolving({})) as engine:
            yield engine

    return opened


@pytest.fixture
async def engine(engine_of: EngineOf) -> AsyncIterator[Engine]:
    """One of them."""
    async with engine_of() as engine:
        yield engine


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """A folder of models, with one in it."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "colours.onnx").write_bytes(models.colours(version=1))
    (folder / "colours.json").write_bytes(orjson.dumps({"labels": models.COLOURS}))
    return folder


@pytest.fixture
def pictures(picture_host: PictureHost) -> Pictures:
    """URLs of so many pictures, all different."""
    picture_host.reset()
    return lambda count: [f"{picture_host}/{number}.jpg" for number in range(count)]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a manifest below the data root; its name there."""

    def write(content: str | bytes | list[str], name: str = "list.tsv") -> str:
        if isinstance(content, list):
            content = "".join(f"id-{n}\t{url}\n" for n, url in enumerate(content))
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write
