"""How long a server is asked again that does not answer."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from scripts.cli.jobs.door import Unanswered
from scripts.cli.jobs.patience import GoneError, Patience


async def test_nobody_there_is_soon_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not where somebody was: a server that starts again takes longer."""
    monkeypatch.setattr("scripts.cli.jobs.patience.NOBODY_SECONDS", 0.05)
    told: list[str] = []
    nobody = Unanswered("nobody", refused=True)

    async def seconds(patience: Patience) -> float:
        began = time.monotonic()
        with suppress(GoneError):
            while True:
                await patience.rest(nobody)
        return time.monotonic() - began

    stranger, known = Patience(60, told.append), Patience(0.6, told.append)
    known.meet()

    assert await seconds(stranger) < 30
    assert await seconds(known) >= 0.55
    assert len(told) == 2


async def test_it_begins_anew_with_each_success() -> None:
    """And a server that asks for more than is left is not waited for."""
    patience = Patience(0.3, lambda _: None)
    for _ in range(4):
        await patience.rest(Unanswered("cut"))
        patience.renew()

    began = time.monotonic()
    with pytest.raises(GoneError, match="full"):
        await patience.rest(Unanswered("full", after=30.0))

    assert time.monotonic() - began < 10
