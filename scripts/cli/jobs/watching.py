"""Following a job until it has ended: its state, asked for again and again."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from scripts.cli import exits
from scripts.cli.exits import Refused
from scripts.cli.jobs.door import A_JOB, Door, Unanswered
from scripts.cli.jobs.jobs_told import ended_line, findings, plain
from scripts.cli.jobs.patience import Patience
from scripts.cli.progress import Figures, shown
from scripts.cli.saying import say

__all__ = ["code_of", "path_of", "told", "watch"]

_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)
ENDED = frozenset({"done", "failed", "cancelled"})
#: Between two questions: from the first, so that a short job is over at once, to the last.
LOOK_SECONDS = (0.1, 1.0)


@dataclass(slots=True)
class _JobFigures(Figures):
    """As the server counts them."""

    state_rate: float = 0.0
    state_eta: float | None = None

    @property
    def rate(self) -> float:
        """Rows a second, of late, of all consumers together."""
        return self.state_rate

    @property
    def eta(self) -> float | None:
        """Seconds until all is done, as the server has it."""
        return self.state_eta

    def take(self, state: dict[str, Any]) -> None:
        """Show *state* from now on."""
        rows = _object(state, "rows")
        self.rows, self.failed = rows.get("done") or 0, rows.get("failed") or 0
        self.estimated = rows.get("total") is None
        self.total = rows.get("expected") if self.estimated else rows.get("total")
        self.bytes = state.get("bytes") or 0
        self.errors = Counter(_object(state, "errors"))
        self.state_rate = state.get("rate") or 0.0
        self.state_eta = state.get("eta_seconds")
        told = [plain(state.get("state")) if state.get("state") != "running" else ""]
        if state.get("paused"):
            told.append(f"paused: {plain(state.get('reason'))}")
        self.note = ", ".join(part for part in told if part)


def _object(state: dict[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object; empty where it is none."""
    found = state.get(name)
    return found if isinstance(found, dict) else {}


def path_of(job: str) -> str:
    """The route of a job. Raises Refused where *job* can be no id of one."""
    if _ID.fullmatch(job) is None:
        raise Refused(f"{plain(job[:100])!r} is no id of a job, as `imagecensus submit` prints it")
    return f"/api/v1/jobs/{job}"


async def watch(door: Door, job: str, *, patience: float, quiet: bool = False) -> dict[str, Any]:
    """Show how *job* goes on until it has ended; its last state.

    Raises:
        GoneError: the server did not answer for *patience* seconds.
        Denied: there is no such job, or not any more.
    """
    path = path_of(job)
    waiting = Patience(patience, say)
    figures = _JobFigures(f"job {plain(job)}")
    pause, longest = LOOK_SECONDS
    with shown(figures, quiet=quiet):
        while True:
            try:
                state = await door.ask("GET", path, holds=A_JOB)
            except Unanswered as exc:
                figures.note = "the server does not answer"
                await waiting.rest(exc)
                continue
            waiting.renew()
            figures.take(state)
            if state.get("state") in ENDED:
                return state
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)


def code_of(state: dict[str, Any], *, strict: bool) -> int:
    """The exit code for what a job came to."""
    if state.get("state") == "cancelled":
        return exits.PARTIAL
    if state.get("state") != "done":
        return exits.FAILED
    failed = _object(state, "rows").get("failed")
    return exits.ROWS_FAILED if strict and failed else exits.DONE


def told(state: dict[str, Any]) -> str:
    """What it came to, and what the server thinks of it."""
    return "\n".join([ended_line(state), *(f"  {said}" for said in findings(state))])
