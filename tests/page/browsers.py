"""A Chromium of this machine, and all that goes wrong in it while it shows the page."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    WebError,
)

__all__ = ["ARGUMENTS", "MISSING", "Tab", "Watch", "find_chromium", "new_page"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "there is no Chromium on PATH or where CHROMIUM_BIN says: the package of Debian is `chromium`"
)
#: Nothing is asked of anybody but the service; it runs as root in a container as well.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
#: Schemes of what a page has within itself.
_INSIDE = frozenset({"data", "blob", "about"})
#: Tells of each violation of the policy, also of those that Chromium keeps to itself.
_TELL = "addEventListener('securitypolicyviolation', (event) => console.error("
_TELL += "`policy violated: ${event.effectiveDirective} ${event.blockedURI}`))"
#: Nothing of the page runs there, and it is of the same origin: no other process is needed.
_NOWHERE = "/static/icon.svg"
_SCREEN = {"width": 1280, "height": 720}


def find_chromium() -> str | None:
    """The program that tests run: the one of CHROMIUM_BIN, else one on PATH."""
    for name in (os.environ.get("CHROMIUM_BIN"), "/usr/bin/chromium", *NAMES):
        if name and (found := shutil.which(name)):
            return found
    return None


class Watch:
    """What went wrong in the pages of a test, as sentences; what was asked for, as URLs."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        """What this pattern is found in is meant to happen in this test."""
        self._allowed.append(re.compile(pattern))

    def over(self, context: BrowserContext, url: str) -> Callable[[], None]:
        """Watch all pages of *context*, which may ask for things of the origin of *url* only.

        Until what is returned is called.
        """
        origin = urlsplit(url)[:2]

        def told(message: ConsoleMessage) -> None:
            # No page of ours asks for that one: a browser does, of what names no icon.
            if message.location["url"].endswith("/favicon.ico"):
                return
            if message.type in ("error", "assert"):
                self.wrong.append(f"console: {message.text} ({message.location['url']})")

        def thrown(error: WebError) -> None:
            cause = error.error
            stack = cause.stack if isinstance(cause, Error) else None
            self.wrong.append(f"thrown: {stack or cause}")

        def asked(request: Request) -> None:
            self.requests.append(request.url)
            parts = urlsplit(request.url)
            if parts[:2] != origin and parts.scheme not in _INSIDE:
                self.wrong.append(f"asked elsewhere: {request.url}")

        def no_more() -> None:
            context.remove_listener("console", told)
            context.remove_listener("weberror", thrown)
            context.remove_listener("request", asked)

        context.on("console", told)
        context.on("weberror", thrown)
        context.on("request", asked)
        return no_more

    def unexpected(self) -> list[str]:
        """What was not allowed."""
        return [
            said
            for said in self.wrong
            if not any(allowed.search(said) for allowed in self._allowed)
        ]


async def new_page(browser: Browser, patience_ms: float, **options: Any) -> Page:
    """A page in a context of its own, which its maker closes."""
    context = await browser.new_context(**options)
    context.set_default_timeout(patience_ms)
    await context.add_init_script(_TELL)
    return await context.new_page()


class Tab:
    """A page that tests have one after the other.

    It is loaded anew for each and remembers nothing; a page in a process of its own costs three
    times as much.
    """

    #: What it can be given besides a URL.
    OPTIONS = frozenset({"viewport", "color_scheme", "reduced_motion"})

    def __init__(self, page: Page) -> None:
        self.page = page

    async def have(
        self, *, viewport: Any = None, color_scheme: Any = None, reduced_motion: Any = None
    ) -> Page:
        """The page with these options, and all others as they are at first."""
        await self.page.set_viewport_size(viewport or _SCREEN)
        await self.page.emulate_media(
            color_scheme=color_scheme or "light", reduced_motion=reduced_motion or "no-preference"
        )
        return self.page

    async def let_go(self) -> None:
        """Nothing of what was shown goes on, nothing is kept."""
        await self.page.mouse.move(0, 0)
        await self.page.goto(urljoin(self.page.url, _NOWHERE))
        await self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
