"""Who is let in: by the key, or without one by where a request says it comes from."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web

from server import gate
from server.app import create_app
from server.gate import Gate
from server.listener import Runner
from server.settings import ServerSettings
from server.static_files import StaticFiles
from tests.server.serving import INFO, TSV, Served, serving
from workers.environment import read_settings

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keyed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server with a key."""
    settings = read_settings(
        ServerSettings, data_root=tmp_path_factory.mktemp("data"), api_key=KEY, pool_slots=1
    )
    async with serving(settings) as served:
        yield served


@pytest.mark.parametrize("said", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "])
async def test_the_key_opens(keyed: Served, said: str) -> None:
    """The scheme may be written as one likes (RFC 9110, 11.1)."""
    answer = await keyed.ask(json={"images": ["foo"]}, headers={"Authorization": said})

    assert len(answer.records()) == 1


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        KEY,
        "Bearer",
        "Bearer ",
        f"Bearer{KEY}",
        f"Basic {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY[:-1]}f",
        f"Bearer {KEY.upper()}",
        f"Bearer {KEY} {KEY}",
        f'Bearer "{KEY}"',
        f"Bearer {KEY[:-1]}é",
        "Bearer " + "x" * 8000,
    ],
)
async def test_without_the_key_nothing_opens(keyed: Served, said: str | None) -> None:
    """401 that says how to ask; also where there is nothing, so that nobody can look around."""
    for method, path in (("POST", INFO), ("GET", INFO), ("GET", "/api/v1/"), ("GET", "/nowhere")):
        headers = {} if said is None else {"Authorization": said}
        answer = await keyed.ask(path, method=method, headers=headers)
        answer.problem(401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert KEY not in answer.body.decode()


@pytest.mark.parametrize(
    "field", [b"Bearer " + KEY[:-1].encode() + b"\xff", b"Bearer \xff\xfe", b"\xff" * 40]
)
async def test_a_key_that_is_no_text_is_wrong(keyed: Served, field: bytes) -> None:
    """Bytes that are not UTF-8 are compared as bytes: 401, not a bug."""
    async with keyed.talk() as talk:
        talk.writer.write(
            b"GET %s HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n\r\n" % (INFO.encode(), field)
        )
        (await talk.answer()).problem(401)


async def test_a_key_said_twice_is_wrong(keyed: Served) -> None:
    """Whoever stands in between may have read the other one."""
    async with keyed.talk() as talk:
        one = f"Authorization: Bearer {KEY}\r\n"
        talk.writer.write(f"GET {INFO} HTTP/1.1\r\nHost: h\r\n{one}{one}\r\n".encode())
        assert (await talk.head())[0] in (400, 401)


async def test_the_key_is_no_option(keyed: Served) -> None:
    """In a query it would stand in the logs of everything in between: not taken from there."""
    for name in ("key", "api_key", "access_token"):
        (await keyed.upload(b"foo\n", params={name: KEY})).problem(401)


@pytest.mark.parametrize("path", sorted(gate.OPEN_PATHS))
async def test_what_watches_the_service_needs_no_key(keyed: Served, path: str) -> None:
    """Any answer but 401, whatever of these there is."""
    assert (await keyed.ask(path, method="GET")).status != 401


@pytest.mark.parametrize(
    "path",
    [
        "/ping/x",
        "/ping//",
        "//",
        "/static",
        "/%70ing/",
        "/healthz/../api/v1/images_info",
        "/api/v1/images_info?/static/",
        "/Static/x",
    ],
)
async def test_what_resembles_an_open_path_is_not(keyed: Served, path: str) -> None:
    """Compared as it was sent, whole."""
    async with keyed.talk() as talk:
        await talk.ask(path, body=b"", Content_Type="application/json")
        (await talk.answer()).problem(401)


async def test_no_route_lies_where_all_is_open() -> None:
    """The folder of static files holds nothing that does work."""
    routes = create_app(ServerSettings()).router.routes()
    open_ones = [
        route
        for route in routes
        if route.resource is not None and route.resource.canonical.startswith(gate.OPEN_FOLDER)
    ]

    assert {route.method for route in open_ones} == {"GET", "HEAD"}
    for route in open_ones:
        assert route.handler.__func__ is StaticFiles.file


async def test_a_request_without_the_key_is_refused_before_its_body(keyed: Served) -> None:
    """Neither awaited nor asked for: a client that expects to be told to go on is told to stop."""
    async with keyed.talk() as talk:
        await talk.ask(length=1 << 30, Content_Type=TSV["Content-Type"], Expect="100-continue")
        answer = await talk.answer()
        answer.problem(401)
        assert answer.headers["Connection"] == "close"


async def test_the_key_is_never_logged(keyed: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the right one nor what was taken for it."""
    caplog.set_level("DEBUG")
    await keyed.ask(json={"images": ["foo"]}, headers=BEARER)
    await keyed.ask(json={}, headers=BEARER)
    await keyed.ask(json={}, headers={"Authorization": f"Bearer {KEY}2"})

    told = [vars(record) for record in caplog.records]
    assert [one["status"] for one in told if one["name"] == "server.access"] == [200, 422, 401]
    assert KEY not in json.dumps(told, default=repr)


@pytest.mark.parametrize("host", ["census.example.org", "h", "10.0.0.1"])
async def test_with_a_key_the_service_has_any_name(keyed: Served, host: str) -> None:
    """A page of another site does not have the key, so names and sites need no check."""
    headers = {**BEARER, "Host": host, "Origin": "https://example.org"}
    assert (await keyed.ask(json={"images": []}, headers=headers)).summary()["complete"] is True


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:5000", "127.8.8.8:1", "[::1]", "[::1]:9"],
)
async def test_without_a_key_this_machine_has_these_names(served: Served, host: str) -> None:
    """Whatever port they name: tunnels have others."""
    assert (await served.ask("/ping/", method="GET", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "h",
        "example.org",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "127.0.0.1@example.org",
        "example.org:127",
        "localhost:80:80",
        "[::1",
        "[::2]",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
    ],
)
async def test_without_a_key_another_name_is_refused(served: Served, host: str) -> None:
    """A name that was made to lead here (DNS rebinding) would give its pages all answers."""
    for method, path in (("GET", "/ping/"), ("POST", INFO)):
        async with served.talk() as talk:
            talk.writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert "CENSUS_API_KEY" in (await talk.answer()).problem(403)["detail"]


async def test_what_is_too_old_for_names_may_do_without(served: Served) -> None:
    """HTTP/1.0 asks without a Host, as some that watch do and no browser."""
    async with served.talk() as talk:
        talk.writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await talk.head())[0] == 200


@pytest.mark.parametrize(
    ("fields", "let_in"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://census.example.org"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "new-word"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{own}"}, False),
        ({"Origin": "{own}"}, True),
        ({"Origin": "https://example.org"}, False),
        ({"Origin": "http://localhost:1"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/tab-separated-values"])
async def test_a_page_of_another_site_starts_nothing(
    served: Served, fields: dict[str, str], let_in: bool, kind: str
) -> None:
    """A form or script elsewhere can post here without asking; browsers say who sends it."""
    headers = {name: value.format(own=served.url) for name, value in fields.items()}

    answer = await served.ask(data=b"{", headers={"Content-Type": kind, **headers})

    assert (answer.status != 403) is let_in
    if not let_in:
        assert "another site" in answer.problem(403)["error"]


async def test_a_page_of_another_site_may_link_here(served: Served) -> None:
    """Looking changes nothing, and no page can read what another looks at."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await served.ask("/ping/", method="GET", headers=headers)).status == 200


async def test_an_open_service_has_any_name(tmp_path: Path) -> None:
    """`OPEN=1` gives names up, and a page of another site still starts nothing."""

    async def work(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.add_routes([web.post(INFO, work)])
    runner = Runner(app, Gate(ServerSettings(open=True)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{INFO}"
    async with ClientSession() as session:
        for origin, status in (("http://census.example.org", 200), ("http://example.org", 403)):
            headers = {"Host": "census.example.org", "Origin": origin}
            async with session.post(url, headers=headers) as response:
                assert response.status == status
    await runner.cleanup()


async def test_a_refusal_is_no_error(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """One line as for any request."""
    caplog.set_level("INFO")
    await served.ask(headers={"Host": "example.org"})

    (record,) = caplog.records
    assert (record.levelno, vars(record)["status"]) == (logging.INFO, 403)
