"""`/metrics`: what a scrape says, in which text, and what it does without Redis."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from server import keys, scrapes
from tests.asserts import wait_for, wait_until
from tests.picture_hosts import PictureHost
from tests.prometheus import Scrape
from tests.redis_servers import RedisServer
from tests.server.recording import Queue
from tests.server.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

METRICS = "/metrics"
INFO, BATCH = "/api/v1/images_info", "/api/v1/batch_predict"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
LATEST = "text/plain; version=1.0.0; charset=utf-8"


@pytest.fixture
def shared() -> None:
    """A test that is about scrapes which share a text."""


@pytest.fixture(autouse=True)
def told_anew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape says what is, where a test says nothing else."""
    if "shared" not in request.fixturenames:
        monkeypatch.setattr(scrapes, "SHARED_SECONDS", 0.0)


async def scraped(served: Served, **headers: str) -> Scrape:
    """One scrape, as text of Prometheus."""
    answer = await served.ask(METRICS, method="GET", headers=headers)
    assert answer.status == 200, answer.body
    return Scrape(answer.body.decode())


async def test_a_stream_adds_up_with_its_summary(
    serve: Callable[..., Awaitable[Served]], host: PictureHost
) -> None:
    """Rows by outcome, bytes, downloads; and a second one on top."""
    served = await serve(retries=0)
    images = [f"{host}/{n}.jpg" for n in range(20)] + [f"{host}/status/404/{n}" for n in range(5)]
    images += ["foo", "ftp://a/b", f"{host}/0.jpg"]
    for times in (1, 2):
        told = (await served.ask(INFO, json={"images": images})).summary()
        scrape = await scraped(served)
        outcomes = {"ok": told["ok"], **told["errors"]}
        assert told["ok"] == 21
        assert scrape.by("outcome", "rows_total", kind="images_info") == {
            outcome: times * rows for outcome, rows in outcomes.items()
        }
        assert scrape("download_bytes_total") == times * told["bytes"]
        assert scrape.by("outcome", "downloads_total") == {
            "ok": 20 * times,
            "http_status": 5 * times,
        }
    assert scrape.by("outcome", "rows_total", kind="batch_predict") == {}


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
async def test_other_answers_count_their_rows_as_well(
    serve: Callable[..., Awaitable[Served]], host: PictureHost, accept: str
) -> None:
    """One object, or a table."""
    served = await serve()
    images = [f"{host}/{n}.jpg" for n in range(4)] + ["foo"]
    answer = await served.ask(INFO, json={"images": images}, headers={"Accept": accept})
    assert answer.status == 200

    assert (await scraped(served)).by("outcome", "rows_total") == {"ok": 4, "bad_url": 1}


async def test_batches_count_rows_and_predictions(
    serve: Callable[..., Awaitable[Served]], host: PictureHost
) -> None:
    """Rows, not batches; decoding and predicting are timed."""
    served = await serve()
    images = [f"{host}/{n}.jpg" for n in range(5)] + ["foo"]
    told = (await served.ask(BATCH, json={"images": images, "batch_size": 3})).summary()
    scrape = await scraped(served)

    assert (told["rows"], told["ok"]) == (6, 5)
    assert scrape.by("outcome", "rows_total", kind="batch_predict") == {"ok": 5, "bad_url": 1}
    assert scrape("span_seconds_count", span="decode") == 5
    assert scrape("span_seconds_count", span="predict") == 2


async def test_rows_are_counted_while_the_stream_goes_on(
    serve: Callable[..., Awaitable[Served]], host: PictureHost
) -> None:
    """And not twice when it ends."""
    served = await serve(timeout=3, retries=0)
    images = [f"{host}/{n}.jpg" for n in range(3)] + [f"{host}/silent/0"]
    async with served.session.post(served.url + INFO, json={"images": images}) as response:

        async def three() -> Scrape | None:
            scrape = await scraped(served)
            return scrape if scrape.by("outcome", "rows_total") == {"ok": 3} else None

        assert (await wait_for(three))("open_streams") == 1
        await response.read()
    await served.at_rest()
    scrape = await scraped(served)
    assert scrape.by("outcome", "rows_total") == {"ok": 3, "timeout": 1}
    assert scrape("open_streams") == 0


async def test_requests_are_counted_by_route(serve: Callable[..., Awaitable[Served]]) -> None:
    """Never by what anybody wrote into a path or as a method."""
    served = await serve()
    for path, method in (
        ("/ping", "GET"),
        ("/ping/", "GET"),
        ("/etc/passwd", "GET"),
        ("/ping/", "PROPFIND"),
        ("/ping/", "POST"),
        ("/api/v1/jobs/1-1/results", "GET"),
    ):
        await served.ask(path, method=method)
    async with served.talk() as talk:
        talk.writer.write(b"what is this\r\n\r\n")
        await talk.reader.read()

    scrape = await scraped(served)

    def count(method: str, route: str, status: int) -> float | None:
        return scrape("http_requests_total", method=method, route=route, status=str(status))

    assert count("GET", "/ping", 200) == 2
    assert count("GET", "other", 404) == 1
    assert count("other", "other", 405) == 1
    assert count("POST", "other", 405) == 1
    assert count("other", "other", 400) == 1
    routes = scrape.by("route", "http_request_duration_seconds_count")
    assert routes["/ping"] == 2
    assert "passwd" not in json.dumps(dict(routes))
    assert "/api/v1/jobs/{id}/results" in routes


