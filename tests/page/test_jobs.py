"""Jobs on the page: handed in, looked at, saved, cancelled, deleted; and where there are none."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.acting import choose, ended, name
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.handing_in import JOB, Api, told
from tests.page.replaying import Replayed, Reply, image, start, summary
from tests.page.services import FAILING, KEY, WELL, Service
from tests.picture_hosts import PictureHost

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = WELL + len(FAILING)
#: A file of that name is chosen; no system would have it in a folder.
HANDED_IN = """(name) => {
  const files = new DataTransfer();
  files.items.add(new File(["url\\nhttps://host.example/1.jpg\\n"], name, { type: "text/csv" }));
  const field = document.querySelector("#file");
  field.files = files.files;
  field.dispatchEvent(new Event("change"));
}"""


async def jobs(page: Page) -> None:
    """Look at the jobs."""
    await page.get_by_role("tab", name="Jobs").click()


def card(page: Page, job: str) -> Locator:
    """One of them."""
    return page.get_by_role("article", name=f"Job {job}")


async def text_of(page: Page, button: Locator) -> str:
    """What pressing it saves."""
    async with page.expect_download() as download:
        await button.click()
    path = await (await download.value).path()
    return await asyncio.to_thread(path.read_text, encoding="utf-8")


async def test_a_list_handed_in_is_followed_and_shown(page: Page, service: Service) -> None:
    """From the form: its job is lit, counts up, ends, and its records are those of the list."""
    await name(page, "pictures.tsv")
    await page.get_by_role("button", name="Hand in as a job").click()

    lit = page.locator(".job.lit")
    await expect(lit).to_be_focused()
    await expect(lit).to_contain_text("pictures.tsv")
    await expect(lit.locator(".pill")).to_have_text("done", timeout=60_000)
    job = str(await lit.get_attribute("data-job"))
    found = await Api(service).done(job)
    await expect(lit).to_contain_text(f"{ROWS} of {ROWS} rows done")
    await expect(lit).to_contain_text(f"{found['rows']['failed']} failed")
    for said in found["diagnosis"]:
        await expect(lit).to_contain_text(said["says"])
    for code in found["errors"]:
        await expect(lit.locator(".job-codes")).to_contain_text(code)

    await lit.get_by_role("button", name="Show records").click()
    assert (await ended(page)).startswith("Complete")
    await expect(page.locator("#count-rows")).to_have_text(str(ROWS))
    await expect(page.locator("#count-failed")).to_have_text(str(found["rows"]["failed"]))


async def test_an_uploaded_list_is_called_what_it_was_called_here(
    page: Page, service: Service, picture_host: PictureHost, tmp_path: Path
) -> None:
    """Also after a reload, and above its records. Who has no name for it, and finds something else
    in its place, is told that it was uploaded.
    """
    path = tmp_path / "autumn <b>sale.tsv"
    path.write_text(f"{picture_host}/picture/1\n", encoding="utf-8")
    await choose(page, path)
    await page.get_by_role("button", name="Hand in as a job").click()
    lit = page.locator(".job.lit")
    await expect(lit.locator(".job-manifest")).to_have_text(path.name)
    job = str(await lit.get_attribute("data-job"))
    await Api(service).done(job)

    await page.reload()
    await jobs(page)
    await expect(card(page, job).locator(".job-manifest")).to_have_text(path.name)
    await card(page, job).get_by_role("button", name="Show records").click()
    await expect(page.locator(".brief p")).to_have_text(f"Job {job} · {path.name}")
    await ended(page)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save NDJSON").click()
    assert (await download.value).suggested_filename == "autumn-b-sale.ndjson"

    for other in ("null", "{}", "[[1, 2], 3]", "no JSON"):
        await page.evaluate("(text) => localStorage.setItem('imagecensus.lists', text)", other)
        await page.reload()
        await jobs(page)
        await expect(card(page, job).locator(".job-manifest")).to_have_text("an uploaded list")

    kept = json.dumps([["1-1", "another"], [job, path.name]])
    await page.evaluate("(text) => localStorage.setItem('imagecensus.lists', text)", kept)
    await card(page, job).get_by_role("button", name="Delete").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete it").click()
    await expect(card(page, job)).not_to_be_attached()
    kept = await page.evaluate("() => localStorage.getItem('imagecensus.lists')")
    assert json.loads(kept) == [["1-1", "another"]]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("   ", "an uploaded list"),
        ("evil\u202evst.tsv", "evil\ufffdvst.tsv"),
        (
            "\U0001f468\u200d\U0001f469" * 200,
            "\U0001f468\u200d\U0001f469" * 66 + "\U0001f468\u200d",
        ),
    ],
    ids=["blank", "turned", "long"],
)
async def test_names_of_lists_that_mislead(
    open_page: OpenPage, replayed: Replayed, name: str, shown: str
) -> None:
    """They are shown as far as they can be read, or not at all."""
    replayed.tell({"job": JOB}, status=202, path="/api/v1/images_info_async", method="POST")
    other = told("1-1", manifest="evil\u202evst.tsv")
    jobs = {"jobs": [told(manifest="upload"), other], "next": None}
    replayed.tell(jobs, path="/api/v1/jobs")
    page = await open_page(replayed.url)
    await page.evaluate(HANDED_IN, name)
    await page.get_by_role("button", name="Hand in as a job").click()
    await expect(card(page, JOB).locator(".job-manifest")).to_have_text(shown)
    manifest = card(page, "1-1").locator(".job-manifest")
    await expect(manifest).to_have_text("evil\ufffdvst.tsv")
    await expect(manifest).to_have_attribute("title", "evil\ufffdvst.tsv")


async def test_results_are_saved_as_lines_and_as_a_table(page: Page, service: Service) -> None:
    """NDJSON and CSV have the same rows; Parquet is Parquet."""
    job = await Api(service).hand_in(filepath="pictures.tsv")
    await Api(service).done(job)
    await jobs(page)
    buttons = card(page, job).get_by_role("group", name="Save results as")

    text = await text_of(page, buttons.get_by_role("button", name="NDJSON"))
    lines = [json.loads(line) for line in text.splitlines()]
    indexes = sorted(line["index"] for line in lines if line["type"] == "image")
    assert indexes == list(range(ROWS))

    table = csv.DictReader(
        io.StringIO(await text_of(page, buttons.get_by_role("button", name="CSV")))
    )
    assert sorted(int(row["index"]) for row in table) == indexes

    async with page.expect_download() as download:
        await buttons.get_by_role("button", name="Parquet").click()
    path = await (await download.value).path()
    assert (await asyncio.to_thread(path.read_bytes))[:4] == b"PAR1"
    assert (await download.value).suggested_filename == f"job-{job}.parquet"


async def test_a_key_is_sent_with_what_is_saved(
    open_page: OpenPage, keyed: Service, watch: Watch
) -> None:
    """Lines as well, which come by a plain link where there is no key."""
    watch.allow("status of 401")
    page = await open_page(keyed.url)
    await name(page, "pictures.tsv")
    await page.get_by_role("button", name="Hand in as a job").click()
    await page.get_by_label("Key", exact=True).fill(KEY)
    await page.keyboard.press("Enter")
    done = page.locator(".job.lit")
    await expect(done.locator(".pill")).to_have_text("done", timeout=60_000)

    text = await text_of(page, done.get_by_role("button", name="NDJSON"))

    assert json.loads(text.splitlines()[-1])["rows"] == ROWS
    await done.locator("summary").click()
    commands = done.locator(".job-commands")
    await expect(commands).to_contain_text("$CENSUS_API_KEY")
    await expect(commands).not_to_contain_text(KEY)

    await done.get_by_role("button", name="Delete").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete it").click()
    await expect(page.locator("#view-jobs")).to_contain_text("No jobs yet")


async def test_a_key_that_is_asked_for_is_sent_with_what_is_saved(
    open_page: OpenPage, keyed: Service, watch: Watch
) -> None:
    """It was forgotten when the button was pressed, and is given then."""
    watch.allow("status of 401")
    page = await open_page(keyed.url)
    await page.evaluate("(key) => sessionStorage.setItem('imagecensus.key', key)", KEY)
    await page.reload()
    await name(page, "pictures.tsv")
    await page.get_by_role("button", name="Hand in as a job").click()
    done = page.locator(".job.lit")
    await expect(done.locator(".pill")).to_have_text("done", timeout=60_000)
    await page.get_by_role("button", name="Forget key").click()

    async with page.expect_download() as download:
        await done.get_by_role("button", name="NDJSON").click()
        await page.get_by_label("Key", exact=True).fill(KEY)
        await page.keyboard.press("Enter")

    path = await (await download.value).path()
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    assert json.loads(text.splitlines()[-1])["rows"] == ROWS
    await done.get_by_role("button", name="Delete").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete it").click()
    await expect(page.locator("#view-jobs")).to_contain_text("No jobs yet")


async def test_what_is_under_way_cannot_be_pressed_again(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Whatever is known of the job meanwhile; all else can be pressed."""

    def at(done: int, **members: Any) -> dict[str, Any]:
        rows = {"total": 5, "expected": None, "done": done, "ok": done, "failed": 0}
        return told(rows=rows, **members)

    async def known(done: int) -> None:
        replayed.tell({"jobs": [at(done)], "next": None})
        await expect(one).to_contain_text(f"{done} of 5 rows done")

    go_on = asyncio.Event()
    path = f"/api/v1/jobs/{JOB}"
    replayed.tell({"jobs": [at(2)], "next": None})
    replayed.say(start(), image(0), go_on, summary(1), method="GET", path=f"{path}/results")
    page = await open_page(replayed.url)
    await page.evaluate("(key) => sessionStorage.setItem('imagecensus.key', key)", KEY)
    await jobs(page)
    one = card(page, JOB)
    save, show = (one.get_by_role("button", name=name) for name in ("NDJSON", "Show records"))
    cancel, remove = (one.get_by_role("button", name=name) for name in ("Cancel", "Delete"))

    await save.click()
    await expect(one).to_contain_text("so far")
    for done in (2, 3):
        await known(done)
        await expect(save).to_be_disabled()
        for other in (show, cancel, remove):
            await expect(other).to_be_enabled()
    async with page.expect_download():
        go_on.set()
    await expect(save).to_be_enabled()
    await expect(one).not_to_contain_text("so far")

    answered = asyncio.Event()
    steps = (answered, json.dumps(at(4, state="cancelled")).encode())
    replayed.replies["POST", f"{path}/cancel"] = Reply(steps, 200, "application/json")
    await cancel.click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Cancel the job").click()
    for done in (3, 4):
        await known(done)
        for other in (save, show, cancel, remove):
            await expect(other).to_be_disabled()
    replayed.tell({"jobs": [at(4, state="cancelled")], "next": None})
    answered.set()
    await expect(one.locator(".pill")).to_have_text("cancelled")
    await expect(remove).to_be_enabled()
    await expect(save).to_be_enabled()


