"""`python -m server` for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.serving import ServerProcess, started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for the tests of a module."""
    with started(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start a server of the test's own, with the settings given."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(started(tmp_path, **settings))
