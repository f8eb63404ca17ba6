"""F6: rows that kill whoever looks at them."""

from __future__ import annotations

import os
import zlib

from scripts.chaotic.deadly import DEADLY_PICTURE
from scripts.chaotic.stage import DEADLY, Setting, staged
from scripts.chaotic.verdict import Verdict

__all__ = ["poison_rows"]

PICTURE = "made-0000-plain.jpg"
DEATHS = 12


def poison_rows(setting: Setting) -> Verdict:
    """F6: one row kills the consumer; every row of a job kills the pool's process."""
    os.environ[DEADLY_PICTURE] = str(zlib.crc32(setting.foretold.data[PICTURE]))
    with staged(setting, "F6") as stage:
        crew = stage.crew_of(program=DEADLY)
        crew.hire(2)
        stage.enter(
            150,
            prefix=lambda row: "/deadly" if row == 70 else "",
            wanted=lambda row: "worker_died" if row == 70 else None,
        )
        stage.enter(100)
        if not setting.short:
            stage.enter(
                24,
                prefix=lambda _: f"/by-name/{PICTURE}?",
                wanted=lambda _: "worker_died",
                depth="full",
            )
        stage.until(stage.settled, seconds=180)
        # Here they are meant to end.
        deaths, crew.died = crew.died, 0
        stage.verdict.check(deaths <= DEATHS, f"{deaths} consumers died of one row")
        stage.verdict.figures["consumers died of one row"] = str(deaths)
        stage.judge()
    return stage.verdict
