"""`python -m workers.healthcheck`: whether a consumer of this host lives."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.redis_servers import RedisServer
from workers import healthcheck
from workers.jobs import keys
from workers.jobs.living import LIVING_SECONDS

HOST = socket.gethostname()


@pytest.fixture
def told(
    redis_url: str,
    redis_cluster: bool,
    redis_members: list[RedisServer],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    """Say of a consumer that it was heard of so many seconds ago."""
    monkeypatch.setenv("CENSUS_REDIS_URL", redis_url)
    monkeypatch.setenv("CENSUS_REDIS_CLUSTER", str(redis_cluster))

    def say(name: str, ago: float = 0.0, text: str | None = None) -> None:
        with healthcheck._connect() as redis:
            seen = int((healthcheck._time(redis) - ago) * 1000)
            redis.hset(keys.CONSUMERS, name, json.dumps({"seen": seen}) if text is None else text)

    return say


def test_it_lives(told: Callable[..., None]) -> None:
    """Whatever others there are, one that is well is enough."""
    told(f"{HOST}:1:aaaaaa", 60)
    told(f"{HOST}:2:bbbbbb", 5)
    told(f"{HOST}:3:cccccc", text="{")
    assert healthcheck.main() == 0


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (f"not-{HOST}:1:aaaaaa", None, f"no consumer runs on {HOST}"),
        (f"{HOST}x:1:aaaaaa", None, f"no consumer runs on {HOST}"),
        ("garbage", None, f"no consumer runs on {HOST}"),
        (f"{HOST}:1:aaaaaa", "{", "was heard of"),
        (f"{HOST}:1:aaaaaa", "[]", "was heard of"),
        (f"{HOST}:1:aaaaaa", '{"seen":null}', "was heard of"),
    ],
)
def test_none_lives_here(
    told: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str | None,
    reason: str,
) -> None:
    """Others' consumers are others' containers; the reason is told."""
    told(name, text=text)
    assert healthcheck.main() == 1
    assert reason in capsys.readouterr().err


def test_long_unheard_of(told: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    """By the clock of Redis, and as long as for the consumers themselves."""
    told(f"{HOST}:1:aaaaaa", 30)
    assert healthcheck.main() == 1
    assert "was heard of 30 s ago" in capsys.readouterr().err
    assert healthcheck.LIVING_SECONDS == LIVING_SECONDS


def test_redis_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nor is there one of our own below CENSUS_VAR; nor is the address one."""
    monkeypatch.setenv("CENSUS_VAR", str(tmp_path))
    assert healthcheck.main() == 1
    assert capsys.readouterr().err.startswith("no answer of Redis: ")
    monkeypatch.setenv("CENSUS_REDIS_URL", "http://example.org")
    assert healthcheck.main() == 1
    assert capsys.readouterr().err.startswith("no answer of Redis: ")
