"""What keeps the children there belongs to no request."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

from imaging.options import Limits
from tests.asserts import wait_until
from tests.workers.pool import hostile_work
from workers.pool.pool import PoolSettings, open_pool

SETTINGS = PoolSettings(
    slots=1, memory_bytes=512 << 20, item_timeout=2.0, limits=Limits(), answer_margin=2.0
)


@pytest.fixture
def bound() -> Iterator[list[dict[str, object]]]:
    """What was bound to the context of each log line of the supervisor."""
    told: list[dict[str, object]] = []

    class Listener(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            told.append(structlog.contextvars.get_contextvars())

    logger, listener = logging.getLogger("workers.pool.supervisor"), Listener()
    logger.addHandler(listener)
    yield told
    logger.removeHandler(listener)


async def test_log_lines_of_children_carry_the_id_of_no_request(
    bound: list[dict[str, object]],
) -> None:
    """A child that was started while a request was answered lives on: its end is nobody's."""
    async with open_pool(replace(SETTINGS, recycle_items=1)) as pool:
        with structlog.contextvars.bound_contextvars(request_id="first"):
            async with pool.slot() as slot:
                [first] = await slot.run(hostile_work.process_id, [0])
            await wait_until(lambda: pool.warm)
        child = pool._supervisors[0]._child
        assert child is not None
        assert child.pid != first
        os.kill(child.pid, signal.SIGKILL)
        await wait_until(lambda: bound)

    assert bound == [{}]
