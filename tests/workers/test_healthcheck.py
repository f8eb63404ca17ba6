"""`python -m workers.healthcheck`, asked of a Redis in which consumers said this and that."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest

from tests.redis_servers import RedisServer
from workers import healthcheck
from workers.jobs import keys, streams


@pytest.fixture
def asked(
    redis_url: str,
    redis_members: list[RedisServer],
    redis_cluster: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> RedisServer:
    """The Redis that is asked, where the key of consumers is."""
    monkeypatch.setenv("CENSUS_REDIS_URL", redis_url)
    monkeypatch.setenv("CENSUS_REDIS_CLUSTER", "yes" if redis_cluster else "")
    if not redis_cluster:
        return redis_members[0]
    slot = redis_members[0].call("CLUSTER", "KEYSLOT", keys.CONSUMERS)
    return redis_members[0 if slot < 8192 else 1]


def entry(host: str, seconds_ago: float) -> str:
    """What a consumer says of itself."""
    return json.dumps({"seen": int((time.time() - seconds_ago) * 1000), "host": host, "pid": 1})


def test_a_consumer_of_this_host_that_lives_is_healthy(asked: RedisServer) -> None:
    """Whatever stands beside it."""
    here = socket.gethostname()
    asked.call("HSET", keys.CONSUMERS, "a", "garbage", "b", "[]", "c", entry(here, 1))
    assert healthcheck.main() == 0


def test_others_are_not_this_one(asked: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody, one that was silent, one of another host, garbage: not healthy, in one line."""
    here = socket.gethostname()
    for told in (None, entry(here, 20), entry("other", 1), "garbage", "7", '{"seen": "x"}'):
        if told is not None:
            asked.call("HSET", keys.CONSUMERS, "a", told)
        assert healthcheck.main() == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://127.0.0.1:1", "no answer of Redis"),
        ("nonsense", "no answer of Redis"),
        ("", "CENSUS_REDIS_URL is not set"),
    ],
)
def test_no_redis_is_not_healthy(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is told, and no password with it."""
    monkeypatch.setenv("CENSUS_REDIS_URL", url)
    monkeypatch.setenv("CENSUS_VAR", os.devnull)
    assert healthcheck.main() == 1
    assert capsys.readouterr().err.startswith(said)


def test_it_knows_how_long_consumers_are_taken_to_live() -> None:
    """It does not import the module that says so."""
    assert healthcheck.LIVING_SECONDS == streams.LIVING_SECONDS
