"""Whether it is alive, and whether it would work."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from server import keys
from tests.asserts import wait_until
from tests.server.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("path", ["/ping/", "/ping"])
async def test_ping_answers_as_ever(served: Served, path: str) -> None:
    """`{"ping": "pong"}`, to the letter."""
    answer = await served.ask(path, method="GET")

    assert (answer.status, answer.body) == (200, b'{"ping": "pong"}')


async def test_healthz_says_that_the_process_lives(served: Served) -> None:
    """200 and nothing that could fail."""
    answer = await served.ask("/healthz", method="GET")

    assert (answer.status, answer.json()) == (200, {"status": "alive"})


async def test_readyz_names_what_it_asked(served: Served) -> None:
    """200 with every check."""
    answer = await served.ask("/readyz", method="GET")

    assert answer.status == 200
    assert answer.json() == {"status": "ready", "checks": {"pool": True, "accepting": True}}


async def test_readyz_names_a_pool_that_does_not_answer(
    serve: Callable[..., Awaitable[Served]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 when its child hangs, 200 once that was replaced."""
    served = await serve()
    monkeypatch.setattr("server.health.PROBE_SECONDS", 0.2)
    pool = served.app[keys.ENGINE].pool
    child = pool._supervisors[0]._child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)

    answer = await served.ask("/readyz", method="GET")
    assert answer.status == 503
    assert answer.json() == {"status": "not ready", "checks": {"pool": False, "accepting": True}}

    await wait_until(lambda: pool.warm)
    monkeypatch.setattr("server.health.PROBE_SECONDS", 20)  # a busy machine takes its time
    assert (await served.ask("/readyz", method="GET")).status == 200


async def test_readyz_says_that_it_accepts_no_more(
    serve: Callable[..., Awaitable[Served]],
) -> None:
    """503 while draining, on connections that are still open; requests for work as well."""
    served = await serve()
    await served.app[keys.STREAMS].drain()

    answer = await served.ask("/readyz", method="GET")
    assert answer.status == 503
    assert answer.json()["checks"] == {"pool": True, "accepting": False}

    answer = await served.ask(json={"images": []})
    assert answer.problem(503)["error"] == "the server is shutting down"
    assert int(answer.headers["Retry-After"]) > 0
    assert (await served.ask("/healthz", method="GET")).status == 200
    await wait_until(lambda: not served.app[keys.STREAMS])
