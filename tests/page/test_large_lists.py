"""Lists that no field could hold, and answers that no screen could."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import ended, look, records, texts, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, line_of, start, summary

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINE = "0123456789\thttp://pictures.invalid/some/where/that/is/not/near/picture.jpg\n"
LINES = 50_000_000 // len(LINE) + 1
#: Pastes so many lines; tells how long nothing else was done at most, and what the field had then.
PASTE = """async ([line, lines]) => {
    const field = document.getElementById("list");
    const data = new DataTransfer();
    data.setData("text/plain", line.repeat(lines));
    const event = { clipboardData: data, bubbles: true, cancelable: true };
    const beat = async (until) => {
        let [longest, last] = [0, performance.now()];
        while (!until()) {
            await new Promise((resolve) => setTimeout(resolve));
            longest = Math.max(longest, performance.now() - last);
            last = performance.now();
        }
        return longest;
    };
    const beating = beat(() => document.querySelector(".held"));
    const begun = performance.now();
    const kept = field.dispatchEvent(new ClipboardEvent("paste", event));
    return [Math.max(performance.now() - begun, await beating), kept, field.value.length];
}"""
#: Far more than it takes; a field that is given so much text is at it for longer.
MOST_MS = 3000


async def test_a_paste_of_50_mb_is_held_and_sent(open_page: OpenPage, replayed: Replayed) -> None:
    """It does not go into the field, the page lives on meanwhile, and every byte is sent."""
    replayed.say(start(), image(0), summary(1))
    page = await open_page(replayed.url)

    blocked_ms, put_in, length = await page.evaluate(PASTE, [LINE, LINES])

    assert (put_in, length) == (False, 0)
    assert blocked_ms < MOST_MS
    await expect(page.locator(".held")).to_contain_text(f"{LINES:,} pasted lines")
    await look(page, "header")
    assert await ended(page) == "Complete: 100 % ok"
    (asked,) = replayed.asked
    assert asked.size == LINES * len(LINE)
    assert asked.sha256 == hashlib.sha256((LINE * LINES).encode()).hexdigest()
    assert asked.headers["Content-Type"] == "text/tab-separated-values"


#: Two batches, where there is room for a row: what is held of them, and what is saved.
NO_ROOM = """async () => {
    const { Census } = await import("/static/census/census.js");
    const { Records } = await import("/static/census/records.js");
    const full = Object.getOwnPropertyDescriptor(Records.prototype, "full");
    Object.defineProperty(Records.prototype, "full", {
        configurable: true,
        get() { return this.length >= 1; },
    });
    try {
        const path = "/api/v1/batch_predict";
        const census = new Census({ path, method: "POST", headers: {}, body: "x" });
        await census.run();
        const { records, tally } = census;
        return [tally.rows, records.length, records.notKept, await census.save().text()];
    } finally {
        Object.defineProperty(Records.prototype, "full", full);
    }
}"""


async def test_of_batches_behind_the_last_row_that_is_held_nothing_is(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """They are counted; saved, they would be lines without rows."""
    batches: list[dict[str, Any]] = [
        {"type": "batch", "batch": at, "rows": [{"index": 2 * at}, {"index": 2 * at + 1}]}
        for at in range(3)
    ]
    replayed.say(start(), *batches, summary(6), path="/api/v1/batch_predict")
    page = await open_page(replayed.url)

    *counts, saved = await page.evaluate(NO_ROOM)

    assert counts == [6, 1, 5]
    lines = [json.loads(line) for line in saved.splitlines()]
    assert [line["type"] for line in lines] == ["start", "batch", "summary"]
    assert lines[1]["rows"] == [{"index": 0}]


async def opened(page: Page) -> None:
    """Ask for whatever it is."""
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)


async def test_thirty_thousand_rows_are_a_few_elements(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """All are counted and can be gone to; only those in sight are there."""
    rows = 30_000
    replayed.say(start(), *parts(rows), summary(rows))
    page = await open_page(replayed.url)
    await opened(page)
    await ended(page)

    grid = page.get_by_role("grid", name="Records")
    await expect(grid).to_have_attribute("aria-rowcount", str(rows))
    for share in (0.25, 0.5, 0.75, 1):
        await grid.evaluate(
            "(list, share) => { list.scrollTop = list.scrollHeight * share }", share
        )
        at = min(int(rows * share) + 5, rows - 1)
        await expect(page.locator(f'[role="row"][aria-rowindex="{at + 1}"] .url')).to_have_text(
            f"http://pictures.invalid/{at}.jpg"
        )
        seen = [int(text) for text in await texts(page)]
        assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert await page.evaluate("document.querySelectorAll('*').length") < 2500
    await page.get_by_role("searchbox").fill("/29999.")
    await expect(records(page)).to_have_count(1)


def parts(rows: int) -> Iterator[bytes]:
    """So many lines, many at a time, as a fast service sends them."""
    step = 500
    for begin in range(0, rows, step):
        yield b"".join(line_of(image(row)) for row in range(begin, min(begin + step, rows)))


async def testline_ofs_that_come_in_any_pieces_are_the_same(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Cut within a line, within a sign of several bytes, and between two lines."""
    lines = b"".join(
        line_of(line)
        for line in (start(), *(image(row, id=f"é😀{row}") for row in range(40)), summary(40))
    )
    replayed.say(*pieces(lines))
    page = await open_page(replayed.url, viewport={"width": 1280, "height": 3000})
    await opened(page)

    assert await ended(page) == "Complete: 100 % ok"
    await expect(records(page)).to_have_count(40)
    assert await texts(page) == [f"é😀{row}" for row in range(40)]


def pieces(lines: bytes) -> Iterator[bytes]:
    """Of lengths that have nothing to do with its lines."""
    at, length = 0, 1
    while at < len(lines):
        yield lines[at : at + length]
        at += length
        length = length * 7 % 509 + 1


async def test_a_stream_that_stalls_leaves_the_page_as_it_is(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Half a line came: nothing of it is shown, the rest is, and it can be searched."""
    go_on = asyncio.Event()
    line = line_of(image(2))
    replayed.say(start(), image(0), image(1), line[:40], go_on, line[40:], summary(3))
    page = await open_page(replayed.url)
    await opened(page)
    await expect(records(page)).to_have_count(2)
    await page.get_by_role("searchbox").fill("invalid/1")
    await expect(records(page)).to_have_count(1)
    await page.get_by_role("searchbox").fill("")
    go_on.set()

    await ended(page)
    await expect(records(page)).to_have_count(3)
