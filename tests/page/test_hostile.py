"""What stands in a record is text: nothing of it runs, loads or breaks the page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import again, ended, look, name, records, texts, write
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary
from tests.picture_hosts import PictureHost

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = [
    "<img src=x onerror=globalThis.ran=1>",
    "</script><script>globalThis.ran=1</script>",
    "<svg/onload=globalThis.ran=1>",
    "\"><b onmouseover='globalThis.ran=1'>",
    "<iframe srcdoc='<script>parent.ran=1</script>'>",
    "{{constructor.constructor('globalThis.ran=1')()}}",
    "javascript:globalThis.ran=1",
    "__proto__",
    "constructor",
]
LINKS = [
    "javascript:globalThis.ran=1",
    " javascript:globalThis.ran=1",
    "java\nscript:globalThis.ran=1",
    "JaVaScRiPt:globalThis.ran=1//http://x",
    "data:text/html,<script>globalThis.ran=1</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//elsewhere.invalid/x.jpg",
    "http://elsewhere.invalid/<img src=x onerror=globalThis.ran=1>",
]
SIGNS = [
    "right \u202eto left\u202c",
    "zero\u200bwidth\u200d\u2060\ufeff",
    "nul\x00 and \x1b[31m red",
    "line\u2028and\u2029\r\n\tends",
    "e" + "\u0301" * 200,
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "שלום عليكم",
]
#: What there is that might be of a record.
THERE = """() => {
    const all = (which, how) => Array.from(document.querySelectorAll(which), how);
    return {
        ran: globalThis.ran ?? null,
        elements: all("iframe, object, embed, base, main script, dialog script", (x) => x.tagName),
        links: all("a[href]", (link) => link.protocol),
        sources: all("img", (image) => image.src),
    };
}"""
VIEWS = ("failures", "figures", "duplicates", "jobs", "pictures")


def bad(code: str, message: str) -> dict[str, Any]:
    """An error of these words."""
    return {"code": code, "stage": "fetch", "message": message, "retryable": False}


def hostile() -> list[dict[str, Any]]:
    """A record for each text, and each text in all the places where one can be."""
    lines = []
    for text in [*MARKUP, *SIGNS]:
        info = image(0)["image_info"] | {"image_format": text, "image_mode": text}
        fetch = image(0)["fetch"] | {"final_url": text, "content_type": text, "opt_out": text}
        said = {"prediction": {"scores": {text: 0.9}, "flags": [text], text: text}}
        lines.append(image(len(lines), id=text, url=text, image_info=info, fetch=fetch, **said))
        lines.append(
            image(
                len(lines), id=text, url=text, image_info=None, error=bad(text, text), change=text
            )
        )
    for link in LINKS:
        fetch = image(0)["fetch"] | {"final_url": link}
        lines.append(image(len(lines), url=link, fetch=fetch, thumbnail=link))
    return lines


async def shown(page: Page) -> None:
    """The census is over; look at it in each view."""
    await ended(page)
    for view in VIEWS:
        await page.locator(f"#tab-{view}").click()
        await expect(page.locator(f"#view-{view}")).to_be_visible()
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 150))")


async def harmless(page: Page) -> None:
    """Nothing ran, and no element is there that the page itself would not make."""
    there = await page.evaluate(THERE)
    assert there["ran"] is None
    assert there["elements"] == []
    assert set(there["links"]) <= {"http:", "https:", "blob:"}
    allowed = ("data:image/", "blob:http://127.0.0.1", f"{page.url.partition('#')[0]}static/")
    assert [one for one in there["sources"] if not one.startswith(allowed)] == []


async def test_hostile_texts_are_shown_as_they_are(open_page: OpenPage, replayed: Replayed) -> None:
    """In the list, the wall, the other views and the filters."""
    lines = hostile()
    codes = {line["error"]["code"]: 1 for line in lines if "error" in line}
    replayed.tell({"jobs": [], "next": None})
    diagnosis = [{"rule": MARKUP[0], "says": text} for text in MARKUP]
    ends = summary(len(lines), len(codes), errors=codes, diagnosis=diagnosis)
    replayed.say(start(MARKUP[0]), *lines, ends)
    page = await open_page(replayed.url, viewport={"width": 1280, "height": 4000})
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await shown(page)

    await expect(records(page)).to_have_count(len(lines))
    assert await texts(page) == [str(line["id"]) for line in lines]
    assert await texts(page, ".name .url") == [str(line["url"]) for line in lines]
    await harmless(page)
    await page.get_by_role("button", name="Wall").click()
    await expect(page.locator(".tile")).to_have_count(len(lines))
    await harmless(page)


async def test_a_hostile_record_is_shown_whole(open_page: OpenPage, replayed: Replayed) -> None:
    """Each in its dialog, where URLs are links if they lead to http only."""
    lines = hostile()
    replayed.say(start(), *lines, summary(len(lines)))
    page = await open_page(replayed.url, viewport={"width": 1280, "height": 4000})
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await ended(page)
    await expect(records(page)).to_have_count(len(lines))

    dialog = page.get_by_role("dialog")
    for at, line in enumerate(lines):
        await page.locator(f'.list-item[aria-rowindex="{at + 1}"]:not([hidden])').click()
        await expect(dialog.locator("pre")).to_contain_text('"type": "image"')
        kept = json.loads(await dialog.locator("pre").evaluate("(pre) => pre.textContent"))
        assert kept | {"thumbnail": None} == line | {"thumbnail": None}
        await harmless(page)
        await page.keyboard.press("Escape")
    links = await page.locator("dialog a").evaluate_all("all => all.map((one) => one.rel)")
    assert set(links) <= {"noreferrer noopener"}


async def test_long_texts_and_broken_ones_do_not_break_the_page(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """URLs of 8,000 signs, an id without a space, half a surrogate pair: the page is no wider."""
    url = "http://long.invalid/" + "x" * 8000
    lone = b'{"type":"image","index":2,"id":"half \\ud83d","url":"http://x.invalid/\\udc00",'
    lone += b'"image_info":null,"error":{"code":"bad_url","stage":"manifest","message":"\\ud800",'
    lone += b'"retryable":false},"fetch":null}\n'
    long = image(1, image_info=None, error=bad("x" * 500, "y" * 8000))
    replayed.say(start(), image(0, id="i" * 2000, url=url), long, lone, summary(3, 2))
    page = await open_page(replayed.url)
    await write(page, url)
    await look(page)
    await ended(page)

    # All rows are counted before all are drawn.
    await expect(records(page)).to_have_count(3)
    assert await texts(page) == ["i" * 2000, "1", "half \ud83d"]
    for view in VIEWS[:3]:
        await page.locator(f"#tab-{view}").click()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 1280
    await page.locator("#tab-pictures").click()
    for at in range(3):
        await records(page).nth(at).click()
        width = await page.get_by_role("dialog").evaluate("(dialog) => dialog.scrollWidth")
        assert width <= 960
        await page.keyboard.press("Escape")

    await page.get_by_role("searchbox").fill("half")
    await expect(records(page)).to_have_count(1)


#: Lines of a later version, or broken ones.
ODD = (
    b'{"type":"image"}',
    b'{"type":"image","index":0,"id":7,"url":8,"image_info":{},"fetch":{}}',
    b'{"type":"image","index":0,"id":null,"url":null,"image_info":null,"error":{}}',
    b'{"type":"news","what":"a line of a later version"}',
    b"{}",
)


async def test_lines_that_are_not_as_they_should_be(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """What is well beside them is shown."""
    page = await open_page(replayed.url)
    for at, line in enumerate(ODD):
        replayed.say(start(), line + b"\n", image(20 + at), summary(2))
        await write(page, "http://pictures.invalid/0.jpg")
        await look(page)
        await ended(page)

        await page.get_by_role("searchbox").fill(f"pictures.invalid/{20 + at}")
        await expect(records(page), line.decode()).to_have_count(1)
        assert await texts(page) == [str(20 + at)], line
        await again(page)


async def test_a_record_that_cannot_be_drawn_does_not_hide_others(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """It is said where it would be, and on the console."""
    broken = image(0, image_info={"image_dimension": "wide"})
    replayed.say(start(), broken, image(1), summary(2))
    watch.allow("console: TypeError: info.image_dimension")
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)
    await ended(page)

    rows = page.locator("#view-pictures .list-item:not([hidden])")
    await expect(rows).to_have_text(["This one cannot be shown.", re.compile("pictures.invalid/1")])


async def test_nothing_is_asked_of_the_hosts_of_pictures(
    page: Page, picture_host: PictureHost
) -> None:
    """By the browser: each picture was asked for once, by the service."""
    picture_host.reset()
    rows = 6
    await write(page, "".join(f"{picture_host}/once/{row}\n" for row in range(rows)))
    await look(page)
    await shown(page)
    await records(page).first.click()
    await expect(page.get_by_role("dialog").locator("img")).to_be_visible()

    asked = picture_host.requests()
    agents = {request["headers"].get("user-agent", "") for request in asked}
    assert sorted(request["target"] for request in asked) == [f"/once/{row}" for row in range(rows)]
    assert not any("Chrome" in agent for agent in agents)


async def test_a_link_to_a_picture_does_not_say_where_from(
    page: Page, picture_host: PictureHost
) -> None:
    """Somebody clicks on it: it opens beside the page, which it knows nothing of."""
    picture_host.reset()
    await write(page, f"{picture_host}/linked/1")
    await look(page, "header")
    await ended(page)
    await records(page).first.click()
    link = page.get_by_role("dialog").get_by_role("link")
    assert await link.get_attribute("target") == "_blank"
    assert await link.get_attribute("rel") == "noreferrer noopener"


async def test_a_name_that_is_hostile_is_only_a_name(page: Page, watch: Watch) -> None:
    """Of a list: the service refuses it, and it is told as text."""
    watch.allow("status of 422")
    await name(page, MARKUP[0])
    await look(page)

    assert await ended(page) == "The service refused"
    await expect(page.locator("#tally-problem")).to_contain_text(MARKUP[0])
    await harmless(page)

    await name(page, "evil\u202evst.tsv")
    await look(page, "header")
    await expect(page.locator(".brief p")).to_have_text(re.compile("^evil\ufffdvst.tsv · "))
