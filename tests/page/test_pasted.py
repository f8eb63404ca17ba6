"""What a list is that was pasted or dropped: JSON of any form, else as the service judges it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import again, choose, ended, look, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, start, summary
from workers.manifest.kinds import Kind, LookingReader
from workers.manifest.lines import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")

TSV, CSV, NDJSON = "text/tab-separated-values", "text/csv", "application/x-ndjson"
MEDIA_TYPES = {Kind.TSV: TSV, Kind.CSV: CSV, Kind.NDJSON: NDJSON}

#: As Chromium does when somebody presses the keys for it, with a selection and the text given.
PASTE_AT = """(field, [text, from, to]) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    field.setSelectionRange(from, to);
    const event = { clipboardData: data, bubbles: true, cancelable: true };
    return field.dispatchEvent(new ClipboardEvent("paste", event));
}"""
DROP_ALL = """(files) => {
    const data = new DataTransfer();
    for (const [name, text] of files) data.items.add(new File([text], name));
    const at = { dataTransfer: data, bubbles: true, cancelable: true };
    return document.body.dispatchEvent(new DragEvent("drop", at));
}"""
#: A file that is large only as it says: nothing of it is read but its beginning.
DROP_LARGE = """([name, text, size]) => {
    const file = new File([text], name);
    Object.defineProperty(file, "size", { value: size });
    const at = { bubbles: true, cancelable: true };
    const dropped = new DragEvent("drop", at);
    Object.defineProperty(dropped, "dataTransfer", { value: { files: [file] } });
    document.body.dispatchEvent(dropped);
}"""
TYPES_OF = """async (texts) => {
    const { typeOf } = await import("/static/page/listtype.js");
    return texts.map(typeOf);
}"""


def seen_by_service(line: str) -> tuple[str, bool]:
    """What the service takes a manifest for that begins so, and whether it reads a URL in it."""
    looking = LookingReader()
    row = looking.read(Line(line.removeprefix("\ufeff").encode(), 0))
    assert looking.kind is not None
    return MEDIA_TYPES[looking.kind], row is None or getattr(row, "url", None) is not None


#: First lines.
FIRST = (
    '"http://a.invalid/1.jpg"',
    '"http://a.invalid/1.jpg",',
    ' "http://a.invalid/1.jpg" ',
    '"words"',
    '{"url": "http://a.invalid/1.jpg"}',
    "url",
    '"url"',
    ' "url"',
    "id;url",
    '"note";"url"',
    "1,http://a.invalid/1.jpg",
    '"1","http://a.invalid/1.jpg"',
    '"a ""b"", c",http://a.invalid/1.jpg',
    '"not closed,http://a.invalid/1.jpg',
    "http://a.invalid/?of=1,http://b.invalid",
    "http://a.invalid/1,2.jpg",
    '1\t"http://a.invalid/1,2.jpg"',
)


async def test_a_list_is_what_the_service_would_take_it_for(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """By its first line, where the service reads a URL there; else it is wrong in any kind."""
    page = await open_page(replayed.url)
    drawn = random.Random(7)
    pieces = (*'"",;\t ', "http://h/a", "url", "id", "7", "x y", "{", "://")
    made = ("".join(drawn.choices(pieces, k=drawn.randint(1, 9))) for _ in range(3000))
    lines = [line for line in (*FIRST, *made) if line.strip()]

    kinds = await page.evaluate(TYPES_OF, lines)

    for line, kind in zip(lines, kinds, strict=True):
        expected, read = seen_by_service(line)
        assert kind == expected or (line not in FIRST and not read), line


async def test_later_lines_tell_what_a_header_of_other_names_does_not(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Only they: behind a URL alone no line changes the kind."""
    page = await open_page(replayed.url)
    row = "7,A title,http://a.invalid/1.jpg\n"
    texts = (f"Product ID,Title,Image URL\n{row}", f"http://a.invalid/\n{row}", "A1;http://h/a\n")
    assert await page.evaluate(TYPES_OF, texts) == [CSV, TSV, CSV]


