"""Clients that keep a batch waiting keep nobody else's: room is held by what is under way only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest

from server import keys
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.serving import BATCH, TSV, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

#: Room for the array of one batch of 64.
NARROW = {"max_inflight_bytes": "1MiB", "max_image_bytes": "1MiB"}


async def answered(served: Served, host: PictureHost) -> None:
    """A batch of the largest size there may be is predicted."""
    async with asyncio.timeout(10):
        asked = {"images": [f"{host}/a?n={n}" for n in range(64)], "batch_size": 64}
        assert (await served.ask(BATCH, json=asked)).summary()["ok"] == 64


async def test_an_upload_that_drips(serve: Serve, host: PictureHost) -> None:
    """Its first rows came, and the batch they belong to may never be whole."""
    served = await serve(**NARROW)
    async with served.talk() as talk:
        await talk.ask(BATCH + "?batch_size=64", body=None, **{"Content-Type": TSV["Content-Type"]})
        await talk.chunk(f"{host}/a\n{host}/b\n".encode())
        await talk.head()
        assert (await talk.line())["type"] == "start"
        await answered(served, host)
        await talk.chunk(f"{host}/c\n".encode())
        await talk.chunk(b"")
        line = await talk.line()
        assert line["batch_dimension"] == [3, 3, 64, 64]


async def test_a_reader_that_stops(serve: Serve, host: PictureHost) -> None:
    """The feed stops behind a batch, never within one."""
    served = await serve(**NARROW, max_connections=40)
    rows = ["ftp://example.org/" + "x" * 4000] * 3500
    body = orjson.dumps({"images": rows, "batch_size": 64})
    async with served.talk(narrow=True) as talk:
        await talk.ask(BATCH, body=body, **{"Content-Type": "application/json"})
        await talk.head()
        await served.stuck()
        (stream,) = served.app[keys.STREAMS]._open
        await wait_until(lambda: stream._flow._outbox.full)
        await answered(served, host)
