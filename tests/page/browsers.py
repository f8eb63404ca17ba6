"""A Chromium of this machine, and all that goes wrong in it while it shows the page."""

from __future__ import annotations

import os
import re
import shutil
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Request, WebError

__all__ = ["ARGUMENTS", "MISSING", "Watch", "find_chromium"]

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

    async def over(self, context: BrowserContext, url: str) -> None:
        """Watch all pages of *context*, which may ask for things of the origin of *url* only."""
        origin = urlsplit(url)[:2]

        def told(message: ConsoleMessage) -> None:
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

        context.on("console", told)
        context.on("weberror", thrown)
        context.on("request", asked)
        await context.add_init_script(_TELL)

    def unexpected(self) -> list[str]:
        """What was not allowed."""
        return [
            said
            for said in self.wrong
            if not any(allowed.search(said) for allowed in self._allowed)
        ]
