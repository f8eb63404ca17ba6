"""What once broke the page, or might: one census after another, odd answers, odd browsers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import choose, ended, look, records, write
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.handing_in import JOB, told
from tests.page.replaying import CUT, Replayed, image, start, summary

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.lengthy]

FACTS = "/api/v1/images_info"
RESULTS = f"/api/v1/jobs/{JOB}/results"
LISTED = "http://pictures.invalid/0.jpg"
#: Tells in `spoken` what a screen reader would read out by itself.
LISTEN = """addEventListener("DOMContentLoaded", () => {
    globalThis.spoken = [];
    new MutationObserver((changes) => {
        for (const { target } of changes) {
            const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
            const region = element?.closest("[role=status], [role=alert], output, [aria-live]");
            if (!region?.checkVisibility() || region.getAttribute("aria-live") === "off") continue;
            spoken.push(region.textContent);
        }
    }).observe(document, { subtree: true, childList: true, characterData: true });
});"""


def failed(index: int, message: str = "it is gone", code: str = "timeout") -> dict[str, Any]:
    """A line of a row that failed."""
    error = {"code": code, "stage": "fetch", "message": message, "retryable": False}
    return image(index, image_info=None, error=error)


async def begun(page: Page, lines: str = LISTED) -> None:
    """A list is looked at; one that was looked at before is over then."""
    again = page.locator(".brief button")
    if await again.is_visible():
        await again.click()
    await write(page, lines)
    await look(page)


async def chosen(page: Page) -> str:
    """The view that is shown."""
    return str(await page.locator('[role="tab"][aria-selected="true"]').get_attribute("data-view"))


async def test_a_list_grows_whatever_order_was_chosen_before(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Sorted, then again as they came: what comes later is shown, now and next time."""
    page = await open_page(replayed.url)
    found = page.locator("#view-pictures output")
    for _ in range(2):
        go_on = asyncio.Event()
        first, later = map(image, range(75)), map(image, range(75, 500))
        replayed.say(start(), *first, go_on, *later, summary(500))
        await begun(page)
        await expect(found).to_have_text("75 of 75")
        await page.get_by_label("Order").select_option("bytes")
        await page.get_by_label("Order").select_option("arrival")
        await expect(found).to_have_text("75 of 75")
        go_on.set()

        await expect(found).to_have_text("500 of 500")
        grid = page.get_by_role("grid", name="Records")
        await expect(grid).to_have_attribute("aria-rowcount", "500")


