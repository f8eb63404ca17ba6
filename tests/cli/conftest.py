"""A server for the commands that ask one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import redis_servers
from tests.cli.asking import KEY, ask
from tests.e2e.serving import ServerProcess, started
from tests.picture_hosts import PictureHost

Submit = Callable[..., str]


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """The folder of the server, its data root in it."""
    with redis_servers.folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def job_server(place: Path) -> Iterator[ServerProcess]:
    """A server with a Redis, a consumer and a key of its own."""
    with started(place, SHARD_ROWS="16", API_KEY=KEY) as server:
        yield server
        server.end()


@pytest.fixture(scope="session")
def url(job_server: ServerProcess) -> str:
    """Where it is."""
    told: str = job_server.ready["url"]
    return told


@pytest.fixture
def listed(picture_host: PictureHost, tmp_path: Path) -> Callable[..., Path]:
    """Write a manifest of so many rows; of each hundred, the fourth is not there."""

    def write(rows: int, prefix: str = "", name: str = "images.tsv") -> Path:
        path = tmp_path / name
        urls = [
            f"{picture_host}{prefix}/{'status/404/' if row % 100 == 3 else row}"
            for row in range(rows)
        ]
        path.write_text("".join(f"{address}\n" for address in urls), encoding="utf-8")
        return path

    return write


@pytest.fixture
def submit(url: str) -> Submit:
    """Hand a manifest in; returns the id of the job."""

    def hand_in(path: Path, *options: str) -> str:
        handed = ask("submit", path, *options, server=url)
        assert handed.returncode == 0, handed.stderr
        return handed.stdout.strip()

    return hand_in
