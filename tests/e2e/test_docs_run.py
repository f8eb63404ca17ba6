"""Every command of docs/, run as it stands there (but for ports): see docs/README.md."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.demo import Demo
from tests.e2e.reading import Printed, read
from tests.pages import PAGES, ROOT, Use, blocks
from tests.workers.manifest.stores import store_running

#: Read by test_readme.py and test_recipes.py.
READ_ELSEWHERE = (ROOT / "README.md", ROOT / "docs" / "redis.md")
#: Those with commands.
READ = [
    page
    for page in PAGES
    if page not in READ_ELSEWHERE
    and any(block.use in (Use.RUN, Use.SERVES) for block in blocks(page))
]
#: Read beside each other: commands mostly wait for themselves to be imported.
READERS = 2

Readings = dict[Path, Future[Printed]]


@pytest.fixture(scope="module")
def readings(demo: Demo, request: pytest.FixtureRequest) -> Iterator[Readings]:
    """The pages that tests of this module ask for, each being read, with an S3 that holds a list
    and pictures.
    """
    pages = [
        item.callspec.params["page"]
        for item in request.session.items
        if item.path == request.path and isinstance(item, pytest.Function)
    ]
    with store_running() as store, ThreadPoolExecutor(READERS) as readers:
        store.put("today/images.tsv", demo.sample.encode())
        for name in ("cat.jpg", "dog.jpg"):
            store.put(f"pictures/{name}", demo.picture(name))
        try:
            yield {page: readers.submit(read, page, demo) for page in pages}
        finally:
            readers.shutdown(cancel_futures=True)


@pytest.mark.timeout(600)  # a page has many commands, and stands in line
@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_works(page: Path, readings: Readings) -> None:
    """One block after the other, in a terminal and a Python of the page's own."""
    readings[page].result()
