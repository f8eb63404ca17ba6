"""`/docs` in a real Chromium: the description is shown, and what it describes can be tried."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.browsers import Watch
from tests.page.services import KEY, Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: How light the paper below an element is and its letters are, 0 to 1.
LIGHTNESS = """(element) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    let paper = element;
    const backOf = (one) => getComputedStyle(one).backgroundColor;
    while (paper.parentElement && backOf(paper) === "rgba(0, 0, 0, 0)") paper = paper.parentElement;
    return [backOf(paper), getComputedStyle(element).color].map((colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).reduce((a, b) => a + b) / 765;
    });
}"""

OpenPage = Callable[..., Awaitable[Page]]


def operation(page: Page, name: str, tag: str = "service") -> Locator:
    """The block of an operation."""
    return page.locator(f"#operations-{tag}-{name}")


async def tried(page: Page, name: str, tag: str = "service") -> Locator:
    """Unfold an operation and execute it as it stands; the answer."""
    block = operation(page, name, tag)
    await block.locator(".opblock-summary-control").click()
    await block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table")


async def test_the_description_is_read_and_tried(
    open_page: OpenPage, service: Service, watch: Watch
) -> None:
    """Every operation stands there; one is asked for, and its answer shown."""
    (service.data_root / "sample.tsv").write_text("foo\n", encoding="utf-8")
    page = await open_page(f"{service.url}/docs")

    await expect(page.locator(".opblock")).to_have_count(17)
    await expect(page.get_by_text("OAS 3.2")).to_be_visible()
    await expect(page.locator("#key")).to_be_hidden()
    answer = await tried(page, "healthz")
    await expect(answer.locator(".response .response-col_status")).to_have_text("200")
    await expect(answer).to_contain_text("alive")
    assert f"{service.url}/healthz" in watch.requests

    # Of a stream the lines are shown, down to the summary.
    answer = await tried(page, "images_info", "work")

    await expect(answer.locator(".response .response-col_status")).to_have_text("200")
    await expect(answer).to_contain_text('"type":"summary"')
    await expect(answer).not_to_contain_text("parse")


async def test_it_is_dark_where_the_page_is(open_page: OpenPage, service: Service) -> None:
    """As the system is, at once when that changes; unless another theme was chosen at the page."""
    page = await open_page(f"{service.url}/docs", color_scheme="dark")
    await expect(page.locator(".opblock").first).to_be_visible()
    title = page.get_by_role("heading", name="Imagecensus").first
    dark = await title.evaluate(LIGHTNESS)
    assert dark[0] < 0.2 < 0.6 < dark[1]
    await page.emulate_media(color_scheme="light")
    light = await title.evaluate(LIGHTNESS)
    assert light[0] > 0.9 > 0.4 > light[1]

    await page.evaluate("localStorage.setItem('imagecensus.theme', 'dark')")
    await page.reload()
    await expect(page.locator(".opblock").first).to_be_visible()
    assert await title.evaluate(LIGHTNESS) == dark


async def test_the_key_is_asked_for_and_sent(
    open_page: OpenPage, keyed: Service, watch: Watch
) -> None:
    """A wrong one is told; the right one is kept for the tab and goes with what is tried."""
    watch.allow("401")
    page = await open_page(f"{keyed.url}/docs")
    await expect(page.locator("#key")).to_be_visible()
    await page.get_by_label("Key").fill("another")
    await page.get_by_role("button", name="Use it").click()
    await expect(page.locator("#why")).to_contain_text("wrong")
    assert await page.locator(".opblock").count() == 0

    await page.get_by_label("Key").fill(KEY)
    await page.get_by_role("button", name="Use it").click()
    await expect(page.locator(".opblock")).to_have_count(17)
    await expect(page.locator("#key")).to_be_hidden()
    answer = await tried(page, "predictors")
    await expect(answer.locator(".response .response-col_status")).to_have_text("200")
    await expect(answer).to_contain_text("appearance")

    kept = await page.evaluate("JSON.stringify(sessionStorage)")
    assert json.loads(kept) == {"imagecensus.key": KEY}
    await page.reload()
    await expect(page.locator(".opblock")).to_have_count(17)


async def test_a_key_can_be_given_again(open_page: OpenPage, keyed: Service, watch: Watch) -> None:
    """What cannot be one is told, and not used where it is kept; it is asked for on a failure."""
    watch.allow("401|502")
    page = await open_page(f"{keyed.url}/docs", script="0")
    await page.evaluate("sessionStorage.setItem('imagecensus.key', '\u201ca-key\u201d')")
    await page.reload()
    await expect(page.locator("#why")).to_contain_text("CENSUS_API_KEY")
    await page.get_by_label("Key").fill(f"\u201c{KEY}\u201d")
    await page.get_by_role("button", name="Use it").click()
    await expect(page.locator("#why")).to_contain_text("cannot be the key")
    await expect(page.locator("#failed")).to_be_hidden()

    await page.route("**/openapi.json", lambda route: route.fulfill(status=502, body="{}"))
    await page.get_by_label("Key").fill("another")
    await page.get_by_role("button", name="Use it").click()
    await expect(page.get_by_role("alert")).to_contain_text("answers 502")
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("answers 502")
    await expect(page.locator("#why")).to_contain_text("can be given again")
    await page.unroute("**/openapi.json")
    await page.get_by_label("Key").fill(KEY)
    await page.get_by_role("button", name="Use it").click()

    await expect(page.locator(".opblock")).to_have_count(17)
    await expect(page.locator("#failed")).to_be_hidden()
    await expect(page.locator("#key")).to_be_hidden()


async def test_what_cannot_be_had_is_said(
    open_page: OpenPage, service: Service, watch: Watch
) -> None:
    """No description, no blank page."""
    watch.allow("503")
    page = await open_page(f"{service.url}/healthz", script="0")
    await page.route("**/openapi.json", lambda route: route.fulfill(status=503, body="{}"))
    await page.goto(f"{service.url}/docs")

    await expect(page.get_by_role("alert")).to_contain_text("answers 503")
