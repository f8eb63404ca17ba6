"""The same URL once, as clients see it."""

from __future__ import annotations

import pytest

from tests.picture_hosts import PictureHost
from tests.server.serving import BATCH, INFO, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

SMALL = "by-name/made-0012-grey.jpg"


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, having forgotten the tests before."""
    picture_host.reset()
    return picture_host


async def test_rows_that_repeat_a_url(served: Served, host: PictureHost) -> None:
    """Each is answered; `bytes` of the summary are those that were received."""
    images = [{"id": f"{n}", "url": f"{host}/{SMALL}?n={n % 2}"} for n in range(300)]
    answer = await served.ask(INFO, json={"images": images, "ordered": True})
    start, *records, summary = answer.lines()
    assert host.counts()["requests"] == 2
    assert [record["id"] for record in records] == [image["id"] for image in images]
    assert all(record["image_info"] == records[0]["image_info"] for record in records)
    assert [record["fetch"].get("same_as") for record in records[:4]] == [None, None, 0, 1]
    assert summary["ok"] == 300
    assert summary["bytes"] == records[0]["fetch"]["bytes"] + records[1]["fetch"]["bytes"]
    assert start["type"] == "start"


async def test_batches_that_repeat_a_url(served: Served, host: PictureHost) -> None:
    """All positions are taken."""
    asked = {"images": [f"{host}/{SMALL}"] * 70, "batch_size": 32, "ordered": True}
    answer = await served.ask(BATCH, json=asked)
    assert [line["batch_dimension"][0] for line in answer.batches()] == [32, 32, 6]
    assert host.counts()["requests"] == 1
    assert len({str(row["prediction"]) for row in answer.rows()}) == 1
