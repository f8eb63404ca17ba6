"""How the page looks: its themes, on a narrow screen, for those who want nothing to move."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import ended, look, name, records
from tests.page.conftest import OpenPage
from tests.page.services import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

VIEWS = ("pictures", "failures", "figures", "duplicates", "jobs")
PHONE = {"width": 390, "height": 844}
#: The lightness of the paper and of the letters on it, 0 to 1, and the contrast of the two (WCAG).
COLOURS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(document.body);
    const [paper, ink] = [light(style.backgroundColor), light(style.color)];
    return [paper, ink, (Math.max(paper, ink) + 0.05) / (Math.min(paper, ink) + 0.05)];
}"""
#: Elements that reach beyond the right edge of the screen and are not cut off there.
BEYOND = """() => [...document.querySelectorAll("body *")].filter((one) => {
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || box.right <= innerWidth + 1) return false;
    for (let at = one.parentElement; at; at = at.parentElement) {
        if (at !== document.body && getComputedStyle(at).overflowX !== "visible") return false;
    }
    return true;
}).map((one) => one.outerHTML.slice(0, 120))"""


async def looked(page: Page, what: str | None = None) -> None:
    """At the list of the service."""
    await name(page, "pictures.tsv")
    await look(page, what)
    await ended(page)
    await expect(records(page).first).to_be_visible()


async def dark(page: Page) -> bool:
    """Whether it is; the letters can be read either way."""
    paper, ink, contrast = await page.evaluate(COLOURS)
    assert contrast >= 7
    return bool(paper < ink)


async def test_it_follows_the_system(open_page: OpenPage, service: Service) -> None:
    """As long as nobody chooses: from the first, and when that changes."""
    page = await open_page(service.url, color_scheme="dark")
    assert await dark(page)

    await page.emulate_media(color_scheme="light")
    assert not await dark(page)
    await page.reload()
    assert not await dark(page)
    await page.emulate_media(color_scheme="dark")
    assert await dark(page)


async def test_a_theme_that_is_chosen_is_kept(open_page: OpenPage, service: Service) -> None:
    """Light, dark, as the system; the button says which, also to those who hear it."""
    page = await open_page(service.url, color_scheme="dark")
    button = page.locator("#theme-button")
    await looked(page, "header")
    await button.click()
    await expect(button).to_have_accessible_name("Colours: light")
    assert not await dark(page)
    await page.reload()
    assert not await dark(page)
    await expect(button).to_have_accessible_name("Colours: light")
    await button.click()
    await expect(button).to_have_accessible_name("Colours: dark")
    assert await dark(page)
    await button.click()
    await expect(button).to_have_accessible_name("Colours: as the system has them")
    assert await dark(page)


async def test_a_narrow_screen_has_nothing_beside_it(open_page: OpenPage, service: Service) -> None:
    """390 pixels: no view is wider, nothing that is not cut off reaches over the edge."""
    page = await open_page(service.url, viewport=PHONE, has_touch=True, is_mobile=True)
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for tab in await page.get_by_role("tab").all():
        await expect(tab).to_be_in_viewport(ratio=0.9)
    # What the form is for is seen without scrolling it, also where the browser takes a part.
    await page.set_viewport_size({"width": PHONE["width"], "height": 620})
    for button in ("Look now", "Hand in as a job"):
        await expect(page.get_by_role("button", name=button)).to_be_in_viewport(ratio=1)
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await looked(page)

    for view in VIEWS:
        await page.locator(f"#tab-{view}").click()
        await expect(page.locator(f"#view-{view}")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        wide = await page.locator(f"#view-{view}").evaluate(
            "(it) => it.scrollWidth - it.clientWidth"
        )
        assert wide <= 0, view
        assert await page.evaluate(BEYOND) == [], view
    await page.locator("#tab-pictures").click()
    await records(page).first.click()
    box = await page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]


async def test_who_wants_nothing_to_move_sees_nothing_move(
    open_page: OpenPage, service: Service
) -> None:
    """No animation and no transition runs, not while it is running either."""
    page = await open_page(service.url, reduced_motion="reduce")
    await name(page, "pictures.tsv")
    await look(page)
    await expect(page.locator("#tally-dot")).to_be_visible()
    assert await page.evaluate("document.getAnimations().length") == 0
    await ended(page)
    for view in VIEWS:
        await page.locator(f"#tab-{view}").click()
        assert await page.evaluate("document.getAnimations().length") == 0
