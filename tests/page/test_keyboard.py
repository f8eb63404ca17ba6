"""The page without a mouse."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.page.acting import ended, look, records, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = 300
VIEWS = ("pictures", "failures", "figures", "duplicates", "jobs")
#: What has the focus: its own words, its label, or its id.
FOCUSED = """() => {
    const at = document.activeElement;
    if (at === document.body) return null;
    return at.id || at.getAttribute("aria-label") || at.textContent.trim();
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def full(open_page: OpenPage, replayed: Replayed) -> Page:
    """The page with records, the focus nowhere."""
    replayed.say(start(), *(image(row) for row in range(ROWS)), summary(ROWS))
    replayed.tell({"jobs": [], "next": None})
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await ended(page)
    await expect(records(page).first).to_be_visible()
    return page


def row(page: Page, at: int) -> Locator:
    """The row at this place of the list."""
    return page.locator(f'#view-pictures [role="row"][aria-rowindex="{at + 1}"]:not([hidden])')


async def walked(page: Page, steps: int = 60) -> list[str]:
    """Everything that Tab leads to from the top, until it leaves the page."""
    await page.locator(".skip").focus()
    found: list[str] = []
    for _ in range(steps):
        at = await page.evaluate(FOCUSED)
        if at is None:
            break
        found.append(str(at))
        await page.keyboard.press("Tab")
    return found


async def test_tab_leads_to_all_that_can_be_done_with_a_new_page(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """From above to below, each once."""
    page = await open_page(replayed.url)

    found = await walked(page)

    wanted = [
        "Skip to what was found",
        "Imagecensus",
        "tab-pictures",
        "theme-button",
        "API",
        "list",
    ]
    wanted += ["Choose a file…", "path", "kind", "what", "limit", "Hand in as a job", "Look now"]
    assert found == wanted


async def test_tab_leads_to_all_that_can_be_done_with_records(full: Page) -> None:
    """The bar, the columns, and the list as one stop, however long it is."""
    found = await walked(full)

    wanted = ["New list", "tally-save", "Search ids and URLs", "Outcome", "Error", "Format"]
    wanted += ["What stands out", "Order", "Wall", "row", "id and URL", "pixels", "result"]
    assert [one for one in found if one in wanted] == wanted
    assert (
        await full.evaluate(
            "document.querySelectorAll('.list [role=row][tabindex=\"0\"]:not([hidden])').length"
        )
        == 1
    )
    assert len(found) < 35

    # What has the focus shows it: an outline around each stop.
    await full.locator(".skip").focus()
    for _ in range(22):
        await full.keyboard.press("Tab")
        style = await full.evaluate(
            "() => { const s = getComputedStyle(document.activeElement);"
            " return [document.activeElement.id, s.outlineStyle, parseFloat(s.outlineWidth)] }"
        )
        assert style[1] != "none", style
        assert style[2] >= 1, style


async def test_the_arrows_move_in_the_list_and_enter_opens(full: Page) -> None:
    """Down, up, a page, the ends; the record opens and closes, and the focus is back."""
    await row(full, 0).focus()
    press = full.keyboard.press
    await press("ArrowDown")
    await press("ArrowDown")
    await expect(row(full, 2)).to_be_focused()
    await press("ArrowUp")
    await expect(row(full, 1)).to_be_focused()
    await press("Home")
    await press("ArrowUp")
    await expect(row(full, 0)).to_be_focused()
    await press("PageDown")
    there = int(await full.evaluate("document.activeElement.ariaRowIndex"))
    assert 3 < there < 40
    await press("PageUp")
    await expect(row(full, 0)).to_be_focused()
    await press("End")
    await expect(row(full, ROWS - 1)).to_be_focused()
    await expect(row(full, ROWS - 1)).to_contain_text(f"http://pictures.invalid/{ROWS - 1}.jpg")
    await press("ArrowDown")
    await expect(row(full, ROWS - 1)).to_be_focused()

    await press("Enter")
    dialog = full.get_by_role("dialog")
    await expect(dialog.get_by_role("heading").first).to_have_text(f"Row {ROWS - 1} · {ROWS - 1}")
    await press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(row(full, ROWS - 1)).to_be_focused()
    await press(" ")
    await expect(dialog).to_be_visible()
    await press("Escape")

    # After it was scrolled by mouse the row that had the focus is out of sight: it is gone back to.
    await press("Home")
    await row(full, 0).focus()
    grid = full.get_by_role("grid", name="Records")
    await grid.evaluate("(list) => { list.scrollTop = list.scrollHeight }")
    await expect(row(full, ROWS - 1)).to_be_visible()
    await expect(grid).to_be_focused()

    await full.keyboard.press("ArrowDown")
    await expect(row(full, 0)).to_be_focused()


async def test_the_arrows_lead_to_every_picture_of_the_wall(full: Page) -> None:
    """Left and right too, on to the row beside; Enter opens the one that is outlined."""
    await full.get_by_role("button", name="Wall").click()
    await expect(row(full, 0).locator(".tile").first).to_be_visible()
    across = await row(full, 0).locator(".tile").count()
    assert across > 2
    here = full.locator("#view-pictures .tile.here")
    await row(full, 0).focus()

    async def shows(at: int) -> None:
        """The outline stands at this record, and Enter opens it."""
        await expect(here).to_have_count(1)
        await expect(here).to_have_attribute("title", f"{at} http://pictures.invalid/{at}.jpg")
        assert await here.evaluate("(tile) => getComputedStyle(tile).outlineStyle") == "solid"
        await expect(row(full, at // across)).to_be_focused()
        await full.keyboard.press("Enter")
        await expect(full.get_by_role("dialog")).to_contain_text(f"Row {at} · {at}")
        await full.keyboard.press("Escape")

    await full.keyboard.press("ArrowRight")
    await shows(1)
    await full.keyboard.press("ArrowDown")
    await shows(across + 1)
    await full.keyboard.press("ArrowLeft")
    await full.keyboard.press("ArrowLeft")
    await shows(across - 1)
    await full.keyboard.press("ArrowRight")
    await shows(across)
    await full.keyboard.press("Home")
    await full.keyboard.press("ArrowLeft")
    await full.keyboard.press("ArrowLeft")
    await expect(row(full, 0)).to_be_focused()


async def test_arrows_move_between_tabs(full: Page) -> None:
    """Each shows its view; from the last to the first and back; Home and End."""
    await full.locator("#tab-pictures").focus()
    for view in (*VIEWS[1:], VIEWS[0]):
        await full.keyboard.press("ArrowRight")
        await expect(full.locator(f"#tab-{view}")).to_be_focused()
        await expect(full.locator(f"#tab-{view}")).to_have_attribute("aria-selected", "true")
        await expect(full.locator(f"#view-{view}")).to_be_visible()
        assert full.url.endswith(f"#{view}")
    await full.keyboard.press("ArrowLeft")
    await expect(full.locator("#view-jobs")).to_be_visible()
    await full.keyboard.press("Home")
    await expect(full.locator("#view-pictures")).to_be_visible()
    await full.keyboard.press("End")
    await expect(full.locator("#view-jobs")).to_be_visible()
    assert await full.locator('[role="tab"][tabindex="0"]').count() == 1


async def test_enter_in_a_field_looks(open_page: OpenPage, replayed: Replayed) -> None:
    """As forms do."""
    replayed.say(start(), image(0), summary(1))
    page = await open_page(replayed.url)
    await page.locator("#path").fill("images.tsv")
    await page.keyboard.press("Enter")

    await ended(page)
    await expect(records(page)).to_have_count(1)
