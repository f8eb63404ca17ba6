"""Some rows of a result file once more, their new records put in the place of the old.

What is done gathers in a file beside it; only when that ended, in order, the two become one. So
whatever kills it, the result file is whole, and the same command goes on.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from scripts.cli import manifests, work
from scripts.cli.budgets import Spending
from scripts.cli.census import Census, without
from scripts.cli.ending import end
from scripts.cli.exits import Refused
from scripts.cli.outputs import lines_of
from scripts.cli.plan import Plan
from scripts.cli.progress import Figures, shown
from scripts.cli.result_file import ResultFile
from scripts.cli.resuming import check_same, look
from scripts.cli.whole import check_predictor, start_of
from workers.lines import encode_line
from workers.results.recorded import Recorded, read_line
from workers.results.rows import result_rows
from workers.results.survey import Survey, records
from workers.settings import WorkSettings
from workers.summary import Summary

__all__ = ["ONLY", "redo"]

#: Whether a record is looked at again.
ONLY: dict[str, Callable[[Recorded], bool]] = {
    "failed": lambda record: any(answer.failure is not None for answer in record.answers()),
    "retryable": lambda record: any(
        answer.failure is not None and answer.failure.retryable for answer in record.answers()
    ),
}


async def redo(plan: Plan, settings: WorkSettings) -> int:
    """Look again at the rows that `plan.only` names; returns the exit code.

    Raises:
        Refused: it cannot be done as asked; nothing was written.
        WorkError, CannotWrite: it cannot be completed.
    """
    wanted = ONLY.get(plan.only or "")
    if wanted is None:
        raise Refused(f"--only takes {' or '.join(ONLY)}, not {plan.only!r}")
    if (plan.out is not None and lines_of(plan.out) != plan.out) or plan.options.get("changes"):
        raise Refused(
            "--only writes the lines of a result file, and goes with no table, no --changes"
        )
    async with AsyncExitStack() as stack:
        base = ResultFile.open(Path(plan.manifest))
        stack.callback(base.close)
        found = await look(base)
        if found.start is None:
            raise Refused(f"{base.path} is no result file: not even its first line is whole")
        asked = work.ask(plan.kind, check_same(base, found.start, plan.kind, plan.options))
        target = _target(plan, base)
        opening = manifests.opened(settings, plan.manifest)
        source = await stack.enter_async_context(opening)
        working = await stack.enter_async_context(work.opened(settings, asked))
        check_predictor(base, found.start, working)
        start = start_of(plan, source, working) | {"redo": plan.only}
        beside, done = await _beside(plan, target, start)
        stack.callback(beside.close)

        figures = Figures(f"{plan.manifest}, {plan.only}")
        spending = Spending(plan.budget)
        census = Census(beside, summary=done.summary, spending=spending, figures=figures)
        again = result_rows(source, limit=asked.limit, extra=asked.extra, wanted=wanted)
        rows = without(again, done.done, figures, source)
        with census.interruptible(), shown(figures, quiet=plan.quiet):
            reason = await census.run(working.flow(spending.within(rows)))
        summary = await asyncio.to_thread(_join, plan, base, found, beside, target, census.seconds)
        _remove(beside.path)
        return end(plan, census, figures, summary, reason)


def _target(plan: Plan, base: ResultFile) -> Path:
    """Where the whole goes. Raises Refused."""
    if plan.out is None or plan.out.resolve() == base.path.resolve():
        return base.path
    if plan.out.exists():
        raise Refused(f"{plan.out} is there already: leave -o out to have {base.path} brought up")
    return plan.out


async def _beside(plan: Plan, target: Path, start: dict[str, Any]) -> tuple[ResultFile, Survey]:
    """The file that new records gather in, and what is in it from a run that was cut."""
    path = target.with_name(f"{target.name}.redo")
    if path.exists() and not plan.force:
        file = ResultFile.open(path)
        found = await look(file)
        if found.start is not None:
            same = ("kind", "redo", "options", "manifest_stamp", "provenance")
            if any(found.start.get(name) != start.get(name) for name in same):
                file.close()
                told = f"{path} is of another run over {plan.manifest}, or of what that was before"
                raise Refused(f"{told}; --force begins anew")
            file.cut(found.end)
            return file, found
        file.cut(0)
    else:
        with suppress(OSError):
            path.unlink()
        file = ResultFile.create(path)
    await file.write(encode_line(start))
    return file, Survey()


def _join(
    plan: Plan,
    base: ResultFile,
    found: Survey,
    beside: ResultFile,
    target: Path,
    seconds: float,
) -> Summary:
    """Write the whole, new records in the place of the old; returns what they add up to."""
    summary = Summary()
    told = found.told or {}
    # Each row that had a record has one, also where not all were looked at again.
    missing = f"{plan.manifest} was not complete: {told.get('reason', 'it was cut')}"
    reason = None if found.complete else missing

    def lines() -> Iterator[bytes]:
        yield encode_line(found.start or {})
        with base.reading() as old, beside.reading() as new:
            again = _Places(new, beside.size)
            for before in records(old, found.end):
                record = again.of(before.index) or before
                summary.count(record)
                yield record.text
        yield summary.line(
            seconds=float(told.get("seconds") or 0.0) + seconds,
            manifest_sha256=told.get("manifest_sha256"),
            provenance=told.get("provenance"),
            reason=reason,
        )

    if target == base.path:
        base.replace(lines())
    else:
        file = ResultFile.create(target)
        try:
            file.replace(lines())
        finally:
            file.close()
    return summary


class _Places:
    """Where in a file the record of a row stands: three numbers for each."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._descriptor = file.fileno()
        found = array("q")
        for record in records(file, end):
            found.extend((record.index, file.tell() - len(record.text), len(record.text)))
        places = np.frombuffer(found, dtype=np.int64).reshape(-1, 3)
        self._places = places[places[:, 0].argsort()]

    def of(self, index: int) -> Recorded | None:
        """The record that begins with the row *index*, if there is one."""
        at = int(np.searchsorted(self._places[:, 0], index))
        if at == len(self._places) or self._places[at, 0] != index:
            return None
        _, offset, length = self._places[at].tolist()
        line = os.pread(self._descriptor, length, offset)
        return Recorded(line, read_line(line))


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108
