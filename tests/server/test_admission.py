"""How many requests for work there are at once, and what the next one is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from server import keys
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.serving import INFO, TSV, Answer, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

KIND = TSV["Content-Type"]


async def full(served: Served) -> Answer:
    """Ask for work where there is no place for it."""
    answer = await served.ask(json={"images": ["foo"]})
    assert "CENSUS_MAX_STREAMS" in answer.problem(503)["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    return answer


async def test_a_place_is_held_as_long_as_anything_of_a_request_is(
    serve: Serve, host: PictureHost
) -> None:
    """A stream, an upload without an answer yet, one whose rows have ended, a JSON body to come."""
    served = await serve(max_streams=4)
    body = json.dumps({"images": [f"{host}/silent/"], "timeout": 600}).encode()
    async with AsyncExitStack() as stack:
        streaming, silent, ended, half = [
            await stack.enter_async_context(served.talk()) for _ in range(4)
        ]
        await streaming.ask(body=body, Content_Type="application/json")
        assert (await streaming.line())["type"] == "start"
        await silent.ask(length=10, Content_Type=KIND)
        await ended.ask(f"{INFO}?limit=0", body=b"foo\n", length=10, Content_Type=KIND)
        assert [(await ended.line())["type"] for _ in range(2)] == ["start", "summary"]
        await half.ask(body=b"{", length=10, Content_Type="application/json")
        await wait_until(lambda: served.app[keys.STREAMS]._admitted == 4)

        for path in ("/healthz", "/readyz", "/ping/"):
            assert (await served.ask(path, method="GET")).status == 200
        for talk in (streaming, silent, ended, half):
            await full(served)
            talk.vanish()
            await wait_until(lambda: served.app[keys.STREAMS]._admitted < 4)
            assert len((await served.ask(json={"images": ["foo"]})).records()) == 1
            again = await stack.enter_async_context(served.talk())
            await again.ask(length=10, Content_Type=KIND)
            await wait_until(lambda: served.app[keys.STREAMS]._admitted == 4)
    await served.at_rest()
    await wait_until(lambda: served.app[keys.STREAMS]._admitted == 0)


async def test_a_request_too_many_is_answered_before_its_body(serve: Serve) -> None:
    """Nothing of it is awaited or spooled, and a client that asks first is not told to go on."""
    served = await serve(max_streams=1)
    async with served.talk() as holding:
        await holding.ask(length=10, Content_Type=KIND)
        await wait_until(lambda: served.app[keys.STREAMS]._admitted == 1)
        for expecting in ({}, {"Expect": "100-continue"}):
            async with served.talk() as talk:
                await talk.ask(length=1 << 30, Content_Type=KIND, **expecting)
                (await talk.answer()).problem(503)
        async with served.talk() as talk:
            await talk.ask(body=b"foo\n" * 5000, length=1 << 30, Content_Type=KIND)
            (await talk.answer()).problem(503)
            assert served.app[keys.SPOOL_ROOM]._free == int(served.settings.max_spool_bytes)


async def test_every_request_beyond_is_refused_and_none_within(serve: Serve) -> None:
    """As many at once as the setting says, however they arrive; each place is given back once."""
    served = await serve(max_streams=8)
    for _ in range(3):
        async with AsyncExitStack() as stack:
            talks = [await stack.enter_async_context(served.talk()) for _ in range(40)]
            await asyncio.gather(
                *(talk.ask(body=b"foo\n", length=10, Content_Type=KIND) for talk in talks)
            )
            statuses = [(await talk.head())[0] for talk in talks]
            assert sorted(statuses) == [200] * 8 + [503] * 32
        await wait_until(lambda: served.app[keys.STREAMS]._admitted == 0)


@pytest.mark.parametrize("said", ["foo", "100-continue, foo", "200-ok"])
async def test_another_expectation_is_not_met(served: Served, said: str) -> None:
    """417, on any path."""
    for path in (INFO, "/ping/", "/nowhere"):
        async with served.talk() as talk:
            await talk.ask(path, length=3, Content_Type=KIND, Expect=said)
            answer = await talk.answer()
            answer.problem(417)
            assert answer.headers["Connection"] == "close"


async def test_a_service_that_stops_asks_for_no_body(serve: Serve) -> None:
    """A client that asks first is told so before it sends anything."""
    served = await serve()
    served.app[keys.STREAMS].draining = True
    async with served.talk() as talk:
        await talk.ask(length=10, Content_Type=KIND, Expect="100-continue")
        (await talk.answer()).problem(503)
