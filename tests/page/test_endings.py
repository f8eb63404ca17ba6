"""How a census ends on the page: with nothing, refused, not complete, or with the service gone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import again, ended, look, name, records, write
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.replaying import CUT, Replayed, image, summary
from tests.page.replaying import start as begun
from tests.page.services import Service
from tests.picture_hosts import PictureHost

pytestmark = pytest.mark.asyncio(loop_scope="session")

TALLY = "#tally-problem"


async def test_a_list_of_no_rows(page: Page, service: Service) -> None:
    """It is complete: of nothing. Nothing can be saved."""
    (service.data_root / "none.tsv").write_text("id\turl\n")
    await name(page, "none.tsv")
    await look(page)

    assert (await ended(page)).startswith("Complete")
    await expect(page.locator("#count-rows")).to_have_text("0")
    await expect(records(page)).to_have_count(0)
    await expect(page.locator("#view-pictures output")).to_have_text("0 of 0")
    await expect(page.get_by_role("button", name="Save NDJSON")).to_be_hidden()
    for view in ("failures", "figures", "duplicates"):
        await page.locator(f"#tab-{view}").click()
        await expect(page.locator(f"#view-{view}")).not_to_be_empty()


async def test_what_is_refused_is_told_with_its_field(page: Page, watch: Watch) -> None:
    """422 of the real service: the sentence, and which field it is about."""
    watch.allow("status of 422")
    await name(page, "no-such-list.tsv")
    await look(page)

    assert await ended(page) == "The service refused"
    await expect(page.locator(TALLY)).to_contain_text("there is no manifest 'no-such-list.tsv'")
    await expect(page.get_by_role("alert").filter(has_text="no manifest")).to_be_visible()
    # The form is there again, as it was filled in.
    await expect(page.locator("#path")).to_be_visible()


#: What the service says, or a gateway before it, and what is told of it.
REFUSALS: tuple[tuple[int, Any, str], ...] = (
    (
        422,
        {"detail": "it is wrong", "errors": [{"field": "limit", "detail": "too many"}]},
        "limit: too many",
    ),
    (429, {"detail": "as many streams as may be are open"}, "as many streams"),
    (503, {"error": "the service is stopping"}, "the service is stopping"),
    (413, {}, "the service answered 413"),
    (500, "no object", "the service answered 500"),
)


async def test_each_refusal_is_told(open_page: OpenPage, replayed: Replayed, watch: Watch) -> None:
    """In the words of the service, or with its status at least."""
    watch.allow(r"status of (422|429|503|413|500)")
    page = await open_page(replayed.url)
    for status, told, shown in REFUSALS:
        replayed.tell(told, status=status, method="POST", path="/api/v1/images_info")
        await write(page, "http://pictures.invalid/0.jpg")
        await look(page)

        assert await ended(page) == "The service refused", shown
        await expect(page.locator(TALLY)).to_contain_text(shown)


async def test_what_is_not_complete_says_why(open_page: OpenPage, replayed: Replayed) -> None:
    """The reason of the last line; without a last line it was cut, though it came to an end."""
    page = await open_page(replayed.url)
    last = summary(1, complete=False, reason="the service stops")
    for lines, says in (
        ([image(0), last], "Not complete: the service stops"),
        ([image(0), last | {"reason": "draining"}], "Not complete: the server was stopped"),
        ([image(0), image(1)], "Cut off after 2 rows"),
    ):
        replayed.say(begun(), *lines)
        await write(page, "http://pictures.invalid/0.jpg")
        await look(page)

        assert await ended(page) == says
        await expect(records(page), says).to_have_count(sum(x["type"] == "image" for x in lines))
        await again(page)


async def test_a_connection_that_is_cut_is_told(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """What came is kept and can be saved; the next list is looked at as ever."""
    watch.allow("net::ERR")
    go_on = asyncio.Event()
    replayed.say(begun(), image(0), image(1), b'{"type":"image","ind', go_on, CUT)
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await expect(records(page)).to_have_count(2)
    go_on.set()

    assert await ended(page) == "Cut off after 2 rows"
    await expect(page.locator(TALLY)).to_contain_text("What came is kept here")
    await expect(records(page)).to_have_count(2)
    assert len(replayed.asked) == 1  # it is not sent again
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Save NDJSON").click()
    saved = (await (await saving.value).path()).read_bytes()
    assert saved.count(b"\n") == 3
    replayed.say(begun(), image(5), summary(1))
    await page.get_by_role("button", name="New list").click()
    await look(page)
    await expect(page.locator("#tally-state")).to_have_text("Complete: 100 % ok")
    await expect(page.locator(TALLY)).to_be_hidden()


async def test_a_service_that_is_killed_is_told_and_what_came_is_kept(
    open_page: OpenPage,
    watch: Watch,
    start: Callable[..., Service],
    picture_host: PictureHost,
) -> None:
    """While the last picture of a real stream is waited for."""
    watch.allow("net::ERR")
    own = start()
    page = await open_page(own.url)
    rows = [f"{picture_host}/picture/{row}" for row in range(4)] + [f"{picture_host}/silent/never"]
    await write(page, "\n".join(rows))
    await look(page)
    await expect(records(page)).to_have_count(4)
    own.process.end(signal.SIGKILL)

    assert await ended(page) == "Cut off after 4 rows"
    await expect(page.locator(TALLY)).to_contain_text("What came is kept here")
    await expect(records(page)).to_have_count(4)

    await page.get_by_role("button", name="New list").click()
    await look(page)
    await expect(page.locator("#tally-state")).to_have_text("Cut off after 0 rows")
    await expect(page.locator(TALLY)).to_have_text("the service does not answer")
    await expect(page.get_by_role("button", name="Look now")).to_be_visible()
    await expect(page.locator(TALLY)).to_contain_text("the service does not answer")


JOB = "/api/v1/jobs/1-0"


async def test_a_job_that_stands_still_says_why(open_page: OpenPage, replayed: Replayed) -> None:
    """It waits for somebody to read its results: told by the job, gone when rows come again."""
    go_on = asyncio.Event()
    begins, path = begun() | {"job": "1-0"}, f"{JOB}/results"
    replayed.say(begins, image(0), go_on, image(1), summary(2), method="GET", path=path)
    counts = {"total": 2, "expected": 2, "done": 1}
    job = {"id": "1-0", "state": "running", "rows": counts, "released": None}
    replayed.tell(job | {"paused": True, "reason": "results wait: read them"}, path=JOB)
    page = await open_page(f"{replayed.url}/?job=1-0")
    await expect(page.locator("#tally-state")).to_have_text("Running")
    await expect(page.locator(TALLY)).to_have_text("results wait: read them")
    await expect(page.locator("#tally-left")).to_have_text("")
    go_on.set()

    assert await ended(page) == "Complete: 100 % ok"
    await expect(page.locator(TALLY)).to_be_hidden()


async def test_rows_that_were_released_are_told(open_page: OpenPage, replayed: Replayed) -> None:
    """What is shown is complete only for the rest of the job."""
    begins, path = begun() | {"job": "1-0"}, f"{JOB}/results"
    replayed.say(begins, image(3), image(4), summary(5), method="GET", path=path)
    counts = {"total": 5, "expected": 5}
    replayed.tell({"id": "1-0", "rows": counts, "released": "7-0"}, path=JOB)
    page = await open_page(f"{replayed.url}/?job=1-0")

    assert await ended(page) == "Complete without 3 rows released before: 100 % ok"
    await page.locator("#tab-figures").click()
    await page.reload()
    await expect(page.locator("#view-figures")).to_be_visible()
    await ended(page)
    await expect(page.locator("#tally-dot")).to_have_attribute("data-state", "doubt")
