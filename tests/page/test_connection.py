"""What becomes of a census where the service ends, or the line is cut."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.async_api import Page, expect

from tests.asserts import wait_until
from tests.e2e.serving import started
from tests.page.acting import ended, look, records, write
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.cutting import proxied
from tests.page.handing_in import JOB, Api, told
from tests.page.replaying import CUT, Replayed, Reply, image, start, summary
from tests.page.services import Service, running
from tests.picture_hosts import PictureHost

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.lengthy]

RESULTS = f"/api/v1/jobs/{JOB}/results"
ROWS = 3000
#: What Chromium says of each of these on its console.
CUT_OFF = r"net::ERR_(INCOMPLETE_CHUNKED|CONNECTION|EMPTY_RESPONSE|ABORTED|SOCKET)"
#: A job of few rows in many shards, so that there are many cursors.
SMALL_SHARDS = {"SHARD_ROWS": "16"}


async def job_of(service: Service, host: PictureHost, rows: int = ROWS) -> str:
    """A job of so many rows, done: few pictures, asked for once each."""
    lines = [f"r{row}\t{host}/picture/{row % 16}\n" for row in range(rows)]
    (service.data_root / "many.tsv").write_text("id\turl\n" + "".join(lines), encoding="utf-8")
    job = await Api(service).hand_in(filepath="many.tsv")
    await Api(service).done(job)
    return job


async def show(page: Page) -> None:
    """Show the records of the newest job."""
    await page.get_by_role("tab", name="Jobs").click()
    await page.get_by_role("button", name="Show records").first.click()


async def saved(page: Page) -> list[dict[str, Any]]:
    """The lines that the page has, as it saves them."""
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save NDJSON").click()
    path = await (await download.value).path()
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


async def check_whole(page: Page, rows: int) -> None:
    """Every row came, and none twice."""
    assert (await ended(page)).startswith("Complete")
    await expect(page.locator("#count-rows")).to_have_text(f"{rows:,}")
    lines = await saved(page)
    indexes = [line["index"] for line in lines if line["type"] == "image"]
    assert sorted(indexes) == list(range(rows))
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["rows"] == rows


async def test_a_link_to_a_job_whose_results_were_released_in_part(
    open_page: OpenPage, start: Any, picture_host: PictureHost
) -> None:
    """Those behind them come, from the card, by a reload and by the address."""
    service = start(**SMALL_SHARDS)
    job = await job_of(service, picture_host, rows=1000)
    with await asyncio.to_thread(urlopen, f"{service.url}/api/v1/jobs/{job}/results") as answer:
        lines = [json.loads(line) for line in await asyncio.to_thread(answer.readlines)]
    cursor = next(line["cursor"] for line in lines if line["type"] == "progress")
    released = await Api(service).ask(f"jobs/{job}?through={cursor}", method="DELETE")
    rest = 1000 - released["rows"]
    assert 0 < rest < 1000
    page = await open_page(service.url)
    await show(page)
    await ended(page)
    await expect(page.locator("#count-rows")).to_have_text(str(rest))
    assert page.url == f"{service.url}/?job={job}#pictures"

    await page.reload()

    await ended(page)
    await expect(page.locator("#count-rows")).to_have_text(str(rest))
    await expect(page.locator("#tally-problem")).to_be_hidden()
    await expect(page.locator(".brief")).to_contain_text(f"Job {job} · many.tsv")


async def test_a_link_to_a_job_that_is_gone_or_away(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """Gone, it is told, and once; away, it is waited for, and the results come from their begin."""
    watch.allow("status of (404|410|503)")
    job = f"/api/v1/jobs/{JOB}"
    for status in (404, 410):
        replayed.asked.clear()
        for path in (job, RESULTS):
            replayed.tell({"status": status, "detail": "no such job"}, status=status, path=path)
        page = await open_page(f"{replayed.url}/?job={JOB}")
        assert await ended(page) == "The service refused", status
        await expect(page.locator("#tally-problem"), str(status)).to_have_text("no such job")
        await page.evaluate("() => new Promise(requestAnimationFrame)")
        assert [one.path for one in replayed.asked] == [job, RESULTS], status

    for path in (job, RESULTS):
        replayed.tell({"status": 503, "detail": "Redis does not answer"}, status=503, path=path)
    page = await open_page(f"{replayed.url}/?job={JOB}")
    await expect(page.locator("#tally-state")).to_contain_text("asked for again")
    replayed.asked.clear()
    replayed.tell(told(released="5-0"), path=job)
    replayed.tell({"status": 410, "detail": "released"}, status=410, path=RESULTS)

    def asked() -> list[tuple[str, str | None]]:
        return [(one.path, one.query.get("after")) for one in replayed.asked]

    await wait_until(lambda: (RESULTS, "5-0") in asked())
    assert await ended(page) == "The service refused"  # for good: it answers so with `after` too
    assert asked()[-3:] == [(RESULTS, None), (job, None), (RESULTS, "5-0")]


async def test_results_that_are_released_before_they_are_shown(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """The card does not know of it yet: the job is asked once where its results begin."""
    watch.allow("status of 410")
    replayed.tell({"jobs": [told()], "next": None})
    replayed.tell(told(released="5-0"), path=f"/api/v1/jobs/{JOB}")
    replayed.tell({"status": 410, "detail": "released"}, status=410, path=RESULTS)
    page = await open_page(replayed.url)
    await show(page)

    def asked() -> list[str | None]:
        return [one.query.get("after") for one in replayed.asked if one.path == RESULTS]

    await wait_until(lambda: len(asked()) == 2)
    assert await ended(page) == "The service refused"
    assert asked() == [None, "5-0"]


async def test_another_job_is_shown_while_one_is_asked_for(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """What is known of the first comes too late to be shown."""
    late, other = asyncio.Event(), JOB.replace("-0", "-1")
    steps = (late, json.dumps(told()).encode())
    replayed.replies["GET", f"/api/v1/jobs/{JOB}"] = Reply(steps, 200, "application/json")
    replayed.say(start(), image(0), summary(1), method="GET", path=RESULTS)
    replayed.tell({"jobs": [told(other)], "next": None})
    given = (start(), image(0), image(1), summary(2))
    replayed.say(*given, method="GET", path=f"/api/v1/jobs/{other}/results")
    page = await open_page(f"{replayed.url}/?job={JOB}")
    await expect(page.locator(".brief")).to_contain_text(f"Job {JOB}")
    await show(page)
    assert await ended(page) == "Complete: 100 % ok"

    async with page.expect_event("requestfinished", lambda one: one.url.endswith(JOB)):
        late.set()

    await page.get_by_role("tab", name="Jobs").click()
    async with page.expect_event("requestfinished"):
        await page.get_by_role("button", name="Refresh").click()
    assert RESULTS not in [one.path for one in replayed.asked]
    await expect(page.locator("#count-rows")).to_have_text("2")
    assert page.url.startswith(f"{replayed.url}/?job={other}#")


async def test_results_that_are_cut_again_and_again_come_whole(
    open_page: OpenPage, start: Any, watch: Watch, picture_host: PictureHost
) -> None:
    """A proxy cuts each of the first connections in the middle of a line."""
    watch.allow(CUT_OFF)
    service = start(**SMALL_SHARDS)
    await job_of(service, picture_host)
    async with proxied(service.process.port) as proxy:
        proxy.cut_after = [30_000, 350_000, 350_000, 350_000]
        page = await open_page(proxy.url)
        await show(page)

        await check_whole(page, ROWS)
        assert proxy.cuts == 4


async def test_results_go_on_where_the_service_was_killed(
    open_page: OpenPage, tmp_path: Path, watch: Watch, picture_host: PictureHost
) -> None:
    """Killed while they come, and started again on the same files."""
    watch.allow(CUT_OFF)
    with running(tmp_path, picture_host, **SMALL_SHARDS) as service:
        await job_of(service, picture_host)
        async with proxied(service.process.port) as proxy:
            proxy.stall_after = 800_000
            page = await open_page(proxy.url)
            await show(page)
            await proxy.stalled.wait()
            before = int((await page.locator("#count-rows").inner_text()).replace(",", ""))
            await asyncio.to_thread(service.process.end, signal.SIGKILL)
            proxy.go_on.set()

            await expect(page.locator("#tally-state")).to_contain_text("asked for again")
            with started(tmp_path, **SMALL_SHARDS) as again:
                proxy.upstream = again.port
                await check_whole(page, ROWS)
                assert before < ROWS


async def test_a_job_that_is_deleted_while_it_is_followed(
    open_page: OpenPage, narrow: Service, slow_host: PictureHost
) -> None:
    """It is told, once: nobody asks again."""
    slow = [f"{slow_host}/picture/{row}" for row in range(200)]
    job = await Api(narrow).hand_in(images=slow)
    page = await open_page(narrow.url)
    await page.get_by_role("tab", name="Jobs").click()
    await expect(page.locator(".job .pill")).to_have_text("running")
    await page.get_by_role("button", name="Show records").click()
    await expect(page.locator("#tally-state")).to_contain_text("Running")

    await Api(narrow).ask(f"jobs/{job}", method="DELETE")

    assert await ended(page) == "Not complete: deleted"
    await expect(page.locator("#tally-stop")).to_be_hidden()


async def test_a_job_that_is_gone_when_it_is_asked_for_again(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """Cut, then gone: what came is kept, and it is told why there is no more."""
    watch.allow(CUT_OFF)
    watch.allow("status of 4(10|04)")
    replayed.tell({"jobs": [told()], "next": None})
    progress = {"type": "progress", "done": 2, "failed": 0, "cursor": "5-0"}
    first = (start(), image(0), image(1), progress, image(2))
    page = await open_page(replayed.url)
    for status, says in ((410, "no longer kept"), (404, "no such job")):
        replayed.asked.clear()
        go_on = asyncio.Event()
        replayed.say(*first, go_on, CUT, method="GET", path=RESULTS)
        await show(page)
        await expect(page.locator("#count-rows"), says).to_have_text("3")
        await expect(page.locator("#tally-state"), says).to_contain_text("Running")
        replayed.tell({"status": status, "detail": says}, status=status, path=RESULTS)
        go_on.set()

        await expect(page.locator("#tally-problem")).to_contain_text(says)
        assert (await ended(page)).startswith("The service refused"), says
        await expect(records(page), says).to_have_count(3)
        asked_for = [one for one in replayed.asked if one.path == RESULTS]
        assert [one.query.get("after") for one in asked_for] == [None, "5-0"], says


async def test_lines_that_come_again_count_once(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """What came behind the last cursor comes again, and some of it was kept."""
    watch.allow(CUT_OFF)
    replayed.tell({"jobs": [told()], "next": None})
    progress = {"type": "progress", "done": 2, "failed": 0, "cursor": "5-0"}
    cut = asyncio.Event()
    first = (start(), image(0), image(1), progress, image(2), image(3), b'{"type":"im', cut, CUT)
    replayed.say(*first, method="GET", path=RESULTS)
    page = await open_page(replayed.url)
    await show(page)
    await expect(page.locator("#count-rows")).to_have_text("4")
    replayed.say(start(), image(3), image(2), image(4), summary(5), method="GET", path=RESULTS)
    cut.set()

    assert await ended(page) == "Complete: 100 % ok"
    await expect(page.locator("#count-rows")).to_have_text("5")


async def test_who_comes_back_to_the_page_need_not_wait(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """A service that is away is asked at once when the page is looked at again."""
    watch.allow(CUT_OFF)
    replayed.tell({"jobs": [told()], "next": None})
    replayed.say(start(), image(0), CUT, method="GET", path=RESULTS)
    page = await open_page(replayed.url)
    await show(page)
    await expect(page.locator("#tally-state")).to_contain_text("asked for again")

    def times() -> int:
        return sum(one.path == RESULTS for one in replayed.asked)

    await wait_until(lambda: times() >= 3, timeout=20)
    for _ in range(6):  # more than come by themselves in the seconds a test has
        before = times()
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await wait_until(lambda before=before: times() > before)
        await expect(page.locator("#tally-state")).to_contain_text("asked for again")
    replayed.say(start(), image(0), image(1), summary(2), method="GET", path=RESULTS)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert await ended(page) == "Complete: 100 % ok"


async def test_an_answer_that_is_not_of_the_service(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """A proxy that shows a page of its own with status 200: it is no census of nothing."""
    replayed.tell({"sign": "in"}, method="POST", path="/api/v1/images_info")
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/0.jpg")
    await look(page)

    assert await ended(page) == "The service refused"
    await expect(page.locator("#tally-problem")).to_contain_text("not the service")
