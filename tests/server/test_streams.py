"""Draining: what is open ends with a summary that says so, whoever is slow about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from server import keys
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.serving import BATCH, TSV, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]


@pytest.mark.parametrize("depth", ["header", "full"])
async def test_draining_ends_a_stream_with_its_summary(
    serve: Serve, host: PictureHost, depth: str
) -> None:
    """Rows under way are `cancelled`, rows not begun have no record."""
    served = await serve()
    rows = [f"{host}/a", *(f"{host}/silent/{row}" for row in range(40))]
    body = json.dumps({"images": rows, "depth": depth, "timeout": 600}).encode()
    async with served.talk() as talk:
        await talk.ask(body=body, Content_Type="application/json")
        await talk.head()
        assert (await talk.line())["type"] == "start"
        assert (await talk.line())["image_info"]
        await wait_until(lambda: host.counts()["in_flight"] == 16)

        await served.app[keys.STREAMS].drain()

        lines = [await talk.line()]
        while lines[-1]["type"] != "summary":
            lines.append(await talk.line())
    *cancelled, summary = lines
    assert {line["error"]["code"] for line in cancelled} == {"cancelled"}
    assert 16 <= len(cancelled) < 40
    assert summary["rows"] == 1 + len(cancelled)
    assert (summary["ok"], summary["errors"]) == (1, {"cancelled": len(cancelled)})
    assert (summary["complete"], summary["reason"]) == (False, "draining")
    assert len({line["index"] for line in cancelled}) == len(cancelled)
    await served.at_rest()
    await wait_until(lambda: host.counts()["in_flight"] == 0)


async def test_draining_ends_an_ordered_stream_in_order(serve: Serve, host: PictureHost) -> None:
    """Records that waited for an earlier one still come, in their order."""
    served = await serve()
    rows = [f"{host}/a", f"{host}/silent/", *(f"{host}/{row}" for row in range(10))]
    body = json.dumps({"images": rows, "ordered": True, "timeout": 600}).encode()
    async with served.talk() as talk:
        await talk.ask(body=body, Content_Type="application/json")
        await talk.head()
        await wait_until(lambda: host.counts()["requests"] >= 12)
        await wait_until(lambda: host.counts()["in_flight"] == 1)
        await wait_until(lambda: served.app[keys.ENGINE].turns.busy == 1)

        await served.app[keys.STREAMS].drain()

        lines = [await talk.line() for _ in range(14)]
    assert [line["index"] for line in lines[1:-1]] == list(range(12))
    assert lines[2]["error"]["code"] == "cancelled"
    assert (lines[-1]["ok"], lines[-1]["reason"]) == (11, "draining")


async def test_draining_ends_a_batch_with_its_rows_cancelled(
    serve: Serve, host: PictureHost
) -> None:
    """Whole batches stay as they are, rows under way are `cancelled`, and none is there twice."""
    served = await serve()
    urls = [f"{host}/a", f"{host}/b", f"{host}/c", "foo", *(f"{host}/silent/{n}" for n in range(6))]
    body = json.dumps({"images": urls, "batch_size": 2, "timeout": 600}).encode()
    async with served.talk() as talk:
        await talk.ask(BATCH, body=body, Content_Type="application/json")
        await talk.head()
        assert (await talk.line())["type"] == "start"
        whole = [await talk.line(), await talk.line()]
        await wait_until(lambda: host.counts()["in_flight"] == 6)

        await served.app[keys.STREAMS].drain()

        *cut, summary = [await talk.line() for _ in range(4)]
    assert {line["batch"] for line in whole} == {0, 1}
    assert [line["batch_dimension"][0] for line in cut] == [0, 0, 0]
    rows = [row for line in [*whole, *cut] for row in line["rows"]]
    assert sorted(row["index"] for row in rows) == list(range(10))
    assert {row["error"]["code"] for line in cut for row in line["rows"]} == {"cancelled"}
    assert (summary["rows"], summary["ok"]) == (10, 3)
    assert summary["errors"] == {"cancelled": 6, "bad_url": 1}
    assert (summary["complete"], summary["reason"]) == (False, "draining")
    await served.at_rest()


async def test_draining_waits_for_no_upload(serve: Serve, host: PictureHost) -> None:
    """An upload that is still open: its stream ends, then its connection, at once."""
    served = await serve()
    async with AsyncExitStack() as stack:
        begun = await stack.enter_async_context(served.talk())
        await begun.ask(body=None, Content_Type=TSV["Content-Type"])
        await begun.chunk(f"{host}/a\n".encode())
        await begun.head()
        assert (await begun.line())["type"] == "start"
        assert (await begun.line())["type"] == "image"
        silent, stalled = [await stack.enter_async_context(served.talk()) for _ in range(2)]
        await silent.ask(length=100, Content_Type=TSV["Content-Type"])
        await stalled.ask(body=b"{", length=100, Content_Type="application/json")
        clocks = served.app[keys.STREAMS]._clocks
        await wait_until(lambda: len(clocks) == 3)

        stopping = asyncio.create_task(served.runner.cleanup())

        summary = await begun.line()
        assert (summary["rows"], summary["complete"], summary["reason"]) == (1, False, "draining")
        assert summary["manifest_sha256"] is None
        for waiting in (silent, stalled):
            (await waiting.answer()).problem(503)
        async with asyncio.timeout(30):
            await stopping
            assert await begun.rest() == b"\r\n0\r\n\r\n"


async def test_draining_cuts_a_keyed_answer(serve: Serve, host: PictureHost) -> None:
    """It has no place to say that it is not whole."""
    served = await serve()
    body = json.dumps({"images": ["foo", f"{host}/silent/"], "timeout": 600}).encode()
    async with served.talk() as talk:
        await talk.ask(body=body, Content_Type="application/json", Accept="application/json")
        await talk.head()
        await wait_until(lambda: host.counts()["in_flight"] == 1)

        await served.app[keys.STREAMS].drain()

        said = await talk.rest()
    assert b'"0":{' in said
    assert not said.endswith(b"0\r\n\r\n")
    assert b"}\n}" not in said


async def test_a_reader_that_stopped_holds_the_end_up_no_longer_than_the_grace(
    serve: Serve,
) -> None:
    """SHUTDOWN_GRACE is for it; then it is cut."""
    served = await serve(shutdown_grace=0.2)
    rows = ["ftp://example.org/" + "x" * 4000] * 4000
    async with served.talk(narrow=True) as talk:
        await talk.ask(body="\n".join(rows).encode(), Content_Type=TSV["Content-Type"])
        await served.stuck()
        async with asyncio.timeout(30):
            await served.runner.cleanup()
    assert len(served.app[keys.STREAMS]) == 0
