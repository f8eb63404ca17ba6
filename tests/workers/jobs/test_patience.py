"""Asking Redis until it answers: what is waited for, what is not, and for how long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from tests.asserts import wait_until
from tests.redis_servers import RedisServer
from workers.jobs.connection import connect
from workers.jobs.patience import KeyBroken, Patience, RedisAway
from workers.settings import WorkSettings


async def test_it_asks_until_there_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the client raises, its cluster's own errors too; said once, and when it is over."""
    caplog.set_level(logging.INFO)
    raised = [RedisClusterException("no nodes"), ConnectionResetError(), RedisError("LOADING")]

    async def ask() -> str:
        if raised:
            raise raised.pop()
        return "here"

    assert await Patience()(ask) == "here"
    actions = [record.action for record in caplog.records if hasattr(record, "action")]
    assert actions.count("redis_trouble") == 3
    assert actions[-1] == "redis_back"


async def test_one_in_trouble_is_not_silenced_by_others(caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong is said once, however many other asks are answered meanwhile."""
    caplog.set_level(logging.INFO)
    patience, over, asked = Patience(), asyncio.Event(), 0

    async def stuck() -> None:
        nonlocal asked
        asked += 1
        if not over.is_set():
            raise RedisError("OOM command not allowed")

    async def fine() -> None:
        pass

    asking = asyncio.create_task(patience(stuck))
    while asked < 4:
        await patience(fine)
        await asyncio.sleep(0)
    over.set()
    await asking
    actions = [record.action for record in caplog.records if hasattr(record, "action")]
    assert actions == ["redis_trouble", "redis_back"]


async def test_a_deadline_cuts_off_what_is_asked_already() -> None:
    """Also one that was set after the ask began, and one of its own."""
    patience = Patience()
    asking = asyncio.create_task(patience(asyncio.Event().wait))
    await asyncio.sleep(0)
    patience.end_by(asyncio.get_running_loop().time() + 0.05)
    async with asyncio.timeout(30):
        with pytest.raises(RedisAway):
            await asking
        with pytest.raises(RedisAway, match="in time"):
            await Patience()(asyncio.Event().wait, within=0.05)


async def test_a_broken_key_is_no_matter_of_patience() -> None:
    """But where the asker says it is: a person may mend it."""
    answers = ["WRONGTYPE Operation against a key", "ERR value is not an integer"]

    async def ask() -> str:
        if answers:
            raise ResponseError(answers.pop())
        return "mended"

    with pytest.raises(KeyBroken):
        await Patience()(ask, breakable=True)
    assert await Patience()(ask) == "mended"


async def test_a_redis_with_another_role_is_left(
    redis_server: Callable[..., RedisServer],
) -> None:
    """Connections to one that takes no writes any more are given up, on every client."""
    server = redis_server()
    settings = WorkSettings(redis_url=SecretStr(server.url))
    redis, reader = connect(settings), connect(settings, blocking=True)
    try:
        await reader.execute_command("PING")
        [idle] = reader.connection_pool._available_connections  # type: ignore[union-attr]
        server.call("REPLICAOF", "127.0.0.1", "1")
        asking = asyncio.create_task(Patience(redis, reader)(lambda: _set(redis)))
        await wait_until(lambda: not idle.is_connected)
        server.call("REPLICAOF", "NO", "ONE")
        await asking
        assert await redis.execute_command("EXISTS", "key")
    finally:
        await redis.aclose()
        await reader.aclose()


async def _set(redis: object) -> None:
    await redis.execute_command("SET", "key", "1")  # type: ignore[attr-defined]


async def test_a_connection_that_closed_just_now_is_no_bug(redis_url: str) -> None:
    """The event loop has words of its own for it, which must not end a consumer."""
    redis = connect(WorkSettings(redis_url=SecretStr(redis_url)))
    try:
        await redis.execute_command("PING")
        connection = redis.connection_pool._available_connections[0]  # type: ignore[union-attr]
        connection._writer.transport.abort()  # type: ignore[union-attr]
        with pytest.raises(RedisConnectionError):
            await redis.execute_command("PING")
        assert await Patience(redis)(lambda: redis.execute_command("PING"))
    finally:
        await redis.aclose()
