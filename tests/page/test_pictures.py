"""The list of records: what is searched, narrowed and sorted by, saved, drawn as a wall."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.page.acting import choose, ended, look, name, records, texts, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = 400
CODES = ("http_status", "timeout", "dns_not_found")
Record = dict[str, Any]


def made() -> list[Record]:
    """Records of all kinds, in an order of their own."""
    dice = random.Random(7)
    lines = []
    for row in range(ROWS):
        line = image(row, id=f"{dice.choice(['Cat', 'dog', 'Élan'])}-{row:03}")
        line["url"] = f"http://h{row % 3}.invalid/{dice.randrange(10**6)}.JPG"
        line["fetch"] = line["fetch"] | {"ms": dice.randrange(9000) / 10}
        info = line["image_info"] | {
            "image_size": dice.randrange(10**6),
            "image_dimension": [dice.randrange(1, 4000), dice.randrange(1, 4000)],
            "image_format": dice.choice(["JPEG", "PNG", "WEBP", "GIF"]),
        }
        if row % 5 == 0:
            code = dice.choice(CODES)
            line["image_info"] = None
            line["error"] = {
                "code": code,
                "stage": "fetch",
                "message": "it was not to be had",
                "retryable": code == "timeout",
            }
            if code == "http_status":
                line["error"]["http_status"] = dice.choice([404, 503])
        else:
            info["animated"] = info["image_format"] == "GIF"
            line["image_info"] = info
        lines.append(line)
    dice.shuffle(lines)
    return lines


LINES = made()
#: The row at the upper edge of a list, below what is the head of its columns.
UPPERMOST = """(list) => {
    const box = list.getBoundingClientRect();
    const first = list.firstElementChild;
    const above = first.matches(".list-size") ? 0 : first.offsetHeight;
    return document.elementFromPoint(box.x + 20, box.y + above + 8).closest(".list-item").at;
}"""


def failed(line: Record) -> bool:
    """Whether it is of a row without a picture."""
    return "error" in line


def pixels(line: Record) -> int:
    """Of the picture; of none, none."""
    info = line["image_info"]
    return int(info["image_dimension"][0] * info["image_dimension"][1]) if info else 0


def format_of(line: Record) -> str:
    """Of the picture; of none, none."""
    return str(line["image_info"]["image_format"]) if line["image_info"] else ""


def code_of(line: Record) -> str:
    """Of the error; of none, none."""
    return str(line["error"]["code"]) if failed(line) else ""


@pytest_asyncio.fixture(loop_scope="session")
async def full(open_page: OpenPage, replayed: Replayed) -> Page:
    """The page with all of them."""
    replayed.say(start(), *LINES, summary(ROWS, ROWS // 5))
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await ended(page)
    return page


async def shows(page: Page, wanted: list[Record], why: str = "") -> None:
    """Wait until exactly these are what is to be seen, in this order."""
    count = page.locator("#view-pictures output")
    await expect(count, why).to_have_text(f"{len(wanted)} of {ROWS}")
    ids = [line["id"] for line in wanted]
    seen: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while not (seen and seen == ids[: len(seen)]) and (ids or seen):
                await asyncio.sleep(0.02)
                seen = await texts(page)
    assert seen == ids[: len(seen)], why
    assert len(seen) >= min(len(ids), 8), why


async def test_rows_are_shown_as_they_came(full: Page) -> None:
    """Only what is in sight is there, with as much to scroll as there is; down, and up again."""
    await shows(full, LINES)
    assert await records(full).count() < 60
    grid = full.get_by_role("grid", name="Records")
    await expect(grid).to_have_attribute("aria-rowcount", str(ROWS))
    await grid.evaluate("(list) => { list.scrollTop = list.scrollHeight }")
    await expect(grid.get_by_role("row").filter(has_text=LINES[-1]["id"])).to_be_visible()
    assert (await texts(full))[-1] == LINES[-1]["id"]
    await grid.evaluate("(list) => { list.scrollTop = 0 }")
    await shows(full, LINES)


async def test_search_is_in_ids_and_urls_in_any_case(full: Page) -> None:
    """The rows that Python finds in the same lines."""
    for wanted in ("cat", "CAT-1", "élan", "h2.inv", ".jpg", "9", "nowhere"):
        await full.get_by_role("searchbox").fill(wanted)

        low = wanted.lower()
        found = [line for line in LINES if low in f"{line['id']}\n{line['url']}".lower()]
        await shows(full, found, wanted)


async def test_filters_narrow_together_and_are_taken_away(full: Page) -> None:
    """Outcome, error, format, mark, and the search with them."""
    choose = full.get_by_label
    await choose("Outcome").select_option("ok")
    await shows(full, [line for line in LINES if not failed(line)])
    await choose("Format").select_option("PNG")
    await shows(full, [line for line in LINES if format_of(line) == "PNG"])
    await full.get_by_role("searchbox").fill("dog")
    await shows(full, [x for x in LINES if format_of(x) == "PNG" and "dog" in x["id"]])
    await full.get_by_role("searchbox").fill("")
    await choose("Format").select_option("")
    await choose("Outcome").select_option("failed")
    await shows(full, [line for line in LINES if failed(line)])
    await choose("Error", exact=True).select_option("timeout")
    await shows(full, [line for line in LINES if code_of(line) == "timeout"])
    await choose("Error", exact=True).select_option("")
    await choose("Outcome").select_option("")
    await choose("What stands out").select_option("mark:animated")
    await shows(full, [line for line in LINES if format_of(line) == "GIF"])
    await choose("What stands out").select_option("mark:retryable")
    await shows(full, [line for line in LINES if code_of(line) == "timeout"])
    await choose("What stands out").select_option("mark:placeholder")
    await shows(full, [])
    await choose("What stands out").select_option("")
    await shows(full, LINES)


SORTS = {
    "index": lambda line: line["index"],
    "id": lambda line: line["id"],
    "url": lambda line: line["url"],
    "format": format_of,
    "pixels": pixels,
    "bytes": lambda line: line["image_info"]["image_size"] if line["image_info"] else -1,
    "ms": lambda line: line["fetch"]["ms"],
    "code": code_of,
}


async def test_what_is_sorted_by_is_in_order(full: Page) -> None:
    """Equal ones as they came, as Python sorts them."""
    for by, key in SORTS.items():
        await full.get_by_label("Order").select_option(by)

        await shows(full, sorted(LINES, key=key), by)


async def test_a_click_on_a_column_sorts_and_another_turns_it(full: Page) -> None:
    """Said to those who do not see it too; what is narrowed stays so."""
    await full.get_by_label("Outcome").select_option("ok")
    kept = [line for line in LINES if not failed(line)]
    head = full.get_by_role("columnheader", name="pixels")
    await head.get_by_role("button").click()
    await shows(full, sorted(kept, key=pixels))
    await expect(head).to_have_attribute("aria-sort", "ascending")
    await head.get_by_role("button").click()
    await shows(full, sorted(kept, key=lambda line: -pixels(line)))
    await expect(head).to_have_attribute("aria-sort", "descending")


async def test_a_list_that_grows_in_order_stays_in_order(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """What comes later stands where it belongs."""
    go_on = asyncio.Event()
    half = ROWS // 2
    replayed.say(start(), *LINES[:half], go_on, *LINES[half:], summary(ROWS))
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await page.get_by_label("Order").select_option("bytes")
    await expect(page.locator("#view-pictures output")).to_have_text(f"{half} of {half}")
    go_on.set()
    await ended(page)

    await shows(page, sorted(LINES, key=SORTS["bytes"]))


async def test_the_wall_shows_the_same(full: Page) -> None:
    """As tiles; a tile opens its record."""
    await full.get_by_role("button", name="Wall").click()
    tiles = full.locator("#view-pictures .list-item:not([hidden]) .tile")
    await expect(tiles.first.locator(".under")).to_contain_text(LINES[0]["id"])
    await tiles.nth(1).click()
    await expect(full.get_by_role("dialog")).to_contain_text(f"· {LINES[1]['id']}")
    await full.keyboard.press("Escape")
    await full.get_by_role("button", name="List", exact=True).click()
    await shows(full, LINES)


async def test_the_record_at_the_upper_edge_stays_there(full: Page) -> None:
    """A phone is turned, a window made wider, the list a wall and a list again."""
    grid = full.get_by_role("grid", name="Records")
    here = full.locator("#view-pictures .list-item:not([hidden])").filter(has_text=LINES[200]["id"])
    await grid.evaluate("(list) => { list.scrollTop = 200 * 60 }")
    await expect(here).to_be_in_viewport()
    for width, height in ((390, 844), (844, 390), (390, 844), (1280, 720)):
        await full.set_viewport_size({"width": width, "height": height})
        await expect(here).to_be_in_viewport()
    for name_of_other in ("Wall", "List", "Wall"):
        await full.get_by_role("button", name=name_of_other, exact=True).click()
        await expect(here).to_be_in_viewport()
    await full.set_viewport_size({"width": 390, "height": 844})
    await expect(here).to_be_in_viewport()

    # In the list it is the uppermost again, however often it was turned; also while it was hidden.
    await full.get_by_role("button", name="List", exact=True).click()
    for _ in range(3):
        for width, height in ((844, 390), (390, 844)):
            await full.set_viewport_size({"width": width, "height": height})
            await expect(here).to_be_in_viewport()
    assert await grid.evaluate(UPPERMOST) == 200
    await full.locator("#tab-failures").click()
    await full.set_viewport_size({"width": 1280, "height": 720})
    await full.locator("#tab-pictures").click()
    await expect(here).to_be_in_viewport()
    assert await grid.evaluate(UPPERMOST) == 200


async def test_the_wall_is_built_where_it_can_be_seen(full: Page) -> None:
    """Turned while another view is shown, or begun there, its tiles are as large as ever."""
    await full.set_viewport_size({"width": 390, "height": 844})
    await full.get_by_role("button", name="Wall").click()
    tile = full.locator("#view-pictures .list-item:not([hidden]) .tile").first
    await expect(tile).to_be_visible()
    box = await tile.bounding_box()
    assert box
    assert box["height"] > 80
    await full.locator("#tab-figures").click()
    for width, height in ((844, 390), (390, 844)):
        await full.set_viewport_size({"width": width, "height": height})
    await full.locator("#tab-pictures").click()
    await expect(tile).to_be_visible()
    assert await tile.bounding_box() == box


async def test_what_is_saved_are_the_lines_byte_for_byte(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """With what no writer of JSON would write again: spaces, escapes, numbers, the order."""
    odd = [
        b'{ "type":"image","index": 0,"id":"a","url":"\\u0068ttp://x.invalid/\\ud83d\\ude00",'
        b'"image_info":null,"error":{"code":"timeout","stage":"fetch","message":"\\u2028",'
        b'"retryable":true},"fetch":null, "more": 1.0e2 }',
        b'{"index":1,"type":"image","id":"\xf0\x9f\x98\x80","url":"http://x.invalid/",'
        b'"image_info":{"image_size":12345678901234567890},"fetch":null}',
    ]
    first, last = start(manifest="../a b/liste.tsv"), summary(2, 1)
    replayed.say(first, *(line + b"\n" for line in odd), {"type": "progress", "rows": 2}, last)
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await ended(page)

    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Save NDJSON").click()
    download = await saving.value
    saved = (await download.path()).read_bytes()
    assert download.suggested_filename == "liste.ndjson"
    begins, *kept, ends = saved.removesuffix(b"\n").split(b"\n")
    assert kept == odd
    assert json.loads(begins) == first
    assert json.loads(ends) == last


async def test_what_is_saved_is_named_after_the_file(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """The service is told its lines only, and calls each list an upload."""
    (tmp_path / "Autumn list.csv").write_text("url\nhttp://pictures.invalid/0.jpg\n")
    replayed.say(start(manifest="upload"), image(0), summary(1))
    page = await open_page(replayed.url)
    await choose(page, tmp_path / "Autumn list.csv")
    await look(page)
    await ended(page)

    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Save NDJSON").click()
    assert (await saving.value).suggested_filename == "Autumn-list.ndjson"


async def test_what_is_saved_of_a_real_stream_is_what_curl_has(page: Page) -> None:
    """A line for each row, each a whole record, and the summary."""
    await name(page, "pictures.tsv")
    await page.locator("#limit").fill("40")
    await look(page)
    await ended(page)

    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Save NDJSON").click()
    lines = [json.loads(x) for x in (await (await saving.value).path()).read_text().splitlines()]
    assert [lines[0]["type"], lines[-1]["type"]] == ["start", "summary"]
    assert lines[-1]["rows"] == 40
    assert sorted(line["index"] for line in lines[1:-1]) == list(range(40))
