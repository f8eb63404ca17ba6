"""What went wrong: counted, diagnosed, shown, and saved as a list for another run."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Locator, Page, expect

from imaging.facts import ErrorCode
from server.static_files import FOLDER
from tests.page.acting import ended, look, name, records, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary
from tests.page.services import FAILING, Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

GONE = {"code": "http_status", "stage": "fetch", "message": "404 Not Found", "http_status": 404}
BUSY = {"code": "http_status", "stage": "fetch", "message": "503 Busy", "http_status": 503}
SLOW = {"code": "timeout", "stage": "fetch", "message": "no answer in time"}
CUT_OFF = {"code": "cancelled", "stage": "run", "message": "the run was ended"}


def failed(index: int, error: dict[str, Any], host: str, **members: Any) -> dict[str, Any]:
    """The line of a row that failed."""
    passes = error["code"] == "timeout" or error.get("http_status") == 503
    told = {
        "url": f"http://{host}/{index}.jpg",
        "image_info": None,
        "error": {**error, "retryable": passes},
    }
    return image(index, **{**told, **members})


def rows() -> list[dict[str, Any]]:
    """Ten that are well, and eleven that are not, at three hosts."""
    return [
        *(image(row) for row in range(10)),
        *(failed(row, GONE, "a.invalid") for row in range(10, 15)),
        *(failed(row, BUSY, "b.invalid") for row in range(15, 18)),
        *(failed(row, SLOW, "a.invalid") for row in range(18, 20)),
        failed(20, SLOW, "c.invalid"),
    ]


async def asked(page: Page) -> None:
    """The answer that is held ready is asked for, and the failures are looked at."""
    await write(page, "http://pictures.invalid/1.jpg")
    await look(page)
    await page.get_by_role("tab", name="Failures").click()


def group(page: Page, title: str) -> Locator:
    """The card of a code or a host."""
    return page.locator(".failure").filter(
        has=page.locator("h3", has_text=re.compile(f"^{title}$"))
    )


async def test_failures_are_counted_by_error_and_by_host(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Each with its rows, its parts, its statuses and whether it may pass."""
    replayed.say(start(), *rows(), summary(21, 11))
    page = await open_page(replayed.url)
    await asked(page)

    await expect(page.locator(".failure h3")).to_have_text(["http_status", "timeout"])
    await expect(page.locator(".failures-told")).to_contain_text(
        "11 rows of 21 failed (52.4 %); 6 may"
    )
    status = group(page, "http_status")
    await expect(status.locator(".failure-rows")).to_have_text("8")
    await expect(status).to_contain_text(ErrorCode.HTTP_STATUS.sentence)
    await expect(status.locator(".failure-notes")).to_contain_text("stage fetch · 3 of 8 may pass")
    await expect(status.locator(".failure-status")).to_have_text(["404 × 5", "503 × 3"])
    await expect(status.locator(".bars-words")).to_have_text(["a.invalid", "b.invalid"])
    await expect(group(page, "timeout").locator(".bars-rows")).to_have_text(["2", "1"])

    await page.get_by_role("button", name="By host").click()

    await expect(page.locator(".failure h3")).to_have_text(["a.invalid", "b.invalid", "c.invalid"])
    await expect(group(page, "a.invalid").locator(".bars-words")).to_have_text(
        ["http_status", "timeout"]
    )

    # Their records are shown by a group, by its status, by its host; and one of them whole.
    await page.get_by_role("button", name="By error").click()
    found = page.locator("#view-pictures .count")

    async def leads(button: Locator, rows: int) -> None:
        await button.click()
        await expect(found).to_have_text(f"{rows} of 21")
        await expect(records(page)).to_have_count(rows)
        await page.get_by_role("tab", name="Failures").click()

    status = group(page, "http_status")
    await leads(status.get_by_role("button", name="Show the 8 records"), 8)
    await leads(status.get_by_role("button", name="404 × 5"), 5)
    await leads(status.locator(".bars-row button").nth(1), 3)
    await page.get_by_role("button", name="By host").click()
    await leads(group(page, "a.invalid").locator(".bars-row button").nth(1), 2)
    await leads(group(page, "a.invalid").get_by_role("button", name="Show the 7 records"), 7)
    await group(page, "c.invalid").locator(".failure-examples button").click()
    await expect(page.locator("#detail")).to_contain_text("no answer in time")


async def test_the_diagnosis_comes_with_the_end(open_page: OpenPage, replayed: Replayed) -> None:
    """Before that the page says so."""
    end = asyncio.Event()
    says = "<b>a.invalid</b> answers 404: gone."
    diagnosis = [{"rule": "gone", "says": says}]
    replayed.say(start(), *rows(), end, summary(21, 11, diagnosis=diagnosis))
    page = await open_page(replayed.url)
    await asked(page)

    diagnosed = page.locator(".diagnosis")
    await expect(diagnosed).to_contain_text("at the end of the list")
    await expect(group(page, "http_status")).to_be_visible()
    end.set()

    await expect(diagnosed.locator("li")).to_have_text([says])
    assert await diagnosed.locator("b").count() == 0


