"""A service with a key, and the page: asked for, refused, kept, or not given."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.page.acting import ended, look, name
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.handing_in import JOB, told
from tests.page.replaying import Replayed, image, start, summary
from tests.page.services import KEY, Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESULTS = f"/api/v1/jobs/{JOB}/results"


async def test_a_wrong_key_is_asked_for_again(
    open_page: OpenPage, keyed: Service, watch: Watch
) -> None:
    """By the keyboard alone: a wrong one, then the right one; then it is kept."""
    watch.allow("status of 401")
    page = await open_page(keyed.url)
    await name(page, "pictures.tsv")
    await look(page)
    dialog = page.get_by_role("dialog", name="This service has a key")
    await expect(page.get_by_label("Key", exact=True)).to_be_focused()

    await page.keyboard.type("not-the-key-of-this-service")
    await page.keyboard.press("Enter")

    await expect(dialog.get_by_role("alert")).to_have_text("The key that was given is wrong.")
    await expect(page.get_by_label("Key", exact=True)).to_be_focused()
    await page.keyboard.type(KEY)
    await page.keyboard.press("Enter")
    await expect(dialog).not_to_be_visible()
    await expect(page.locator("#tally-state")).to_contain_text("Complete")
    await page.get_by_role("tab", name="Jobs").click()
    await expect(page.locator("#view-jobs")).to_contain_text("No jobs yet")


async def test_without_a_key_nothing_is_asked_for_again(
    open_page: OpenPage, keyed: Service, watch: Watch
) -> None:
    """Escape is no: it is told what is missing, and the dialog comes when it is wanted."""
    watch.allow("status of 401")
    page = await open_page(keyed.url)
    await page.get_by_role("tab", name="Jobs").click()
    dialog = page.get_by_role("dialog", name="This service has a key")
    await expect(dialog).to_be_visible()

    await page.keyboard.press("Escape")

    await expect(dialog).not_to_be_visible()
    problem = page.locator("#view-jobs > .problem")
    await expect(problem).to_contain_text("Jobs can be seen with the key of this service.")
    asked_before = len(watch.requests)
    await page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 2500))")
    assert len(watch.requests) == asked_before

    await problem.get_by_role("button", name="Give the key").click()
    await expect(page.get_by_label("Key", exact=True)).to_be_focused()
    await page.keyboard.type(KEY)
    await page.keyboard.press("Enter")
    await expect(page.locator("#view-jobs")).to_contain_text("No jobs yet")


async def test_what_cannot_be_a_key_is_told_at_once(
    open_page: OpenPage, keyed: Service, watch: Watch
) -> None:
    """Curly quotes around it, say: it is neither kept nor sent; one that is kept is not used."""
    watch.allow("status of 401")
    page = await open_page(keyed.url)
    await page.evaluate("sessionStorage.setItem('imagecensus.key', '\u201ca-key\u201d')")
    await name(page, "pictures.tsv")
    await look(page)
    dialog = page.get_by_role("dialog", name="This service has a key")
    await expect(dialog).to_contain_text("CENSUS_API_KEY")
    key = page.get_by_label("Key", exact=True)

    for wrong in (f"\u201c{KEY}\u201d", f"{KEY} {KEY}", "  "):
        await key.fill(wrong)
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_role("alert"), wrong).to_contain_text("cannot be the key")
        await expect(key, wrong).to_be_focused()
    await key.fill(f" {KEY} ")
    await page.keyboard.press("Enter")

    await expect(dialog).not_to_be_visible()
    await expect(page.locator("#tally-state")).to_contain_text("Complete")
    assert await page.evaluate("sessionStorage.getItem('imagecensus.key')") == KEY


async def test_a_link_to_a_job_that_needs_a_key(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """The key is asked for once; with it the results come, from where they begin."""
    watch.allow("status of 401")
    refused = {"status": 401, "detail": "send the key"}
    for path in (f"/api/v1/jobs/{JOB}", RESULTS):
        replayed.tell(refused, status=401, path=path)
    page = await open_page(f"{replayed.url}/?job={JOB}")
    dialog = page.get_by_role("dialog", name="This service has a key")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    assert await ended(page) == "The service refused"
    await expect(page.locator("#tally-problem")).to_have_text("send the key")
    await expect(dialog).not_to_be_visible()

    await page.reload()
    await expect(dialog).to_be_visible()
    replayed.asked.clear()
    replayed.tell(told(released="5-0"), path=f"/api/v1/jobs/{JOB}")
    replayed.say(start(), image(1), summary(1), method="GET", path=RESULTS)
    await page.get_by_label("Key", exact=True).fill(KEY)
    await page.keyboard.press("Enter")

    await expect(page.locator("#tally-state")).to_have_text("Complete: 100 % ok")
    assert [one.query.get("after") for one in replayed.asked if one.path == RESULTS] == ["5-0"]
    assert {one.headers.get("Authorization") for one in replayed.asked} == {f"Bearer {KEY}"}
    assert page.url == f"{replayed.url}/?job={JOB}#pictures"