async def test_what_is_left_of_released_results_is_saved(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """By the plain link and by the one that is asked for."""
    job, path = told(state="done", released="5-0"), f"/api/v1/jobs/{JOB}"
    replayed.tell({"jobs": [job], "next": None})
    replayed.tell(job, path=path)
    replayed.say(start(), image(0), summary(1), method="GET", path=f"{path}/results")
    page = await open_page(replayed.url)
    await jobs(page)

    for form in ("NDJSON", "CSV"):
        await text_of(page, card(page, JOB).get_by_role("button", name=form))

    asked = [one.query for one in replayed.asked if one.path.endswith("/results")]
    assert asked == [{"after": "5-0"}] * 2


async def test_a_job_is_cancelled_and_deleted_when_it_is_confirmed(
    open_page: OpenPage, narrow: Service, slow_host: PictureHost
) -> None:
    """Escape and the other button mean no; then it is done."""
    page = await open_page(narrow.url)
    job = await Api(narrow).hand_in(images=[f"{slow_host}/picture/{row}" for row in range(200)])
    await jobs(page)
    one = card(page, job)
    await expect(one.locator(".pill")).to_have_text("running")
    cancel = one.get_by_role("button", name="Cancel")
    dialog = page.get_by_role("alertdialog")

    await cancel.click()
    await expect(dialog.get_by_role("button", name="Let it run")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await cancel.click()
    await dialog.get_by_role("button", name="Let it run").click()
    await expect(one.locator(".pill")).to_have_text("running")
    await cancel.click()
    await dialog.get_by_role("button", name="Cancel the job").click()
    await expect(one.locator(".pill")).to_have_text("cancelled")
    await expect(cancel).to_be_hidden()

    await one.get_by_role("button", name="Delete").click()
    await expect(dialog).to_contain_text("Gone for good")
    await dialog.get_by_role("button", name="Delete it").click()
    await expect(one).to_have_count(0)
    await expect(page.locator("#view-jobs")).to_contain_text("No jobs yet")
    assert (await Api(narrow).ask(f"jobs/{job}"))["status"] == 404


async def test_a_job_that_is_gone_by_the_time_it_is_pressed(
    page: Page, service: Service, watch: Watch
) -> None:
    """It is told in words, and stands there no longer at the next look."""
    watch.allow("status of 404")
    job = await Api(service).hand_in(filepath="pictures.tsv")
    await Api(service).done(job)
    await jobs(page)
    one = card(page, job)
    await expect(one.locator(".pill")).to_have_text("done")

    await Api(service).ask(f"jobs/{job}", method="DELETE")
    await one.get_by_role("button", name="NDJSON").click()

    await expect(one.get_by_role("alert")).to_contain_text("no such job any more")
    await page.get_by_role("button", name="Refresh").click()
    await expect(one).to_have_count(0)


async def test_without_jobs_it_is_told_how_to_hand_one_in(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """The form, curl, redis-cli; the commands can be copied."""
    replayed.tell({"jobs": [], "next": None})
    page = await open_page(replayed.url, permissions=["clipboard-read", "clipboard-write"])
    await jobs(page)
    empty = page.locator(".jobs-empty")
    await expect(empty).to_contain_text("three ways")

    await empty.get_by_role("button", name="Copy: or with redis-cli").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == "./scripts/redis-cli XADD census:jobs '*' kind images_info filepath sample.tsv"
    await empty.get_by_role("button", name="Fill in the form").click()
    await expect(page.locator("#list")).to_be_focused()


async def test_without_redis_it_is_told_and_lists_are_looked_at_all_the_same(
    open_page: OpenPage, start: Callable[..., Service], watch: Watch
) -> None:
    """A Redis that is not there."""
    watch.allow("status of 503")
    page = await open_page(start(REDIS_URL="redis://127.0.0.1:9/0").url)
    await jobs(page)
    await expect(page.locator("#view-jobs > .problem")).to_contain_text("Redis, and it is away")

    await page.get_by_role("button", name="New list").click()
    await name(page, "pictures.tsv")
    await page.get_by_role("button", name="Look now").click()
    assert (await ended(page)).startswith("Complete")


async def test_jobs_are_looked_at_again_when_redis_is_back(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """What is known stays to be seen meanwhile."""
    watch.allow("status of 503")
    replayed.tell({"jobs": [told()], "next": None})
    page = await open_page(replayed.url)
    await jobs(page)
    await expect(card(page, JOB)).to_contain_text("2 of 5 rows done")
    away = {"status": 503, "error": "Redis does not answer", "detail": "Redis does not answer"}
    replayed.tell(away, status=503)
    problem = page.locator("#view-jobs > .problem")
    await expect(problem).to_contain_text("it is away")
    await expect(card(page, JOB)).to_be_visible()

    rows = {"total": 5, "expected": None, "done": 4, "ok": 3, "failed": 1}
    replayed.tell({"jobs": [told(rows=rows)], "next": None})

    await expect(card(page, JOB)).to_contain_text("4 of 5 rows done")
    await expect(problem).to_be_hidden()


async def test_why_a_job_does_not_go_on(open_page: OpenPage, replayed: Replayed) -> None:
    """Paused, failed, waiting for a consumer, read in part."""
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"paused": True, "reason": "results wait: read them"}, "paused", "Paused: results wait"),
        ({"state": "failed", "reason": "no such file"}, "failed", "Failed: no such file"),
        ({"state": "queued", "started": None}, "waiting", "Nobody has taken it yet"),
        ({"released": "5-0"}, "running", "Results up to 5-0 were released"),
    ]
    ids = [JOB.replace("-0", f"-{at}") for at in range(len(cases))]
    listed = [told(job, **members) for job, (members, _, _) in zip(ids, cases, strict=True)]
    replayed.tell({"jobs": listed, "next": None})
    page = await open_page(replayed.url)
    await jobs(page)

    for job, (_, pill, says) in zip(ids, cases, strict=True):
        one = card(page, job)
        await expect(one.locator(".pill"), says).to_have_text(pill)
        await expect(one.locator(".note, .problem").first).to_contain_text(says)


async def test_earlier_jobs_and_jobs_that_expire(open_page: OpenPage, replayed: Replayed) -> None:
    """By pages, newest first, at 390 pixels; what is no longer kept goes."""
    first = [told(f"17638480000{row:02}-0", state="done") for row in range(60, 30, -1)]
    replayed.tell({"jobs": first, "next": first[-1]["id"]})
    page = await open_page(replayed.url, viewport={"width": 390, "height": 844})
    await jobs(page)
    await expect(page.locator(".job")).to_have_count(30)
    later = [told(f"17638480000{row:02}-0", state="done") for row in range(30, 25, -1)]
    replayed.tell({"jobs": later, "next": None})
    await page.get_by_role("button", name="Earlier jobs").click()
    await expect(page.locator(".job")).to_have_count(35)
    await expect(page.get_by_role("button", name="Earlier jobs")).to_be_hidden()
    asked = [one.query for one in replayed.asked if one.path == "/api/v1/jobs"]
    assert asked[-1]["after"] == first[-1]["id"]

    replayed.tell({"jobs": first[1:] + later[:1], "next": later[0]["id"]})
    await page.get_by_role("button", name="Refresh").click()

    await expect(page.locator(".job")).to_have_count(34)
    ids = await page.locator(".job").evaluate_all("(all) => all.map((one) => one.dataset.job)")
    assert ids == [job["id"] for job in first[1:] + later]
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


async def test_commands_say_the_same_job_again(open_page: OpenPage, replayed: Replayed) -> None:
    """With the options that were set, quoted for a shell."""
    options = {"depth": "full", "thumbnail": 96, "limit": None, "ordered": False}
    replayed.tell({"jobs": [told(manifest="it's here.tsv", options=options)], "next": None})
    page = await open_page(replayed.url)
    await jobs(page)
    await card(page, JOB).locator("summary").click()

    codes = await card(page, JOB).locator("code").all_inner_texts()
    assert f"./scripts/redis-cli HGETALL '{{census:jobs}}:job:{JOB}'" in codes
    assert (
        "./scripts/redis-cli XADD census:jobs '*' kind images_info filepath 'it'\\''s here.tsv'"
        " depth full thumbnail 96" in codes
    )
    assert f"curl -N '{replayed.url}/api/v1/jobs/{JOB}/results?follow=1'" in codes
