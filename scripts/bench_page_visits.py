"""How long it takes until the page can be used, over a line that is not short."""

import time

from playwright.async_api import Browser, Page

__all__ = ["visits"]

#: From one's own desk to a service on another continent.
LATENCY_MS = 200
BYTES_PER_SECOND = 2_500_000


async def visits(chromium: Browser, url: str) -> dict[str, float]:
    """By somebody who has nothing of it yet, and the same who comes again."""
    context = await chromium.new_context()
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    line = {
        "offline": False,
        "latency": LATENCY_MS,
        "downloadThroughput": BYTES_PER_SECOND,
        "uploadThroughput": BYTES_PER_SECOND,
    }
    await session.send("Network.emulateNetworkConditions", line)
    figures = {}
    for visit in ("first visit", "next visit"):
        figures[f"{visit}, {LATENCY_MS} ms away, until the form is there, ms"] = await _visit(
            page, url
        )
        await page.goto("about:blank")
    await context.close()
    return figures


async def _visit(page: Page, url: str) -> float:
    began = time.perf_counter()
    await page.goto(url, wait_until="commit")
    await page.locator("#path").wait_for()
    return 1000 * (time.perf_counter() - began)
