"""F6: rows that kill whoever looks at them."""

from __future__ import annotations

import os
import zlib

from scripts.chaotic.deadly import DEADLY_PICTURE
from scripts.chaotic.entered import INFO
from scripts.chaotic.stage import DEADLY, Setting, staged
from scripts.chaotic.verdict import Verdict

__all__ = ["poison_rows"]

PICTURE = "made-0000-plain.jpg"
#: Consumers that may die of one row.
DEATHS = 12


def poison_rows(setting: Setting) -> Verdict:
    """F6: one row kills the consumer; one picture the pool's process, in a job with every row."""
    os.environ[DEADLY_PICTURE] = str(zlib.crc32(setting.foretold.data[PICTURE]))
    with staged(setting, "F6") as stage:
        crew = stage.crew_of(program=DEADLY)
        crew.hire(2)
        stage.book.deadly = PICTURE  # in batches there are survivors beside it
        for kind in setting.kinds:
            stage.enter(
                150,
                kind=kind,
                prefix=lambda row: "/deadly" if row == 70 else "",
                wanted=lambda row: "worker_died" if row == 70 else None,
            )
            stage.enter(100, kind=kind)
            if not setting.short:
                stage.enter(
                    24,
                    kind=kind,
                    prefix=lambda _: f"/by-name/{PICTURE}?",
                    wanted=lambda _: "worker_died",
                    **({"depth": "full"} if kind == INFO else {}),
                )
        stage.until(stage.settled, seconds=180)
        # Here they are meant to end.
        deaths, crew.died = crew.died, 0
        most = DEATHS * len(setting.kinds)
        stage.verdict.check(deaths <= most, f"{deaths} consumers died of {most // DEATHS} rows")
        stage.verdict.figures["consumers died of a row of each kind"] = str(deaths)
        stage.judge()
    return stage.verdict
