"""A manifest by its URL: below a prefix that the operator opened it is read, else it is not."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.settings import ServerSettings
from tests.server.recording import Queue
from tests.server.serving import BATCH, INFO, Served, serving
from tests.workers.fetch.raw_hosts import answering, head
from tests.workers.manifest.elsewhere import Shelf, trusted
from tests.workers.manifest.stores import store_running

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

ROWS = b"id,url\n" + b"".join(b"%d,foo\n" % n for n in range(500))
TAG = {"ETag": '"v1"'}


async def test_a_manifest_over_tls(serve: Serve) -> None:
    """Below the prefix; the start line names it without its query, the summary has its hash."""
    packed = gzip.compress(ROWS)
    with trusted("127.0.0.1") as tls:
        async with answering(Shelf(packed, cuts=[500], **TAG), ssl=tls) as host:
            served = await serve(manifest_urls=f"https://a.example,{host.url}/lists")
            url = f"{host.url}/lists/images.csv.gz"

            answer = await served.ask(json={"filepath": f"{url}?sig=secret", "ordered": True})
            batches = await served.ask(BATCH, json={"filepath": url, "limit": 3})

    assert answer.lines()[0]["manifest"] == url
    assert [record["id"] for record in answer.records()] == [str(n) for n in range(500)]
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(packed).hexdigest()
    assert answer.summary()["complete"] is True
    assert b"secret" not in answer.body
    assert len(batches.rows()) == 3


async def test_a_manifest_in_s3(serve: Serve) -> None:
    """Below the prefix, too."""
    with store_running() as store:
        url = store.put("open/images.csv", ROWS)
        store.put("images.csv", ROWS)
        served = await serve(manifest_urls="s3://lists/open/")

        answer = await served.ask(json={"filepath": url})
        told = (await served.ask(json={"filepath": "s3://lists/images.csv"})).problem(422)
        gone = (await served.ask(json={"filepath": "s3://lists/open/x.csv"})).problem(422)

    assert len(answer.records()) == 500
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(ROWS).hexdigest()
    assert "CENSUS_MANIFEST_URLS" in told["detail"]
    assert gone["detail"] == "cannot open s3://lists/open/x.csv: there is no such key in the bucket"


@pytest.mark.parametrize("route", [INFO, BATCH])
@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/images.tsv",
        "https://a.example.evil/lists/images.tsv",
        "https://a.example@b.example/lists/images.tsv",
        "https://a.example/lists/../images.tsv",
        "https://a.example/lists/%2e%2e/images.tsv",
        "http://a.example/lists/images.tsv",
        "s3://bucket/images.tsv",
    ],
)
async def test_outside_of_the_prefixes(serve: Serve, route: str, url: str) -> None:
    """422 that names the field and the setting, and no prefix; nothing is dialled."""
    served = await serve(manifest_urls="https://a.example/lists,s3://other", allow_networks="")

    told = (await served.ask(route, json={"filepath": url})).problem(422)

    assert told["error"] == "Invalid input file url"
    assert told["errors"] == [{"field": "filepath", "detail": told["detail"]}]
    assert "CENSUS_MANIFEST_URLS" in told["detail"]
    assert "https://a.example/lists;" not in told["detail"]
    assert "s3://other" not in told["detail"]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (head("404 Not Found"), 422, "404 Not Found"),
        (head("403 Forbidden"), 422, "403 Forbidden"),
        (head("503 Busy"), 502, "503 Busy"),
        (head("302 Found", Location="http://10.0.0.1/"), 422, "CENSUS_ALLOW_NETWORKS"),
        (head("200 OK", Content_Encoding="br"), 422, "Content-Encoding br"),
    ],
)
async def test_what_the_host_says_is_known_before_the_answer(
    serve: Serve, answer: bytes, status: int, said: str
) -> None:
    """So a client sees a problem, not a stream that ends at once."""
    async with answering(answer) as host:
        served = await serve(manifest_urls=host.url, retries=0)

        told = (await served.ask(json={"filepath": f"{host.url}/images.tsv"})).problem(status)

    assert said in told["detail"]
    assert [error["field"] for error in told["errors"]] == ["filepath"]


async def test_a_manifest_that_cannot_be_read_on_ends_incomplete(serve: Serve) -> None:
    """The rows before are answered."""
    first, second = Shelf(ROWS, cuts=[700], **TAG), Shelf(ROWS, ETag='"v2"')
    async with answering(first, second) as host:
        served = await serve(manifest_urls=host.url)

        answer = await served.ask(json={"filepath": f"{host.url}/images.csv"})

    assert len(answer.records()) == ROWS[:700].count(b"\n") - 1
    assert answer.summary()["complete"] is False
    assert "changed while it was read" in answer.summary()["reason"]
    assert answer.summary()["manifest_sha256"] is None


async def test_a_batch_answer_can_be_asked_again(served: Served, data_root: Any) -> None:
    """Its rows, with what was passed through; so any answer of ours is a manifest."""
    images = [{"id": f"id-{n}", "url": f"http://h/{n}", "n": n} for n in range(7)]
    asked = {"images": images, "batch_size": 3, "extra": True, "timeout": 0.1, "ordered": True}
    first = await served.ask(BATCH, json=asked)
    (data_root / "batches.ndjson").write_bytes(first.body)

    named = {"filepath": "batches.ndjson", "extra": True, "timeout": 0.1, "ordered": True}
    again = await served.ask(json=named)

    told = [(one["id"], one["url"], one["extra"]) for one in again.records()]
    assert told == [(one["id"], one["url"], {"n": one["n"]}) for one in images]


async def test_a_job_is_handed_in_unseen(
    queue: Queue, settings_of: Callable[..., ServerSettings]
) -> None:
    """Its URL must be below a prefix of the server; whether it is there, consumers find out."""
    asked = {"json": {"filepath": "https://a.example/lists/images.tsv?sig=secret"}}
    told = (await queue.served.ask(f"{INFO}_async", **asked)).problem(422)
    assert "CENSUS_MANIFEST_URLS" in told["detail"]
    ours = queue.served.settings
    settings = settings_of(
        ServerSettings,
        manifest_urls="https://a.example/lists",
        redis_url=ours.redis_url,
        redis_cluster=ours.redis_cluster,
    )
    async with serving(settings) as served:
        answer = await served.ask(f"{INFO}_async", **asked)
        assert answer.status == 202
        state = await served.ask(f"/api/v1/jobs/{answer.json()['job']}", method="GET")
        assert state.json()["manifest"] == "https://a.example/lists/images.tsv"
        assert b"secret" not in state.body
