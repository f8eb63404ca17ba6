"""What is watched in every test of the page: nothing wrong goes unseen."""

from __future__ import annotations

import re

import pytest

from tests.asserts import wait_until
from tests.page.acting import ended, look
from tests.page.browsers import Watch
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed

pytestmark = pytest.mark.asyncio(loop_scope="session")


#: What goes wrong, and what is told of it.
WRONG = (
    ("console.error('so much')", r"console: so much"),
    ("setTimeout(() => { throw new Error('thrown here') })", r"thrown: .*thrown here"),
    ("Promise.reject(new Error('nobody waits'))", r"thrown: .*nobody waits"),
    ("document.body.setAttribute('style', 'color: red')", r"policy violated: style-src-attr"),
    (
        "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x' }))",
        r"policy violated: img-src http://127\.0\.0\.1:9",
    ),
    (
        "try { document.body.innerHTML = '<img src=x onerror=globalThis.ran=1>' } catch {}",
        r"policy violated: require-trusted-types-for",
    ),
)


async def test_what_goes_wrong_is_told(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """Errors, thrown things, and what the policy of the page does not let happen."""
    page = await open_page(replayed.url)
    assert watch.unexpected() == []

    for script, told in WRONG:
        await page.evaluate(f"() => {{ {script} }}")
        found = re.compile(told)
        await wait_until(lambda found=found: any(map(found.search, watch.unexpected())))
        assert await page.evaluate("globalThis.ran") is None, script
    watch.allow("")


async def test_the_worker_is_watched_too(
    open_page: OpenPage, replayed: Replayed, watch: Watch
) -> None:
    """A stream that is no NDJSON: the worker says so on its console."""
    replayed.say(b"{no json\n")
    page = await open_page(replayed.url)
    await page.locator("#list").fill("http://pictures.invalid/1.jpg")
    await look(page)

    await ended(page)
    watch.allow("console: SyntaxError")
    await wait_until(lambda: watch.wrong)
    assert f"{replayed.url}/api/v1/images_info" in {url.partition("?")[0] for url in watch.requests}
