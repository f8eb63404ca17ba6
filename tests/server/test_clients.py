"""Clients that leave, that do not read, and that send everything before they read."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection
from pathlib import Path

import pytest

from server import keyed, keys, ndjson
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.serving import INFO, TSV, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("accept", ["*/*", "application/json"], ids=["ndjson", "keyed"])
@pytest.mark.parametrize("depth", ["header", "full"])
async def test_a_client_that_vanishes_ends_its_downloads(
    served: Served, host: PictureHost, accept: str, depth: str
) -> None:
    """The host's requests are given up, no further row starts, and nothing is left over."""
    before = asyncio.all_tasks()
    rows = [f"{host}/silent/{row}" for row in range(200)]
    body = json.dumps({"images": rows, "timeout": 600, "depth": depth}).encode()
    async with served.talk() as talk:
        await talk.ask(body=body, Content_Type="application/json", Accept=accept)
        assert (await talk.head())[0] == 200
        await wait_until(lambda: host.counts()["in_flight"] == served.settings.max_connections)
        talk.vanish()

    await served.at_rest()
    await wait_until(lambda: host.counts()["in_flight"] == 0)
    assert host.counts()["requests"] == served.settings.max_connections
    await wait_until(lambda: asyncio.all_tasks() <= before)
    assert len((await served.ask(json={"images": [f"{host}/a"]})).records()) == 1


@pytest.mark.parametrize("accept", ["*/*", "application/json"], ids=["ndjson", "keyed"])
async def test_a_client_that_vanishes_while_it_is_written_to_is_no_error(
    served: Served,
    host: PictureHost,
    accept: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However the end is noticed, by the write or by the cancellation: one line, no traceback."""
    caplog.set_level("INFO")
    monkeypatch.setattr(ndjson, "IDLE_SECONDS", 0.001)
    monkeypatch.setattr(keyed, "IDLE_SECONDS", 0.001)
    body = json.dumps({"images": [f"{host}/silent/{n}" for n in range(20)]}).encode()
    for _ in range(10):
        async with served.talk() as talk:
            await talk.ask(body=body, Content_Type="application/json", Accept=accept)
            await talk.head()
            talk.vanish()

    def ends() -> list[str]:
        records = [vars(record) for record in caplog.records if record.name == "server.access"]
        return [record["action"] for record in records]

    await wait_until(lambda: len(ends()) >= 10)
    assert ends() == ["cut"] * 10
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


async def test_a_client_that_does_not_read_stops_the_work(
    served: Served, host: PictureHost, data_root: Path
) -> None:
    """Rows behind what its connection holds are not even started; reading on, it gets them all."""
    filler = "ftp://example.org/" + "x" * 4000  # fails at once, and its record repeats it
    rows = [filler] * 4000 + [f"{host}/mine/{row}" for row in range(50)]
    (data_root / "long.tsv").write_text("\n".join(rows), encoding="utf-8")
    body = b'{"filepath": "long.tsv", "ordered": true}'

    def started() -> int:
        targets = {str(request["target"]) for request in host.requests()}
        return sum(target.startswith("/mine/") for target in targets)

    async with served.talk(narrow=True) as talk:
        await talk.ask(body=body, Content_Type="application/json")
        assert (await talk.head())[0] == 200
        await served.stuck()
        (stream,) = served.app[keys.STREAMS]._open
        outbox = stream._flow._outbox
        await wait_until(lambda: outbox.full)
        for _ in range(2):  # others are served meanwhile, and nothing moves here
            answer = await served.ask(json={"images": [f"{host}/other/{row}" for row in range(50)]})
            assert answer.summary()["ok"] == 50
        assert outbox._open <= 4 * served.settings.max_connections
        assert started() == 0

        lines = [await talk.line() for _ in range(4052)]

    assert [line["type"] for line in lines] == ["start", *["image"] * 4050, "summary"]
    assert [line["index"] for line in lines[1:-1]] == list(range(4050))
    assert lines[-1]["ok"] == 50
    assert started() == 50


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_client_may_send_everything_before_it_reads(
    served: Served, host: PictureHost, framing: str
) -> None:
    """As ordinary clients do: more than all buffers hold goes up while nobody reads the answer."""
    pictures = "".join(f"{host}/{row}\n" for row in range(20))
    filler = "".join(f"ftp://example.org/{row:01000}\n" for row in range(20_000))

    def client() -> tuple[int, list[bytes]]:
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        body = (pictures + filler + pictures).encode()
        parts = (body[at : at + 65536] for at in range(0, len(body), 65536))
        if framing == "length":
            connection.request("POST", INFO, body, TSV)
        else:
            connection.request("POST", INFO, parts, TSV, encode_chunked=True)
        response = connection.getresponse()
        lines = response.read().splitlines()
        connection.close()
        return response.status, lines

    status, lines = await asyncio.to_thread(client)

    assert status == 200
    assert len(lines) == 20_042
    summary = json.loads(lines[-1])
    assert summary["ok"] == 40
    assert summary["errors"] == {"bad_scheme": 20_000}
    assert summary["complete"] is True


async def test_a_stream_of_silent_hosts_holds_nobody_up(served: Served, host: PictureHost) -> None:
    """While one client's rows take all connections they may, another's are answered."""
    silent = [f"{host}/silent/{row}" for row in range(8)]
    body = json.dumps({"images": silent, "timeout": 600}).encode()
    async with served.talk() as talk:
        await talk.ask(body=body, Content_Type="application/json")
        await talk.head()
        await wait_until(lambda: host.counts()["in_flight"] == 8)
        answer = await served.ask(json={"images": [f"{host}/{row}" for row in range(20)]})
        assert answer.summary()["ok"] == 20
