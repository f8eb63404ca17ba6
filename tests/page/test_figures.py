"""What the pictures are like: bars, words, and rows a second."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import ended, look, name, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary
from tests.page.services import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Format, mode, dimension, bytes and milliseconds of rows.
ROWS = (
    ("JPEG", "RGB", [100, 80], 500, 2.0),
    ("JPEG", "RGB", [300, 300], 2_000, 12.0),
    ("JPEG", "L", [300, 700], 20_000, 12.0),
    ("PNG", "RGBA", [500, 400], 50_000, 40.0),
    ("GIF", "P", [9000, 10], 2_000_000, 4_000.0),
)


def lines() -> list[dict[str, Any]]:
    """A line for each, one that repeats a URL, and one that failed."""
    told = []
    for index, (kind, mode, dimension, size, ms) in enumerate(ROWS):
        line = image(index)
        line["image_info"] |= {
            "image_format": kind,
            "image_mode": mode,
            "image_dimension": dimension,
            "image_size": size,
            "animated": kind == "GIF",
        }
        line["fetch"] |= {"ms": ms, "bytes": min(size, 16_384)}
        told.append(line)
    again = image(len(ROWS))
    again["image_info"] = told[0]["image_info"]
    again["fetch"] = {**told[0]["fetch"], "same_as": 0, "ms": 0, "bytes": 0, "requests": 0}
    error = {"code": "timeout", "stage": "fetch", "message": "no", "retryable": True}
    lost = image(len(ROWS) + 1, image_info=None, error=error)
    lost["fetch"] |= {"ms": 30_000.0, "bytes": 0}
    return [*told, again, lost]


async def shown(page: Page, figure: str) -> list[tuple[str, str]]:
    """The bars of a card: their words and rows."""
    bars = page.locator(f'[data-figure="{figure}"] .bars-row')
    await expect(bars.first).to_be_visible()
    return [
        (
            await bar.locator(".bars-words").inner_text(),
            await bar.locator(".bars-rows").inner_text(),
        )
        for bar in await bars.all()
    ]


async def opened(open_page: OpenPage, replayed: Replayed, **options: Any) -> Page:
    """The figures of these lines."""
    replayed.say(start(), *lines(), summary(len(ROWS) + 2, 1))
    page = await open_page(replayed.url, **options)
    await write(page, "http://pictures.invalid/1.jpg")
    await look(page)
    await ended(page)
    await page.get_by_role("tab", name="Figures").click()
    return page


async def test_rows_are_counted_in_bars_and_words(open_page: OpenPage, replayed: Replayed) -> None:
    """Edges belong to the higher bar; what repeats a URL took no time, what failed did."""
    page = await opened(open_page, replayed)

    assert await shown(page, "formats") == [("JPEG", "4"), ("PNG", "1"), ("GIF", "1")]
    assert (await shown(page, "side"))[:4] == [
        ("64 – 128 px", "2"),
        ("128 – 256 px", "0"),
        ("256 – 384 px", "1"),
        ("384 – 512 px", "1"),
    ]
    assert (await shown(page, "side"))[-1] == ("8,192 px and more", "1")
    assert await shown(page, "bytes") == [
        ("300 B – 1 kB", "2"),
        ("1 – 3 kB", "1"),
        ("3 – 10 kB", "0"),
        ("10 – 30 kB", "1"),
        ("30 – 100 kB", "1"),
        ("100 – 300 kB", "0"),
        ("300 kB – 1 MB", "0"),
        ("1 – 3 MB", "1"),
    ]
    times = dict(await shown(page, "ms"))
    assert (times["under 3 ms"], times["10 – 30 ms"], times["30 s – 1 min"]) == ("1", "2", "1")
    assert sum(int(rows) for rows in times.values()) == len(ROWS) + 1
    assert ("RGB", "3") in await shown(page, "modes")
    # And in words: medians are values that are there; what ranges saved counts fetched files.
    side = page.locator('[data-figure="side"] .figures-says')
    await expect(side).to_contain_text("Half are up to 300 px, 95 % up to 9,000 px")
    await expect(side).to_contain_text(
        re.compile("66.7\xa0% landscape, 16.7\xa0% portrait, 16.7\xa0% square")
    )
    totals = page.locator(".figures-totals")
    await expect(totals).to_contain_text("7: 6 ok, 1 failed")
    await expect(totals).to_contain_text("2.1 MB in 6 files whose size is known")
    # 2,072,500 bytes in five files, of which 500 + 2,000 + 3 times 16,384 were received.
    await expect(totals).to_contain_text("2 MB, 97.5 % of 5 files")
    await expect(page.locator('[data-figure="formats"]')).to_contain_text("1 picture animated")


async def test_a_bar_leads_to_its_records(open_page: OpenPage, replayed: Replayed) -> None:
    """As many as it says."""
    page = await opened(open_page, replayed)

    bars = (("formats", "JPEG", 4), ("bytes", "1 – 3 MB", 1), ("ms", "10 – 30 ms", 2))
    for figure, words, rows in (*bars, ("side", "64", 2)):
        card = page.locator(f'[data-figure="{figure}"]')
        await card.get_by_role("button", name=words).click()
        await expect(page.locator("#view-pictures .count"), figure).to_have_text(f"{rows} of 7")
        await page.get_by_role("tab", name="Figures").click()


async def test_the_rate_is_drawn_and_told(open_page: OpenPage, replayed: Replayed) -> None:
    """A chart of five seconds and more, and the same in words; another theme draws it again."""
    go_on = asyncio.Event()
    replayed.say(start(), *lines(), go_on, summary(len(ROWS) + 2, 1))
    page = await open_page(replayed.url, color_scheme="dark")
    await write(page, "http://pictures.invalid/1.jpg")
    await look(page)
    await page.get_by_role("tab", name="Figures").click()
    await expect(page.locator(".figures-totals")).to_contain_text("7: 6 ok, 1 failed")
    chart = page.locator(".rate-chart")
    await expect(chart).to_be_hidden()
    await expect(page.locator("#count-time")).to_have_text(re.compile(r"^([6-9]|\d\d)\b"))
    go_on.set()
    await ended(page)

    await expect(chart).to_have_attribute("aria-label", re.compile(r"Rows a second in .* average"))
    await expect(chart.locator("canvas")).to_have_count(1)
    await page.emulate_media(color_scheme="light")
    await expect(chart.locator("canvas")).to_have_count(1)
    await page.locator("#theme-button").click()
    await expect(chart.locator("canvas")).to_have_count(1)


async def test_what_a_job_took_is_not_what_reading_it_back_took(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Its last line tells; when its rows came nobody can tell here, so no chart does."""
    last = summary(4) | {"seconds": 20.0}
    told, path = (
        [start() | {"job": "1-0"}, *(image(row) for row in range(4)), last],
        "/api/v1/jobs/1-0",
    )
    replayed.say(*told, method="GET", path=f"{path}/results")
    replayed.tell({"id": "1-0", "rows": {"total": 4, "expected": 4}, "released": None}, path=path)
    page = await open_page(f"{replayed.url}/?job=1-0")
    await ended(page)

    await expect(page.locator("#count-time")).to_have_text("20 s")
    await expect(page.locator("#count-rate")).to_have_text("0.2")
    await page.get_by_role("tab", name="Figures").click()
    await expect(page.locator(".figures-totals")).to_contain_text("4: 4 ok, 0 failed")
    await expect(page.locator(".rate-chart")).to_be_hidden()


async def test_figures_of_predictions(page: Page, service: Service) -> None:
    """A real run of a predictor: there are no facts, but flags, where it sets some."""
    await name(page, "pictures.tsv")
    await page.locator("#limit").fill("40")
    await look(page, "predict")
    await ended(page)
    await page.get_by_role("tab", name="Figures").click()

    await expect(page.locator(".figures-totals")).to_contain_text("ok")
    await expect(page.locator('[data-figure="formats"]')).to_be_hidden()


async def test_nothing_yet(open_page: OpenPage, replayed: Replayed) -> None:
    """Before a list, and of one without rows."""
    page = await open_page(replayed.url)
    await page.get_by_role("tab", name="Figures").click()
    empty = page.locator("#view-figures .empty")
    await expect(empty).to_contain_text("Drop a list above.")
    replayed.say(start(), summary(0))
    await write(page, "http://pictures.invalid/1.jpg")
    await look(page)
    await ended(page)
    await page.get_by_role("tab", name="Figures").click()
    await expect(empty).to_have_text("No rows.")
