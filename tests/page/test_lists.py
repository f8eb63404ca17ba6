"""Lists handed to the page: written, pasted, chosen, dropped, named; and how they are sent."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard
from playwright.async_api import Page, expect

from tests.page.acting import again, choose, ended, look, name, records, texts, write
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary
from tests.page.services import FAILING, WELL
from tests.picture_hosts import PictureHost

pytestmark = pytest.mark.asyncio(loop_scope="session")

TSV, CSV, NDJSON = "text/tab-separated-values", "text/csv", "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"

#: As Chromium does when somebody presses the keys for it, with the text given.
PASTE = """(field, text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    const event = { clipboardData: data, bubbles: true, cancelable: true };
    return field.dispatchEvent(new ClipboardEvent("paste", event));
}"""
DROP = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    const at = { dataTransfer: data, bubbles: true, cancelable: true };
    const over = new DragEvent("dragover", at);
    document.body.dispatchEvent(over);
    const dropped = new DragEvent("drop", at);
    document.body.dispatchEvent(dropped);
    return [over.defaultPrevented, dropped.defaultPrevented];
}"""


async def test_a_written_list_is_looked_at(page: Page, picture_host: PictureHost) -> None:
    """URLs, one a line: a record for each, with a picture that came in the record."""
    await write(page, "".join(f"{picture_host}/picture/{row}\n" for row in range(5)))
    await look(page)

    assert await ended(page) == "Complete: 100 % ok"
    await expect(records(page)).to_have_count(5)
    sources = (
        await records(page).locator("img.thumb").evaluate_all("all => all.map((one) => one.src)")
    )
    assert len(sources) == 5
    assert all(source.startswith("data:image/webp;base64,") for source in sources)


async def test_a_file_of_the_service_is_looked_at_by_its_name(page: Page) -> None:
    """The numbers of the strip and of the badge, and how many rows there are to see.

    Of another look only the first rows: the limit is kept, also as what is waited for.
    """
    await name(page, "pictures.tsv")
    await look(page, "header")

    await ended(page)
    await expect(page.locator("#count-ok")).to_have_text(str(WELL))
    await expect(page.locator("#badge-failures")).to_have_text(str(len(FAILING)))
    rows = WELL + len(FAILING)
    await expect(page.locator("#view-pictures output")).to_have_text(f"{rows} of {rows}")
    await expect(page.locator("#count-rows")).to_have_text(str(rows))
    await expect(page.locator("#count-failed")).to_have_text(str(len(FAILING)))
    await expect(records(page).first).to_be_visible()

    await again(page)
    await page.locator("#limit").fill("9")
    await look(page)
    assert await ended(page) == "Complete: 100 % ok"
    await expect(page.locator("#count-rows")).to_have_text("9")


async def test_records_are_seen_before_the_stream_ends(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """The second half comes when the first one is on the screen."""
    go_on = asyncio.Event()
    replayed.say(
        start(),
        *(image(row) for row in range(3)),
        go_on,
        *(image(row) for row in range(3, 6)),
        summary(6),
    )
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)

    await expect(records(page)).to_have_count(3)
    await expect(page.locator("#tally-state")).to_contain_text("Running")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert await texts(page) == ["0", "1", "2"]
    go_on.set()
    assert await ended(page) == "Complete: 100 % ok"
    await expect(records(page)).to_have_count(6)
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()