async def test_a_line_of_many_quoted_cells_is_judged_at_once(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """As spreadsheets write them; the time does not double with each."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    text = "".join(",".join(f'"{row}-{column}"' for column in range(60)) + "\n" for row in range(3))
    await write(page, text)
    await look(page)

    await ended(page)
    (asked,) = replayed.asked
    assert (asked.headers["Content-Type"], asked.body) == (TSV, text.encode())


ROWS = (
    '"http://a.invalid/1.jpg"',
    '{"id": 12345678901234567890, "url": "http://a.invalid/2.jpg"}',
    '{"id":1.50,"url":"http://a.invalid/\\"],[{3.jpg","of":[1,{"deep":"]"}]}',
    '{"url": "http://a.invalid/\\\\"}',
)
#: The same rows as JSON.
LISTS = (
    f"[{','.join(ROWS)}]",
    "\ufeff\n[\n" + " ,\n".join(ROWS) + "\n]\n",
    f'{{"images":[{", ".join(ROWS)}]}}',
    f'{{"depth": "full", "of": ["x"],\n "images": [{",".join(ROWS)}], "limit": 4}}',
)


async def sent(page: Page, replayed: Replayed) -> tuple[str, str]:
    """What is sent as the list that is there, and as what."""
    replayed.asked.clear()
    await look(page)
    await ended(page)
    (asked,) = replayed.asked
    await again(page)
    return asked.headers["Content-Type"], asked.body.decode()


async def test_json_is_sent_a_row_a_line(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """Written, dropped or chosen, with a name or without; each number as it is written."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    for text in LISTS:
        await write(page, text)
        assert await sent(page, replayed) == (NDJSON, "\n".join(ROWS))
        await page.evaluate(DROP_ALL, [["list.JSON", text]])
        await expect(page.locator(".held")).to_contain_text("about 4 lines")
        assert await sent(page, replayed) == (NDJSON, "\n".join(ROWS))
        await page.get_by_role("button", name="Remove").click()
    (tmp_path / "list").write_text(LISTS[1])
    await choose(page, tmp_path / "list")
    await expect(page.locator(".held")).to_contain_text("about 4 lines")
    assert await sent(page, replayed) == (NDJSON, "\n".join(ROWS))


#: JSON that is no list.
OTHER_JSON = (
    '{"url": "http://a.invalid/1.jpg"}\n{"url": "http://a.invalid/2.jpg"}\n',
    '{"url": "http://a.invalid/1.jpg", "images": ["x"]}',
    '"http://a.invalid/1.jpg"\n',
)


async def test_lines_of_json_are_sent_as_they_stand(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Whatever their file is named; one row may have a column `images`."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    for text in OTHER_JSON:
        await write(page, text)
        assert await sent(page, replayed) == (NDJSON, text)
        await page.evaluate(DROP_ALL, [["list.json", text]])
        await expect(page.locator(".held")).to_contain_text("list.json")
        assert await sent(page, replayed) == (NDJSON, text)
        await page.get_by_role("button", name="Remove").click()


async def test_json_that_cannot_be_sent_is_refused(open_page: OpenPage, replayed: Replayed) -> None:
    """With what is wrong with it, or what to give instead."""
    page = await open_page(replayed.url)
    told = page.locator("#ask").get_by_role("alert")
    await page.evaluate(DROP_ALL, [["list.json", '["http://a.invalid/1.jpg", ']])
    await expect(told).to_contain_text("list.json begins as a JSON array, and is none")
    await page.evaluate(DROP_ALL, [["gnp.\u202etsv.json.gz", "x"]])
    await expect(told).to_contain_text("gnp.\ufffdtsv.json.gz: ")
    await expect(told).to_contain_text("JSON is taken plain; packed, give NDJSON")
    for text in ("[", '{\n "images": ['):
        await page.evaluate(DROP_ALL, [["list.gz", "x"]])
        await expect(told).to_contain_text("list.gz: give a .tsv")
        await page.evaluate(DROP_LARGE, ["large.json", text, (64 << 20) + 1])
        await expect(told).to_contain_text("more than 64 MiB is not taken here: make NDJSON of it")
    await expect(page.locator(".held")).to_have_count(0)

    await page.evaluate(DROP_LARGE, ["large.json", '{"url": "http://h/"}\n', (64 << 20) + 1])
    await expect(page.locator(".held")).to_contain_text("large.json")


async def test_several_files_are_told_that_one_is_taken(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """None of them silently left out; the list that was there stays."""
    page = await open_page(replayed.url)
    await page.evaluate(DROP_ALL, [["first.csv", "id,url\n"]])
    await expect(page.locator(".held")).to_contain_text("first.csv")

    assert not await page.evaluate(DROP_ALL, [["second.csv", "url\n"], ["third.csv", "url\n"]])

    told = page.locator("#ask").get_by_role("alert")
    await expect(told).to_have_text("2 files were dropped, and none was taken: drop one at a time.")
    await expect(page.locator(".held")).to_contain_text("first.csv")


async def test_a_large_paste_goes_to_where_the_selection_is(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """What stands around it in the field is sent with it, and is there again without it."""
    replayed.say(start(), summary(0))
    page = await open_page(replayed.url)
    before, chosen, behind = "http://a.invalid/0\n", "http://b.invalid/\n", "http://a.invalid/9\n"
    pasted = "".join(f"http://a.invalid/{row}/{'x' * 30}\n" for row in range(5000))
    await write(page, before + chosen + behind)
    field = page.locator("#list")
    places = [len(before), len(before + chosen)]
    assert not await field.evaluate(PASTE_AT, [pasted, *places])
    await expect(page.locator(".held")).to_contain_text("5,002 pasted lines")
    await look(page)
    await ended(page)
    (asked,) = replayed.asked
    whole = before + pasted + behind
    assert (asked.size, asked.body) == (len(whole), whole.encode()[: len(asked.body)])

    await again(page)
    await page.get_by_role("button", name="Remove").click()
    await expect(field).to_have_value(before + chosen + behind)


async def test_a_file_chooser_offers_what_is_taken(open_page: OpenPage, replayed: Replayed) -> None:
    """Or some could only be dropped."""
    page = await open_page(replayed.url)
    offered = str(await page.locator("#file").get_attribute("accept")).split(",")
    assert {".json", ".tab", ".tsv", ".csv", ".ndjson", ".parquet", ".gz"} <= set(offered)