async def test_a_row_of_the_wall_is_filled_by_what_comes_later(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """The last row of a page of it too."""
    page = await open_page(replayed.url, viewport={"width": 1280, "height": 800})
    go_on, across = asyncio.Event(), 7
    half = 60 * across - 2
    replayed.say(start(), *map(image, range(half)), go_on, *map(image, range(half, 600)))
    await begun(page)
    await page.get_by_role("button", name="Wall").click()
    await page.get_by_label("Order").select_option("bytes")
    await page.get_by_label("Order").select_option("arrival")
    await expect(page.locator("#view-pictures output")).to_have_text(f"{half} of {half}")
    wall = page.locator(".wall")
    assert await wall.evaluate("(wall) => wall.style.getPropertyValue('--across')") == str(across)
    await wall.evaluate("(wall) => { wall.scrollTop = wall.scrollHeight; }")
    await expect(wall).to_contain_text(str(half - 1))
    go_on.set()

    await expect(page.locator("#view-pictures output")).to_have_text("600 of 600")
    await expect(wall.get_by_title(f"{half + 1} ")).to_be_visible()


async def test_nothing_of_a_census_is_told_of_the_next(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """What its worker says while the next is begun comes too late."""
    go_on, never = asyncio.Event(), asyncio.Event()
    replayed.tell({"jobs": [told()], "next": None})
    replayed.say(start(), image(0), go_on, image(1), summary(2))
    replayed.say(never, start(), method="GET", path=RESULTS)
    page = await open_page(replayed.url)
    await begun(page)
    await page.get_by_role("tab", name="Jobs").click()
    show = page.get_by_role("button", name="Show records")
    await expect(show).to_be_enabled()

    busy = asyncio.create_task(
        show.evaluate(
            """(button) => {
                const until = performance.now() + 1500;
                while (performance.now() < until);
                const says = document.querySelector("#tally-state");
                globalThis.said = [];
                const look = () => globalThis.said.push(says.textContent);
                new MutationObserver(look).observe(says, { childList: true });
                button.click();
            }"""
        )
    )
    await asyncio.sleep(0.3)  # the page is busy by then: what its worker says waits
    go_on.set()
    await busy
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")

    assert set(await page.evaluate("said")) == {"Asking…"}
    assert await page.locator("#count-rows").inner_text() == "0"
    never.set()


async def test_examples_of_failures_are_of_the_census_that_is_shown(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """The same row may fail in the same way, with another URL."""
    page = await open_page(replayed.url)
    for message in ("the first", "the second"):
        replayed.say(start(), failed(0, message), summary(1, 1))
        await begun(page)
        await ended(page)
        await page.locator("#tab-failures").click()

        await expect(page.locator(".failure-message")).to_have_text([message])


async def test_a_filter_of_another_view_stands_in_the_bar(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Though pictures were not looked at since there was such a record."""
    go_on = asyncio.Event()
    later = (failed(1), image(2), failed(3, code="dns_not_found"))
    replayed.say(start(), image(0), go_on, *later, summary(4, 2))
    page = await open_page(replayed.url)
    await begun(page)
    await expect(records(page)).to_have_count(1)
    await page.locator("#tab-failures").click()
    go_on.set()
    await page.get_by_role("button", name="Show the 1 record of timeout").click()

    await expect(page.get_by_label("Error")).to_have_value("timeout")
    await expect(records(page)).to_have_count(1)
    await page.get_by_label("Error").select_option("")
    await expect(records(page)).to_have_count(4)


async def test_what_is_said_may_have_colons(open_page: OpenPage, replayed: Replayed) -> None:
    """A flag and a label are found by their whole names; the next list has none of them."""
    said = {"prediction": {"flags": ["a:b"], "scores": {"n02:cat": 0.9}}}
    begins = {**start(), "kind": "batch_predict"}
    replayed.say(begins, image(0, **said), image(1, prediction={"flags": ["a"]}), summary(2))
    page = await open_page(replayed.url)
    await begun(page)
    bar = page.get_by_label("What stands out")
    for choice in ("flag:a:b", "label:n02:cat"):
        await expect(bar.locator(f'option[value="{choice}"]')).to_have_count(1)
        await bar.select_option(choice)
        await expect(page.locator("#view-pictures output")).to_have_text("1 of 2")

    replayed.say(start(), image(0), summary(1))
    await begun(page)
    await ended(page)
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 800))")
    await expect(page.get_by_role("group", name="What is predicted")).to_be_hidden()


async def test_an_address_that_names_no_view(open_page: OpenPage, replayed: Replayed) -> None:
    """Whatever stands behind `#`: the page is there, as it comes and when it is there already."""
    replayed.say(start(), image(0), summary(1))
    page = await open_page(f"{replayed.url}/#constructor")
    for behind in ("constructor", "__proto__", "toString", "no-view", "%"):
        await page.goto(f"{replayed.url}/#{behind}")
        assert await chosen(page) == "pictures", behind
    await page.reload()
    assert await chosen(page) == "pictures"
    await begun(page)
    assert await ended(page) == "Complete: 100 % ok"

    # The skip link leads behind the form, not to another view; nor is the address another.
    await page.goto(f"{replayed.url}/#figures")
    await page.reload()
    await page.locator(".skip").focus()
    await page.keyboard.press("Enter")

    await expect(page.locator("#view")).to_be_focused()
    assert await chosen(page) == "figures"
    assert page.url.endswith("#figures")


async def test_keys_go_on_in_the_view_that_is_shown(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Where what was pressed is hidden by what it does."""
    replayed.say(start(), failed(0), summary(1, 1))
    page = await open_page(replayed.url)
    await begun(page)
    await expect(page.locator("#view")).to_be_focused()
    await page.locator("#tab-failures").click()
    await page.get_by_role("button", name="Show the 1 record of timeout").press("Enter")
    await expect(page.locator("#view")).to_be_focused()


async def test_a_browser_that_keeps_nothing(open_page: OpenPage, replayed: Replayed) -> None:
    """Where storage is forbidden it throws: the page works, and remembers for as long."""
    replayed.say(start(), image(0), summary(1))
    page = await open_page(
        replayed.url,
        script="""for (const name of ["localStorage", "sessionStorage"]) {
            const get = () => { throw new DOMException("denied", "SecurityError"); };
            Object.defineProperty(globalThis, name, { get });
        }""",
    )
    await page.get_by_role("button", name="Colours").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await begun(page)
    assert await ended(page) == "Complete: 100 % ok"


async def test_a_file_that_was_changed_since_it_was_chosen(
    open_page: OpenPage, replayed: Replayed, watch: Watch, tmp_path: Path
) -> None:
    """Browsers do not send it: that is told, and not that the service is away."""
    watch.allow("net::ERR_FILE_NOT_FOUND|net::ERR_UPLOAD_FILE_CHANGED")
    listed = tmp_path / "list.tsv"
    listed.write_text(f"id\turl\n1\t{LISTED}\n")
    page = await open_page(replayed.url)
    await choose(page, listed)
    await expect(page.locator(".held")).to_be_visible()
    listed.unlink()
    await look(page)

    assert await ended(page) == "Nothing was sent"
    await expect(page.locator("#tally-problem")).to_contain_text("its file was changed or taken")
    await page.get_by_role("button", name="Hand in as a job").click()
    await expect(page.locator("form .problem")).to_contain_text("its file was changed or taken")
    assert replayed.asked == []


async def test_a_file_that_is_no_text_is_not_taken(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """A picture, a table of a spreadsheet: it is told what is."""
    page = await open_page(replayed.url)
    for given in ("picture.png", "table.xlsx", "constructor"):
        (tmp_path / given).write_bytes(b"PK\x03\x04\x00\x00" + bytes(range(256)))
        await choose(page, tmp_path / given)
        told = page.get_by_role("alert")
        await expect(told).to_contain_text(f"{given}: give a .tsv, .csv, .ndjson")
        await expect(page.locator(".held")).to_have_count(0)


async def test_a_list_that_is_handed_in_twice_at_once_is_one_job(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Somebody presses three times."""
    replayed.tell({"job": JOB}, method="POST", path=f"{FACTS}_async")
    replayed.tell({"jobs": [told()], "next": None})
    page = await open_page(replayed.url)
    await write(page, f"{LISTED}\n" * 200)
    button = page.get_by_role("button", name="Hand in as a job")
    await button.evaluate("(one) => { one.click(); one.click(); one.click(); }")

    await expect(page.locator(".job")).to_have_count(1)
    assert sum(one.method == "POST" for one in replayed.asked) == 1


async def test_a_connection_cut_behind_the_last_line(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """Nothing is missing."""
    watch.allow("net::ERR")
    cut = asyncio.Event()
    replayed.say(start(), image(0), summary(1), cut, CUT)
    page = await open_page(replayed.url)
    await begun(page)
    await expect(page.locator("#count-rows")).to_have_text("1")
    cut.set()
    assert await ended(page) == "Complete: 100 % ok"


#: Answers of 422, and what is told of them.
STRANGE: tuple[tuple[Any, str], ...] = (
    ({"detail": [{"loc": ["body"], "msg": "wrong"}]}, "the service answered 422"),
    ({"detail": "wrong", "errors": "all"}, "wrong"),
    ({"errors": [None, 3, {"field": "limit"}]}, "the service answered 422"),
    ({"detail": {"why": 1}, "error": "it is so"}, "it is so"),
    ([1], "the service answered 422"),
)


async def test_a_refusal_in_the_words_of_somebody_else(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """Of a gateway before the service: the page says what can be said of it."""
    watch.allow("status of 422")
    page = await open_page(replayed.url)
    for said, shown in STRANGE:
        replayed.say(start(), image(0), {"type": "summary"})
        await begun(page)  # a last line that says nothing is an end, of which nothing is known
        assert await ended(page) == "Not complete: nobody said why"
        replayed.tell(said, status=422, method="POST", path=FACTS)
        await begun(page)
        assert await ended(page) == "The service refused", said
        await expect(page.locator("#tally-problem"), str(said)).to_have_text(shown)


async def test_jobs_as_somebody_else_tells_them(open_page: OpenPage, replayed: Replayed) -> None:
    """A gateway that answers 200 to all: it is told, and asked again until it is the service."""
    replayed.tell({})
    page = await open_page(f"{replayed.url}/#jobs")
    problem = page.locator("#view-jobs > .problem")
    again = page.get_by_role("button", name="Refresh")
    replayed.tell(told(created="some day"), path=f"/api/v1/jobs/{JOB}")  # if it is asked for alone
    told_by_none: tuple[Any, ...] = ([], None, {"jobs": None}, {"jobs": [{}], "next": None})
    await expect(problem).to_contain_text("is not the service")
    replayed.tell({"jobs": [told(created="some day")], "next": None})
    await expect(page.locator(".job")).to_contain_text("handed in some day")
    await expect(problem).to_be_hidden()
    for said in told_by_none:
        replayed.tell(said)
        await again.click()
        await expect(problem, str(said)).to_contain_text("is not the service")
        replayed.tell({"jobs": [told(created="some day")], "next": None})
        await again.click()
        await expect(problem, str(said)).to_be_hidden()


async def test_what_changes_all_the_time_is_not_read_out(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """A screen reader tells how it goes: that it runs, and how it ended."""
    steps = [asyncio.Event() for _ in range(6)]
    lines: list[Any] = []
    for at, step in enumerate(steps):
        lines += [failed(10 * at), *map(image, range(10 * at + 1, 10 * at + 10)), step]
    replayed.say(start(), *lines, summary(60, 6))
    page = await open_page(replayed.url, script=LISTEN)
    await begun(page)
    for at, step in enumerate(steps):
        await expect(page.locator("#count-rows")).to_have_text(str(10 * at + 10))
        if at == 3:
            await page.locator("#tab-failures").click()
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 700))")
        step.set()
    await ended(page)

    spoken = await page.evaluate("spoken")
    assert spoken[:2] == ["Asking…", "Running"]
    assert "Complete: 90 % ok" in spoken
    assert len(spoken) <= 4


async def test_ids_can_be_read_on_any_screen(open_page: OpenPage, replayed: Replayed) -> None:
    """Other columns leave them room; so low that nothing has room, the page is scrolled."""
    lines = [image(row, id=f"picture {row}") for row in range(40)]
    replayed.say(start(), *lines, failed(40, code="unsupported_format"), summary(41, 1))
    page = await open_page(replayed.url, viewport={"width": 320, "height": 300})
    names = page.locator("#view-pictures .record .name")
    grid = page.get_by_role("grid", name="Records")
    for width in (320, 390, 761, 844, 1024):
        await page.set_viewport_size({"width": width, "height": 300})
        await begun(page)
        await ended(page)

        await expect(names.first, str(width)).to_be_visible()
        assert await names.first.evaluate("(name) => name.clientWidth") > 90, width
        assert await grid.evaluate("(grid) => grid.clientHeight") > 120, width
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await grid.press("End")
        await expect(page.locator(":focus"), str(width)).to_contain_text("pictures.invalid/40")


async def test_the_list_keeps_the_focus_of_what_is_scrolled_away(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """A button within a row of it, too."""
    lines = []
    for row in range(120):
        facts = image(row)["image_info"] | {
            "phash": f"{(row // 2) * 0x9E3779B97F4A7C15 % 2**64:016x}"
        }
        lines.append(image(row, image_info=facts))
    replayed.say(start(depth="full"), *lines, summary(120))
    page = await open_page(replayed.url)
    await begun(page)
    await page.locator("#tab-duplicates").click()
    await page.locator(".twin").first.focus()
    groups = page.get_by_role("grid", name="Groups")
    await groups.evaluate("(list) => { list.scrollTop = list.scrollHeight; }")
    await expect(groups).to_be_focused()


async def test_predictors_that_are_pressed_twice(open_page: OpenPage, replayed: Replayed) -> None:
    """One dialog; and a name is only a name."""
    one = {"name": "constructor", "ready": True, "size": [64, 64], "labels": [], "version": "1"}
    more: dict[str, Any] = {
        "sha256": None,
        "settings_sha256": None,
        "software": {},
        "error": None,
        "layout": "",
    }
    said = {"predictors": [one | more], "default": "constructor"}
    replayed.tell(said, path="/api/v1/predictors")
    page = await open_page(replayed.url)
    await page.locator("#what").select_option("predict")
    about = page.locator(".predictor-about > span")
    await expect(about).to_have_text("version 1 · pictures of 64 × 64")
    await page.get_by_role("button", name="All predictors").dblclick()
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
    assert await page.locator("dialog.predictors").evaluate("(one) => one.matches(':modal')")
