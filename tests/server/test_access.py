"""Around every request: its id, its one log line, and errors as problems."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientSession, ServerDisconnectedError, web

from server.gate import Gate
from server.listener import Runner
from server.settings import ServerSettings
from tests.server.serving import INFO, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("given", ["a", "0af7-651916cd43dd_8448.eb211c80319c", "x" * 64])
async def test_the_id_of_a_request_is_sent_back(served: Served, given: str) -> None:
    """On streams, on plain answers and in problems."""
    for asked, status in (({"images": []}, 200), ({}, 422), ({"filepath": "no"}, 422)):
        answer = await served.ask(json=asked, headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given
        if status != 200:
            assert answer.problem(status)["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, 'a"b', "a b", "é"])
async def test_an_id_that_could_do_harm_is_replaced(served: Served, given: str) -> None:
    """Anything but a short word: a new one, different each time."""
    made = [
        (await served.ask("/ping/", method="GET", headers={"X-Request-ID": given})).headers[
            "X-Request-ID"
        ]
        for _ in range(2)
    ]

    assert given not in made
    assert made[0] != made[1]
    assert all(len(one) == 32 for one in made)


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/", "/api/v1/images_info/x"])
async def test_a_path_that_is_not_there_is_a_problem(served: Served, path: str) -> None:
    """404."""
    (await served.ask(path)).problem(404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", INFO, "POST"), ("DELETE", f"{INFO}/", "POST"), ("POST", "/ping/", "GET,HEAD")],
)
async def test_a_method_that_is_not_taken_is_a_problem(
    served: Served, method: str, path: str, allowed: str
) -> None:
    """405 with what is."""
    answer = await served.ask(path, method=method)

    answer.problem(405)
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("method", "path", "asked", "status"),
    [
        ("POST", INFO, {"images": []}, 200),
        ("POST", INFO, {"images": 1}, 422),
        ("GET", "/ping/", None, 200),
        ("GET", "/nowhere", None, 404),
        ("GET", INFO, None, 405),
    ],
)
async def test_every_answer_is_for_its_client_alone(
    served: Served, method: str, path: str, asked: Any, status: int
) -> None:
    """Not sniffed, kept, framed, read by another site's page, and no versions are told."""
    answer = await served.ask(path, method=method, json=asked, headers={"Origin": served.url})

    assert answer.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"].startswith("no-store")
    assert answer.headers["Server"] == "imagecensus"
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_stream_is_not_buffered_on_its_way(served: Served) -> None:
    """Proxies are told to hand each line on, and to leave it as it is."""
    answer = await served.ask(json={"images": []})

    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"


async def test_a_path_cannot_write_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """What would be a line of its own, or move a terminal's cursor, stands there as it was sent."""
    caplog.set_level("INFO")
    await served.ask("/%0A%1B%5B31m" + "x" * 2000, method="GET")

    (record,) = [one for one in caplog.records if one.name == "server.access"]
    assert vars(record)["path"].startswith("/%0A%1B%5B31mxxx")
    assert len(vars(record)["path"]) == 500


async def test_a_request_has_one_line_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """With method, path, status and time; what watches the service is quiet at level info, and so
    is a page that could be shown.
    """
    caplog.set_level("INFO")
    await served.ask(json={"images": ["foo"]})
    await served.ask(json={})
    await served.ask("/healthz", method="GET")
    await served.ask("/ping/", method="GET")
    for path in (
        "/",
        "/docs",
        "/static/page/api.js",
        "/static/nothing",
        "/docs/nothing",
        "/metrics",
    ):
        await served.ask(path, method="GET")

    told = [vars(record) for record in caplog.records if record.name == "server.access"]
    assert [(one["action"], one["method"], one["path"], one["status"]) for one in told] == [
        ("request", "POST", INFO, 200),
        ("request", "POST", INFO, 422),
        ("request", "GET", "/static/nothing", 404),
        ("request", "GET", "/docs/nothing", 404),
    ]
    assert all(one["ms"] >= 0 for one in told)


async def test_a_client_that_hangs_up_behind_its_answer_was_answered(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has the end of an answer cannot cut it off any more, however soon it is gone."""
    caplog.set_level("INFO")
    for _ in range(50):
        async with served.talk() as talk:
            await talk.ask(body=b'{"images": ["foo"]}', Content_Type="application/json")
            await talk.until(b"0\r\n\r\n")
            talk.vanish()

    told = [vars(record) for record in caplog.records if record.name == "server.access"]
    assert [one["action"] for one in told] == ["request"] * 50


@pytest.fixture
async def broken() -> AsyncIterator[str]:
    """An application of handlers that fail, behind the same door."""

    async def bug(_: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError("a secret")

    async def late_bug(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise ZeroDivisionError("a secret")

    async def lost(_: web.Request) -> web.StreamResponse:
        raise ConnectionResetError

    app = web.Application()
    app.add_routes([web.get("/bug", bug), web.get("/late", late_bug), web.get("/lost", lost)])
    runner = Runner(app, Gate(ServerSettings()), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.asyncio(loop_scope="function")
async def test_a_bug_is_told_to_the_log_and_not_to_the_client(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with the id under which the log has the traceback."""
    async with ClientSession() as session, session.get(f"{broken}/bug") as response:
        assert response.status == 500
        assert response.content_type == "application/problem+json"
        told = json.loads(await response.read())
    assert told["error"] == "internal error"
    assert "secret" not in json.dumps(told)
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert record.exc_info is not None


@pytest.mark.asyncio(loop_scope="function")
async def test_an_answer_that_breaks_half_way_is_cut_off(broken: str) -> None:
    """A problem in the middle of an answer would look like part of it."""
    async with ClientSession() as session, session.get(f"{broken}/late") as response:
        with pytest.raises(ClientPayloadError):
            await response.read()


@pytest.mark.asyncio(loop_scope="function")
async def test_a_write_to_a_lost_client_is_no_error(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A write may notice before the cancellation comes: the request is cut, nothing failed."""
    caplog.set_level("INFO")
    async with ClientSession() as session:
        with pytest.raises(ServerDisconnectedError):
            await session.get(f"{broken}/lost")

    assert {vars(record)["action"] for record in caplog.records} == {"cut"}