async def test_stop_ends_it_and_keeps_what_came(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """The request is given up; a new list can be looked at."""
    replayed.say(start(), image(0), asyncio.Event())
    page = await open_page(replayed.url)
    watch.allow("ERR_ABORTED")
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await expect(records(page)).to_have_count(1)

    await page.get_by_role("button", name="Stop").click()
    assert await ended(page) == "Stopped after 1 row"
    await expect(records(page)).to_have_count(1)

    replayed.say(start(), image(7), image(8), summary(2))
    await page.get_by_role("button", name="New list").click()
    await look(page)
    await expect(page.locator("#tally-state")).to_have_text("Complete: 100 % ok")
    await expect(records(page)).to_have_count(2)
    assert await texts(page) == ["7", "8"]


#: Lists as they are written, and what they are.
WRITTEN = (
    ("http://a.invalid/1.jpg\nhttp://a.invalid/2.jpg", TSV),
    ("id\turl\n1\thttp://a.invalid/1.jpg\n", TSV),
    ("id,url\n1,http://a.invalid/1.jpg\n", CSV),
    ('"a, b",http://a.invalid/1.jpg\n', CSV),
    ("http://a.invalid/1,2.jpg\n", TSV),
    ('\ufeff{"id": "1", "url": "http://a.invalid/1.jpg"}\n', NDJSON),
    ("\n\n  \nhttp://a.invalid/1.jpg\n", TSV),
)


async def test_what_a_written_list_is_is_seen_from_its_beginning(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """It is sent as it stands, with its media type."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    for text, kind in WRITTEN:
        replayed.asked.clear()
        await write(page, text)
        await look(page)

        await ended(page)
        (asked,) = replayed.asked
        assert asked.headers["Content-Type"] == kind, text
        assert asked.body == text.encode()
        assert asked.query == {"thumbnail": "96"}, text
        await again(page)


LISTED = b"id\turl\n1\thttp://a.invalid/1.jpg\n"


#: Files by their names, what is in them and what they are, and how many lines are seen.
FILES: tuple[tuple[str, bytes, str, int | None], ...] = (
    ("list.tsv", LISTED, TSV, 2),
    ("LIST.CSV", b"id,url\n1,http://a.invalid/1.jpg", CSV, 2),
    ("list.ndjson", b'{"url":"http://a.invalid/1.jpg"}\n', NDJSON, 1),
    ("list.jsonl", b'{"url":"http://a.invalid/1.jpg"}\n', NDJSON, 1),
    ("list.txt", b"http://a.invalid/1.jpg\n", TSV, 1),
    ("list", b'{"url":"http://a.invalid/1.jpg"}\n', NDJSON, 1),
    ("list.parquet", b"PAR1\n\n\nPAR1", PARQUET, None),
    ("list.tsv.gz", gzip.compress(LISTED, mtime=0), TSV, None),
    ("list.csv.zst", zstandard.compress(b"id,url\n"), CSV, None),
)


async def test_a_file_is_sent_as_it_is(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """Byte for byte, with the media type that its name says; packed ones stay packed."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    held = page.locator(".held")
    for named, body, kind, lines in FILES:
        replayed.asked.clear()
        (tmp_path / named).write_bytes(body)
        await choose(page, tmp_path / named)
        await expect(held, named).to_contain_text(named)
        said = f"about {lines} line{'s' if lines != 1 else ''}"
        await (
            expect(held, named).not_to_contain_text("about")
            if lines is None
            else expect(held, named).to_contain_text(said)
        )
        await look(page, "header")

        await ended(page)
        (asked,) = replayed.asked
        assert asked.headers["Content-Type"] == kind, named
        assert asked.sha256 == hashlib.sha256(body).hexdigest(), named
        assert asked.query == {"depth": "header"}, named
        await again(page)
        await page.get_by_role("button", name="Remove").click()


async def test_packed_lists_reach_the_real_service(
    page: Page, picture_host: PictureHost, tmp_path: Path
) -> None:
    """Chosen, gzipped CSV: it is unpacked there, and each row is answered."""
    rows = "".join(f"{row},{picture_host}/picture/{row}\n" for row in range(7))
    (tmp_path / "list.csv.gz").write_bytes(gzip.compress(f"id,url\n{rows}".encode()))
    await choose(page, tmp_path / "list.csv.gz")
    await look(page)

    assert await ended(page) == "Complete: 100 % ok"
    await expect(records(page)).to_have_count(7)


async def test_a_file_that_says_nothing_of_itself_is_not_taken(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """It is told what is."""
    (tmp_path / "list.gz").write_bytes(gzip.compress(LISTED))
    page = await open_page(replayed.url)
    await choose(page, tmp_path / "list.gz")

    await expect(page.get_by_role("alert")).to_contain_text("list.gz: give a .tsv, .csv, .ndjson")
    await expect(page.locator(".held")).to_have_count(0)
    assert replayed.asked == []


async def test_a_dropped_file_is_taken_and_can_be_let_go(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Anywhere on the page; the browser does not open it instead."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    assert await page.evaluate(DROP, ["dropped.csv", "id,url\n"]) == [True, True]
    await expect(page.locator(".held")).to_contain_text("dropped.csv")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.locator("#list")).to_be_focused()

    await page.evaluate(DROP, ["other.csv", "id,url\n"])
    await expect(page.get_by_role("button", name="Look now")).to_be_focused()
    await look(page)
    await ended(page)
    (asked,) = replayed.asked
    assert (asked.headers["Content-Type"], asked.body) == (CSV, b"id,url\n")


async def test_neither_no_list_nor_two_are_sent(open_page: OpenPage, replayed: Replayed) -> None:
    """It is told which it is, beside the form."""
    page = await open_page(replayed.url)
    told = page.locator("#ask").get_by_role("alert")
    await write(page, " \n\t\n")
    await look(page)
    await expect(told).to_contain_text("There is no list yet")

    await write(page, "http://a.invalid/1.jpg")
    await expect(told).to_be_hidden()
    await name(page, "images.tsv")
    await look(page)
    await expect(told).to_contain_text("take one of them away")
    assert replayed.asked == []

    # A small paste goes into the field as ever: it can be read and changed before it is sent.
    assert await page.locator("#list").evaluate(PASTE, "http://a.invalid/1.jpg")
    await expect(page.locator(".held")).to_have_count(0)
