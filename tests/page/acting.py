"""What somebody does on the page, and waits for."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Locator, Page, expect

__all__ = [
    "PATIENCE_MS",
    "again",
    "choose",
    "ended",
    "look",
    "name",
    "records",
    "texts",
    "write",
]

#: Whatever a test waits for comes long before; a bug must fail it, not hang it.
PATIENCE_MS = 30_000
#: How the strip of numbers tells that a census is over, one way or another.
OVER = re.compile(
    r"^(Complete|Not complete|Cut off after|Stopped|The service refused|Nothing was sent)"
)


async def write(page: Page, text: str) -> None:
    """Have this text in the field of the list."""
    await page.locator("#list").fill(text)


async def name(page: Page, manifest: str) -> None:
    """Name a file below the data root."""
    await page.locator("#path").fill(manifest)


async def choose(page: Page, *files: Path) -> None:
    """Choose a file of this machine."""
    await page.locator("#file").set_input_files(list(files))


async def look(page: Page, what: str | None = None) -> None:
    """Ask for it: `thumbnails`, `header`, `full` or `predict`."""
    if what is not None:
        await page.locator("#what").select_option(what)
    # `ended` does not take what is said of the list before for what is said of this one.
    await page.locator("#tally-state").evaluate("(state) => state.replaceChildren()")
    await page.get_by_role("button", name="Look now").click()


async def again(page: Page) -> None:
    """Another list, where one was looked at."""
    await page.locator(".brief").get_by_role("button", name="New list").click()


async def ended(page: Page) -> str:
    """What the page says once the census is over."""
    state = page.locator("#tally-state")
    await expect(state).to_have_text(OVER, timeout=PATIENCE_MS)
    return await state.inner_text()


def records(page: Page) -> Locator:
    """The records that are drawn, those in sight and a few beside."""
    return page.locator("#view-pictures .list-item:not([hidden]) .record")


async def texts(page: Page, part: str = ".name > span:first-child") -> list[str]:
    """A part of each record that is drawn, by default its id, from above to below."""
    drawn = await page.locator("#view-pictures .list-item:not([hidden])").evaluate_all(
        """(items, part) => items
            .filter((item) => item.querySelector(part))
            .sort((one, other) => one.at - other.at)
            .map((item) => item.querySelector(part).textContent)""",
        part,
    )
    return [str(text) for text in drawn]
