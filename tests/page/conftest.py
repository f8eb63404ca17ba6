"""The page of a real server in a real Chromium. Whatever goes wrong in it fails the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, async_playwright, expect

from tests import picture_hosts
from tests.page.acting import PATIENCE_MS
from tests.page.browsers import ARGUMENTS, MISSING, Tab, Watch, find_chromium, new_page
from tests.page.replaying import Replayed, replaying
from tests.page.services import KEY, Service, running
from tests.picture_hosts import PictureHost

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program; without one, these tests are skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A browser for the whole session."""
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tabs(browser: Browser) -> AsyncIterator[list[Tab]]:
    """The tab that tests have one after the other, while no test has it."""
    tabs = [Tab(await new_page(browser, PATIENCE_MS))]
    yield tabs
    for tab in tabs:
        await tab.page.context.close()


@pytest.fixture
def watch() -> Watch:
    """What goes wrong in the pages of this test; `watch.allow(pattern)` what is meant to."""
    return Watch()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, tabs: list[Tab], watch: Watch) -> AsyncIterator[OpenPage]:
    """Open a URL: `open_page(url, viewport=…, color_scheme=…)`, as if nobody had been there before.

    A second page, one with other options, and one with a `script` that runs before those of the
    page, have a context of their own. At the end of the test nothing unexpected may have been said
    or thrown or asked elsewhere.
    """
    async with AsyncExitStack() as stack:

        async def opened(url: str, *, script: str = "", **options: Any) -> Page:
            if tabs and not script and Tab.OPTIONS.issuperset(options):
                tab = tabs.pop()
                page = await tab.have(**options)
                stack.push_async_callback(taken_back, tab)
            else:
                page = await new_page(browser, PATIENCE_MS, **options)
                stack.push_async_callback(page.context.close)
                await page.add_init_script(script)
            stack.callback(watch.over(page.context, url))
            await page.goto(url)
            return page

        async def taken_back(tab: Tab) -> None:
            try:
                await tab.let_go()
            except Error:  # its service is gone, for one
                await tab.page.context.close()
                tab = Tab(await new_page(browser, PATIENCE_MS))
            tabs.append(tab)

        yield opened
        for context in browser.contexts:  # what they have to say has come then
            for page in context.pages:
                await page.title()
    assert watch.unexpected() == []


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, picture_host: PictureHost
) -> Iterator[Service]:
    """A service with a Redis and a consumer of its own, for the whole session."""
    with running(tmp_path_factory.mktemp("page"), picture_host) as service:
        yield service


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory, picture_host: PictureHost) -> Iterator[Service]:
    """One with a key, which is `KEY`, for the whole session."""
    with running(tmp_path_factory.mktemp("keyed"), picture_host, API_KEY=KEY) as service:
        yield service


@pytest.fixture(scope="session")
def narrow(
    tmp_path_factory: pytest.TempPathFactory, picture_host: PictureHost
) -> Iterator[Service]:
    """One that asks a host for one thing at a time, for the whole session: jobs take long."""
    folder = tmp_path_factory.mktemp("narrow")
    with running(folder, picture_host, MAX_CONNECTIONS_PER_HOST="1") as service:
        yield service


@pytest.fixture(scope="session")
def slow_host() -> Iterator[PictureHost]:
    """A host that takes two seconds for each answer: what is asked of it is under way for long."""
    with picture_hosts.started("--made", "4", "--latency-ms", "2000") as host:
        yield host


@pytest.fixture
def start(tmp_path: Path, picture_host: PictureHost) -> Iterator[Callable[..., Service]]:
    """Start a service of the test's own, once, with the settings given: `start(API_KEY="…")`."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(running(tmp_path, picture_host, **given))


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage, service: Service) -> Page:
    """The page of `service`."""
    return await open_page(service.url)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def replaying_server() -> AsyncIterator[Replayed]:
    """One for the whole session: what a browser has of the page need not be asked for again."""
    async with replaying() as server:
        yield server


@pytest.fixture
def replayed(replaying_server: Replayed) -> Replayed:
    """A server of the page that answers what the test tells it to."""
    replaying_server.forget()
    return replaying_server