async def test_a_job_is_diagnosed_while_it_runs(open_page: OpenPage, replayed: Replayed) -> None:
    """The service is asked what it makes of it so far."""
    end = asyncio.Event()
    job = "1-0"
    replayed.say(start() | {"job": job}, *rows(), end, summary(21, 11))
    replayed.tell(
        {"id": job, "diagnosis": [{"rule": "gone", "says": "so far"}]}, path=f"/api/v1/jobs/{job}"
    )
    page = await open_page(replayed.url)
    await asked(page)

    diagnosed = page.locator(".diagnosis")
    await expect(group(page, "http_status")).to_be_visible()
    await expect(diagnosed.locator("li")).to_have_text(["so far"])
    end.set()

    await ended(page)
    await expect(diagnosed).to_contain_text("Too few failures of a kind")


async def test_failed_rows_are_saved_as_a_list(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """Signs that would end a cell or a line are written otherwise, rows without a URL left out."""
    replayed.say(
        start(),
        image(0),
        failed(1, GONE, "a.invalid", id="one\ttwo\nthree"),
        failed(2, SLOW, "b.invalid", url="http://b.invalid/a\tb\r\nc.jpg", id="ü"),
        failed(3, {"code": "bad_row", "stage": "manifest", "message": "no"}, "", url=None),
        summary(4, 3),
    )
    page = await open_page(replayed.url)
    await asked(page)

    async def saved(button: str) -> tuple[str, str]:
        async with page.expect_download() as waiting:
            await page.get_by_role("button", name=button).click()
        download = await waiting.value
        path = tmp_path / "saved.tsv"
        await download.save_as(path)
        return download.suggested_filename, path.read_bytes().decode()

    assert await saved("Save the failed rows (3)") == (
        "census-failed.tsv",
        "id\turl\none two three\thttp://a.invalid/1.jpg\nü\thttp://b.invalid/a%09b%0D%0Ac.jpg\n",
    )
    await expect(page.locator("#view-failures")).to_contain_text("1 row without a URL left out")
    assert await saved("Only those that may pass (1)") == (
        "census-retry.tsv",
        "id\turl\nü\thttp://b.invalid/a%09b%0D%0Ac.jpg\n",
    )


async def test_rows_that_were_cut_off_may_pass(
    open_page: OpenPage, replayed: Replayed, tmp_path: Path
) -> None:
    """They were never answered: wherever it is told, counted, filtered or saved."""
    replayed.say(
        start(),
        image(0),
        failed(1, GONE, "a.invalid"),
        failed(2, CUT_OFF, "b.invalid"),
        summary(3, 2),
    )
    page = await open_page(replayed.url)
    await asked(page)

    await expect(page.locator(".failures-told")).to_contain_text("1 may pass when asked for again")
    cut_off = group(page, "cancelled")
    await expect(cut_off.locator(".failure-notes")).to_have_text(
        "stage run · may pass when asked for again"
    )
    await expect(cut_off).to_have_attribute("data-tone", "warn")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Only those that may pass (1)").click()
    await (await waiting.value).save_as(tmp_path / "saved.tsv")
    assert (tmp_path / "saved.tsv").read_text() == "id\turl\n2\thttp://b.invalid/2.jpg\n"

    await page.get_by_role("tab", name="Pictures").click()
    await page.get_by_label("What stands out").select_option("mark:retryable")
    await expect(page.locator("#view-pictures .count")).to_have_text("1 of 3")
    await expect(records(page).locator(".tag.warn").first).to_have_text("cancelled")
    await records(page).first.click()
    await expect(page.locator("#detail .facts")).to_contain_text(
        "run, may pass when it is asked for again"
    )


async def test_a_host_named_null_is_not_no_host(open_page: OpenPage, replayed: Replayed) -> None:
    """As a group, as a part of one, and as one of placeholders."""
    doubtful = {**image(0)["fetch"], "suspect_placeholder": True}
    replayed.say(
        start(),
        *(failed(row, SLOW, "null") for row in range(3)),
        *(failed(row, SLOW, "", url=None) for row in range(3, 5)),
        image(5, url="http://null/5.jpg", fetch=doubtful),
        image(6, url="http://null/6.jpg", fetch=doubtful),
        image(7, url=None, fetch=doubtful),
        summary(8, 5),
    )
    page = await open_page(replayed.url)
    await asked(page)
    hosts = ["null", "no host"]

    await expect(group(page, "timeout").locator(".bars-words")).to_have_text(hosts)
    suspected = page.get_by_role("list", name="Suspected placeholders by host")
    await expect(suspected.locator(".bars-words")).to_have_text(hosts)
    await page.get_by_role("button", name="By host").click()
    await expect(page.locator(".failure h3")).to_have_text(hosts)
    await expect(page.locator(".failure-rows")).to_have_text(["3", "2"])


async def test_a_job_whose_records_were_stopped_is_asked_of_no_more(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Of what came there is a view; of what the job comes to, another."""
    end = asyncio.Event()
    job = "1-0"
    replayed.say(start() | {"job": job}, *rows(), end, summary(21, 11))
    path = f"/api/v1/jobs/{job}"
    replayed.tell({"id": job, "diagnosis": [{"rule": "gone", "says": "so far"}]}, path=path)
    page = await open_page(replayed.url, script="/* a context of its own: its clock is set */")
    await page.clock.install()
    await asked(page)

    def times() -> int:
        return sum(one.path == path for one in replayed.asked)

    diagnosed = page.locator(".diagnosis li")
    await expect(diagnosed).to_have_text(["so far"])
    replayed.tell({"id": job, "diagnosis": [{"rule": "gone", "says": "later"}]}, path=path)
    await page.clock.run_for(6000)
    await expect(diagnosed).to_have_text(["later"])
    await page.locator("#tally-stop").click()
    await ended(page)
    before = times()
    for _ in range(3):
        await page.clock.run_for(6000)
        await page.evaluate("fetch('/docs')")
    end.set()

    assert before >= 2
    assert times() == before


async def test_no_failures(open_page: OpenPage, replayed: Replayed) -> None:
    """It is said, and nothing else."""
    page = await open_page(replayed.url)
    await page.get_by_role("tab", name="Failures").click()
    empty = page.locator("#view-failures .empty")
    await expect(empty).to_contain_text("Drop a list above.")
    replayed.say(start(), image(0), image(1), summary(2))
    await asked(page)

    await expect(empty).to_have_text("No failures: 2 rows, all ok.")
    await expect(page.locator(".failures")).to_be_hidden()


async def test_suspected_placeholders_stand_apart(open_page: OpenPage, replayed: Replayed) -> None:
    """They have not failed."""
    doubtful = {**image(0)["fetch"], "suspect_placeholder": True}
    replayed.say(
        start(),
        *(image(row, url=f"http://shop.invalid/{row}", fetch=doubtful) for row in range(4)),
        image(4),
        summary(5),
    )
    page = await open_page(replayed.url)
    await asked(page)

    bar = page.get_by_role("list", name="Suspected placeholders by host").get_by_role("button")
    await expect(bar).to_have_text(re.compile("shop.invalid.*4"))
    await bar.click()
    await expect(page.locator("#view-pictures .count")).to_have_text("4 of 5")


async def test_failures_of_the_service(page: Page, service: Service) -> None:
    """Those of a real run, what would be markup among them."""
    await name(page, "pictures.tsv")
    await look(page, "header")
    await ended(page)
    await page.get_by_role("tab", name="Failures").click()

    await expect(page.locator(".failures-told")).to_contain_text(f"{len(FAILING)} rows of")
    await expect(page.locator(".failure h3").first).to_have_text("http_status")
    await page.get_by_role("button", name="By host").click()
    await expect(group(page, "no host")).to_be_visible()


async def test_every_code_has_its_sentence() -> None:
    """The page says of an error what the documents say."""
    text = (FOLDER / "page" / "codes.js").read_text(encoding="utf-8")
    pairs = re.findall(r'^  (\w+): ("[^"]+"),$', text, re.MULTILINE)

    assert {code: json.loads(says) for code, says in pairs} == {
        code.value: code.sentence for code in ErrorCode
    }


async def test_an_example_that_was_decoded_shows_its_picture(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """A predictor could not take it: its pixels came all the same, and are what was looked at."""
    file = io.BytesIO()
    np.save(file, np.full((1, 3, 8, 8), 200, np.uint8))
    error = {"code": "predictor_failed", "stage": "predict", "message": "no", "retryable": False}
    batch = {
        "type": "batch",
        "batch": 0,
        "batch_dimension": [1, 3, 8, 8],
        "predictor": "mine",
        "rows": [
            {"index": 0, "id": "a", "url": "http://a.invalid/", "position": 0, "error": error}
        ],
        "pixels": base64.b64encode(file.getvalue()).decode(),
    }
    replayed.say(start(), batch, summary(1, 1))
    page = await open_page(replayed.url)
    await asked(page)

    await page.locator(".failure-examples button, .failure-examples [role=button]").first.click()

    shown = page.locator("#detail img")
    await expect(shown).to_have_attribute("src", re.compile("^blob:"))
    await expect(shown).to_have_js_property("naturalWidth", 8)
