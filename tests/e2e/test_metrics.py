"""The numbers of a real server, its consumer and its Redis, before, during and after a job."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from tests.asserts import eventually
from tests.e2e.serving import ServerProcess, started
from tests.picture_hosts import PictureHost
from tests.prometheus import Scrape

ROWS = 700


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """It brings a Redis and a consumer, which serves its own numbers on any free port."""
    folder = tmp_path_factory.mktemp("metrics")
    with started(folder, METRICS_PORT="0", RETRIES="0", SHARD_ROWS="50") as server:
        yield server


def asked(url: str) -> str:
    """One scrape."""
    with urlopen(url, timeout=20) as answer:  # noqa: S310 - of this machine
        text: str = answer.read().decode()
    return text


def scraped(server: ServerProcess) -> Scrape:
    """What the server says, in a text made after this is called: it keeps one for a second."""

    def scrapes(scrape: Scrape) -> float:
        about = {"method": "GET", "route": "/metrics", "status": "200"}
        return scrape("http_requests_total", **about) or 0

    def told() -> Scrape:
        return Scrape(asked(f"{server.ready['url']}/metrics"))

    first = scrapes(told())
    return eventually(lambda: scrape if scrapes(scrape := told()) > first else None)


def consumers_url(server: ServerProcess) -> str:
    """Where its consumer listens, once it does: its log says so."""

    def found() -> list[str]:
        return [line["url"] for line in server.logs() if line.get("action") == "serving_metrics"]

    return eventually(found)[0]


def state(server: ServerProcess, job: str) -> dict[str, Any]:
    """The job as it is told."""
    told: dict[str, Any] = json.loads(asked(f"{server.ready['url']}/api/v1/jobs/{job}"))
    return told


def handed_in(server: ServerProcess, images: list[str]) -> str:
    """A job of these rows."""
    connection = server.connect()
    try:
        body = json.dumps({"images": images})
        there = "/api/v1/images_info_async"
        connection.request("POST", there, body, {"Content-Type": "application/json"})
        job: str = json.loads(connection.getresponse().read())["job"]
    finally:
        connection.close()
    return job


def test_a_job_adds_up_in_the_numbers(server: ServerProcess, picture_host: PictureHost) -> None:
    """Rows by outcome, bytes, shards, downloads; what was counted before stays."""
    images = [f"{picture_host}/{n % 32}.jpg?{n}" for n in range(ROWS)]
    images[3::10] = [f"{picture_host}/status/404/{n}" for n in range(ROWS // 10)]
    images[4::20] = ["foo"] * (ROWS // 20)
    images[-1] = f"{picture_host}/slow/3000/1.jpg"  # so that there is a while before its end
    eventually(lambda: scraped(server)("consumers", kind="images_info") == 1)
    before = scraped(server)
    assert before.by("outcome", "job_rows_total") == {}
    assert before("jobs_running") == 0

    job = handed_in(server, images)
    during = eventually(lambda: _part(server), timeout=60)
    assert during("jobs_running") == 1
    eventually(lambda: state(server, job)["state"] == "done", timeout=60)

    told, after = state(server, job), scraped(server)
    assert told["rows"]["done"] == ROWS
    assert told["errors"] == {"http_status": 70, "bad_url": 35}
    outcomes = {"ok": told["rows"]["ok"], **told["errors"]}
    assert after.by("outcome", "job_rows_total", kind="images_info") == outcomes
    assert after("job_bytes_total", kind="images_info") == told["bytes"]
    assert after("job_shards_total", kind="images_info") == ROWS // 50
    assert after.by("state", "jobs_total") == {"started": 1, "done": 1}
    assert after("jobs_running") == 0
    for stream in ("intake", "shards:images_info", "shards:batch_predict"):
        assert after("stream_length", stream=stream) == 0
        assert after("stream_pending", stream=stream) == 0
    assert after.by("outcome", "downloads_total") == {}  # it is the consumer that downloads

    consumer = Scrape(asked(consumers_url(server)))
    downloads = {"ok": outcomes["ok"], "http_status": outcomes["http_status"]}
    assert consumer.by("outcome", "downloads_total") == downloads
    assert consumer("download_bytes_total") == told["bytes"]
    assert consumer("span_seconds_count", span="permit_wait") == sum(downloads.values())
    assert consumer("span_seconds_count", span="first_byte") >= sum(downloads.values())


def _part(server: ServerProcess) -> Scrape | None:
    """The numbers once some of the job is recorded, and not all."""
    scrape = scraped(server)
    rows = sum(scrape.by("outcome", "job_rows_total", kind="images_info").values())
    return scrape if 0 < rows < ROWS else None


def test_a_stream_adds_up_in_the_numbers(server: ServerProcess, picture_host: PictureHost) -> None:
    """Decoded in the pool; its requests are there as well."""
    images = [f"{picture_host}/{n}.jpg" for n in range(16)]
    images += [f"{picture_host}/status/410/{n}" for n in range(3)]
    before = scraped(server)
    summary = server.lines({"images": images, "depth": "full"})[-1]
    scrape = scraped(server)

    outcomes = {"ok": summary["ok"], **summary["errors"]}
    assert outcomes == {"ok": 16, "http_status": 3}
    assert scrape.by("outcome", "rows_total") == outcomes
    assert scrape.by("outcome", "downloads_total") == outcomes
    assert scrape("download_bytes_total") == summary["bytes"]
    assert scrape("span_seconds_count", span="decode") == 16
    asked_for = {"method": "POST", "route": "/api/v1/images_info", "status": "200"}
    assert before("http_requests_total", **asked_for) is None
    assert scrape("http_requests_total", **asked_for) == 1


@pytest.mark.parametrize("whose", ["server", "consumer"])
def test_promtool_finds_no_fault(
    server: ServerProcess, picture_host: PictureHost, whose: str
) -> None:
    """Names, kinds and help of everything, after a run."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool (the Debian package `prometheus` has it)")
    server.lines({"images": [f"{picture_host}/0.jpg", "foo"]})
    url = f"{server.ready['url']}/metrics"
    if whose == "consumer":
        url = consumers_url(server)

    answer = subprocess.run(
        [program, "check", "metrics"],
        input=asked(url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_it_is_no_news_in_the_log(server: ServerProcess) -> None:
    """It is asked every few seconds."""
    scraped(server)
    assert "/metrics" not in [line.get("path") for line in server.logs()]
