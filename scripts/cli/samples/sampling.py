"""A sample before a long run: some rows of each host asked for, and what that says of them all."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Any

from scripts.cli.exits import Refused
from scripts.cli.files.standard_output import StandardOutput
from scripts.cli.progress import Figures, shown
from scripts.cli.runs import manifests, work
from scripts.cli.runs.budgets import Spending
from scripts.cli.runs.census import Census, without
from scripts.cli.runs.ending import code_of
from scripts.cli.runs.plan import Plan
from scripts.cli.runs.whole import rows_of
from scripts.cli.samples.allotment import allot
from scripts.cli.samples.effort import Effort
from scripts.cli.samples.estimating import estimate
from scripts.cli.samples.outlook import Outlook
from scripts.cli.samples.paces import permits, slowest
from scripts.cli.samples.sampled import Sampled
from scripts.cli.samples.strata import Held, Strata, Stratum
from workers.asked import Asked
from workers.flow import WINDOW_PER_CONNECTION
from workers.manifest.kinds import check_readable, kind_of_name
from workers.results.indexes import Indexes
from workers.settings import WorkSettings

__all__ = ["sample"]

#: The figures of reading are brought up to date so often.
_ROWS_AT_ONCE = 256
#: Options that change the records only, which nobody keeps.
_OF_RECORDS = ("extra", "ordered")


async def sample(plan: Plan, settings: WorkSettings) -> int:
    """Ask for `plan.sample` rows and tell what all would take; returns the exit code.

    Raises:
        Refused: it cannot be done as asked.
        WorkError: the manifest cannot be read on.
    """
    _check(plan)
    options = {name: value for name, value in plan.options.items() if name not in _OF_RECORDS}
    asked = work.ask(plan.kind, options)
    check_readable(kind_of_name(plan.manifest))
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(manifests.opened(settings, plan.manifest))
        working = await stack.enter_async_context(work.opened(settings, asked))
        before = Effort.now()
        strata = await _counted(plan, asked, source, settings)
        reading = Effort.now().since(before).own
        return await _asked(plan, settings, working, strata, reading)


def _check(plan: Plan) -> None:
    given = {"-o": plan.out is not None, "--resume": plan.resume, "--only": plan.only is not None}
    if wrong := [name for name, is_given in given.items() if is_given]:
        raise Refused(
            f"--sample writes no records and does not go with {' or '.join(wrong)}: it tells what"
            " the whole would take, which is then begun without --sample"
        )


async def _counted(plan: Plan, asked: Asked, source: Any, settings: WorkSettings) -> Strata:
    """All rows of the manifest, read once."""
    strata = Strata(plan.sample or 1, window=WINDOW_PER_CONNECTION * settings.max_connections)
    figures = Figures(f"reading {plan.manifest}")
    with shown(figures, quiet=plan.quiet):
        rows = rows_of(source, asked, limit=asked.limit)
        async for row in without(rows, Indexes(), figures, source):
            strata.add(row)
            if strata.rows % _ROWS_AT_ONCE == 0:
                figures.rows, figures.failed = strata.rows, strata.bad.total()
                figures.errors = strata.bad
    return strata


def _picked(strata: Strata, parts: list[Stratum], count: int) -> list[tuple[Held, int | None]]:
    shares = allot([part.rows for part in parts], [len(part.held) for part in parts], count)
    picked: list[tuple[Held, int | None]] = [(held, None) for held in strata.bad_rows()]
    for number, (part, share) in enumerate(zip(parts, shares, strict=True)):
        picked += [(held, number) for held in part.held[:share]]
    return picked


async def _asked(
    plan: Plan, settings: WorkSettings, working: work.Work, strata: Strata, reading: float
) -> int:
    parts = strata.strata()
    at_once = [part.origin and permits(settings, part.origin) for part in parts]
    sampled = Sampled(at_once, _picked(strata, parts, plan.sample or 1))
    figures = Figures(f"a sample of {plan.manifest}", total=len(sampled), estimated=False)
    spending = Spending(plan.budget)
    census = Census(_Nowhere(), summary=sampled, spending=spending, figures=figures)
    before, began = Effort.now(), time.monotonic()
    with census.interruptible(), shown(figures, quiet=plan.quiet):
        reason = await census.run(working.flow(spending.within(sampled.to_ask())))
        seconds = time.monotonic() - began
        effort = Effort.now().since(before)
    found = list(zip(parts, sampled.tallies, strict=True))
    told = Outlook(
        plan,
        strata,
        sampled,
        found,
        estimate([(part.rows, tally) for part, tally in found], dict(strata.bad)),
        slowest(settings, found, reading=reading, effort=effort),
        seconds,
        reason,
    )
    out = StandardOutput()
    try:
        await out.write(told.text().encode())
    finally:
        out.close()
    return code_of(plan, census, sampled, reason)


class _Nowhere:
    """No record is kept. (That a line is made of each is a part of what it costs.)"""

    async def write(self, lines: bytes) -> None:
        pass