async def test_a_client_that_leaves_is_cut(
    serve: Callable[..., Awaitable[Served]], host: PictureHost
) -> None:
    """Its status is no number."""
    served = await serve()
    async with served.session.post(
        served.url + INFO, json={"images": [f"{host}/silent/0"]}
    ) as response:
        await response.content.readline()
        response.close()
    await served.at_rest()

    async def cut() -> float | None:
        return (await scraped(served))(
            "http_requests_total", method="POST", route=INFO, status="cut"
        )

    assert await wait_for(cut) == 1


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        (None, PLAIN, b""),
        ("*/*", PLAIN, b""),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "openmetrics", b"# EOF\n"),
        ("application/openmetrics-text;version=x", PLAIN, b""),
        ("application/openmetrics-text; version=1.x", PLAIN, b""),
        ("application/openmetrics-text;version=999.0", PLAIN, b""),
        ("application/openmetrics-text;version=999.0,text/plain;version=1.0.0", LATEST, b""),
        ("application/openmetrics-text;version=1.0.0;version=x", PLAIN, b""),
        ("text/plain;version=7.0.0", PLAIN, b""),
        ("text/plain;version=0.0.4;q=0.5", PLAIN, b""),
        (";;,=,text/plain;version=;escaping", "text/plain", b""),
    ],
)
async def test_the_text_is_the_one_asked_for(
    served: Served, accept: str | None, content_type: str, end: bytes
) -> None:
    """Anything else is answered in the plain one."""
    headers = {} if accept is None else {"Accept": accept}
    answer = await served.ask(METRICS, method="GET", headers=headers)

    assert answer.status == 200
    assert content_type in answer.headers["Content-Type"]
    assert answer.headers.getall("Content-Type") == [answer.headers["Content-Type"]]
    assert answer.body.endswith(end or b"\n")
    assert b"# TYPE imagecensus_rows" in answer.body


async def test_it_answers_without_the_key(serve: Callable[..., Awaitable[Served]]) -> None:
    """And what was refused for want of it is counted."""
    served = await serve(api_key="k" * 32)
    assert (await served.ask("/api/v1/jobs", method="GET")).status == 401
    scrape = await scraped(served)
    assert scrape("http_requests_total", method="GET", route="other", status="401") == 1


async def test_without_a_redis_its_numbers_have_no_values(served: Served) -> None:
    """They are named all the same."""
    scrape = await scraped(served)
    assert scrape("redis_up") is None
    assert [m.samples for m in scrape.metrics if m.name == "imagecensus_job_rows"] == [[]]


async def test_two_applications_count_for_themselves(
    serve: Callable[..., Awaitable[Served]],
) -> None:
    """There is no registry of the process."""
    one, two = await serve(), await serve()
    await one.ask(INFO, json={"images": ["foo"]})
    assert (await scraped(one)).by("outcome", "rows_total") == {"bad_url": 1}
    assert (await scraped(two)).by("outcome", "rows_total") == {}


@pytest.mark.usefixtures("shared")
async def test_scrapes_of_one_second_have_one_text(served: Served) -> None:
    """In whichever of two forms; what happened meanwhile is told afterwards."""
    first = await served.ask(METRICS, method="GET")
    again = await served.ask(METRICS, method="GET")
    assert again.body == first.body
    other = await served.ask(METRICS, method="GET", headers={"Accept": OPENMETRICS})
    assert other.body.endswith(b"# EOF\n")

    async def told() -> bool:
        return (await served.ask(METRICS, method="GET")).body != first.body

    await wait_for(told)


async def test_uploads_are_counted_while_they_lie_there(
    serve: Callable[..., Awaitable[Served]], host: PictureHost
) -> None:
    """Bytes on disk, and the room there is."""
    served = await serve()
    line = f"{host}/silent/0\n".encode()
    asking = served.session.post(
        served.url + INFO, data=line, headers={"Content-Type": "text/tab-separated-values"}
    )
    async with asking as response:
        await wait_until(lambda: served.app[keys.SPOOL_ROOM].held == len(line))
        scrape = await scraped(served)
        response.close()
    await served.at_rest()

    assert scrape("spool_bytes") == len(line)
    assert scrape("spool_max_bytes") == int(served.settings.max_spool_bytes)
    assert (await scraped(served))("spool_bytes") == 0


async def test_jobs_are_told_from_redis(queue: Queue) -> None:
    """What is recorded, and what waits."""
    before = await scraped(queue.served)
    assert before("redis_up") == 1
    assert before.by("outcome", "job_rows_total") == {}
    assert before("consumers", kind="images_info") == 0
    recording = await queue.recording("foo", "bar")
    waiting = await scraped(queue.served)
    assert waiting("stream_length", stream="intake") == 1
    assert waiting("stream_waiting", stream="intake") == 1
    await recording.done((True, True, False), (True,))
    done = await scraped(queue.served)

    assert done.by("outcome", "job_rows_total", kind="images_info") == {"ok": 3, "bad_url": 1}
    assert done("job_bytes_total", kind="images_info") == 40
    assert done("job_shards_total", kind="images_info") == 2
    assert done.by("state", "jobs_total") == {"started": 1, "done": 1}
    assert done("jobs_running") == 0
    assert done("stream_length", stream="intake") == 0


async def test_while_redis_is_away_the_rest_is_told(
    serve: Callable[..., Awaitable[Served]], redis_server: Callable[..., RedisServer]
) -> None:
    """Within a second or so; and again when it is back."""
    server = redis_server()
    served = await serve(redis_url=server.url)
    assert (await scraped(served))("redis_up") == 1
    server.freeze()
    try:
        scrape = await scraped(served)
    finally:
        server.thaw()

    assert scrape("redis_up") == 0
    assert scrape("stream_length", stream="intake") is None
    assert scrape("jobs_running") is None
    assert scrape("pool_slots") == 1
    assert (await scraped(served))("redis_up") == 1
