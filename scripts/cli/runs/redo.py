"""Some rows of a result file once more, their new records put in the place of the old.

What is done gathers in a file beside it; only when that ended, in order, the two become one. So
whatever kills it, the result file is whole, and the same command goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import orjson

from scripts.cli.exits import Finished, Refused
from scripts.cli.files.outputs import is_table
from scripts.cli.files.result_file import ResultFile, is_there, put_whole
from scripts.cli.progress import Figures, shown
from scripts.cli.runs import manifests, work
from scripts.cli.runs.budgets import Spending
from scripts.cli.runs.census import Census, without
from scripts.cli.runs.ending import end
from scripts.cli.runs.merging import is_merged, merged
from scripts.cli.runs.plan import Plan
from scripts.cli.runs.resuming import LENIENT, check_same, look
from scripts.cli.runs.whole import check_predictor, seconds_of, start_of
from workers.lines import encode_line
from workers.manifest.addresses import is_url
from workers.results.recorded import Recorded
from workers.results.rows import result_rows
from workers.results.survey import MAX_RECORD_BYTES, Survey
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
    if is_table(plan.out) or plan.options.get("changes"):
        raise Refused(
            "--only writes the lines of a result file, and goes with no table, no --changes"
        )
    if plan.manifest == "-" or is_url(plan.manifest):
        raise Refused("--only takes a result file that lies here")
    async with AsyncExitStack() as stack:
        base = ResultFile.open(Path(plan.manifest), reading=_is_other(plan))
        stack.callback(base.close)
        found = await look(base)
        if found.start is None:
            raise Refused(f"{base.path} is no result file: not even its first line is whole")
        asked = work.ask(plan.kind, check_same(base, found.start, plan.kind, plan.options))
        target = await _target(plan, base)
        opening = manifests.opened(settings, plan.manifest)
        source = await stack.enter_async_context(opening)
        working = await stack.enter_async_context(work.opened(settings, asked))
        check_predictor(base, found.start, working)
        start = start_of(plan, source, working) | {"redo": plan.only}
        beside, done = await _beside(plan, base, found, target, start, working)
        stack.callback(beside.close)

        figures = Figures(f"{plan.manifest}, {plan.only}")
        spending = Spending(plan.budget)
        census = Census(beside, summary=done.summary, spending=spending, figures=figures)
        again = result_rows(
            source,
            limit=asked.limit,
            extra=asked.extra,
            wanted=wanted,
            longest=MAX_RECORD_BYTES,
        )
        rows = without(again, done.done, figures, source)
        with census.interruptible():
            with shown(figures, quiet=plan.quiet):
                reason = await census.run(working.flow(spending.within(rows, working.together)))
            seconds = seconds_of(found) + census.seconds
            summary = await asyncio.to_thread(
                _join, base, found, beside, target, seconds, working.provenance
            )
        beside.remove()
        return end(plan, census, figures, summary, reason)


def _is_other(plan: Plan) -> bool:
    """Whether the result goes into another file than the one that is read."""
    return plan.out is not None and plan.out.resolve() != Path(plan.manifest).resolve()


async def _target(plan: Plan, base: ResultFile) -> Path:
    """Where the whole goes. Raises Refused."""
    if plan.out is None or not _is_other(plan):
        return base.path
    if not is_there(plan.out):
        return plan.out
    if is_there(path := _path_beside(plan.out)):  # it was killed at the very end
        with closing(ResultFile.open(plan.out)) as file, closing(ResultFile.open(path)) as beside:
            found = await look(file)
            if found.start is not None and await asyncio.to_thread(is_merged, beside, file, found):
                beside.remove()
                raise Finished(f"{plan.out} has it all, nothing is left to do")
    raise Refused(f"{plan.out} is there already: leave -o out to have {base.path} brought up")


def _path_beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.redo")


async def _beside(
    plan: Plan,
    base: ResultFile,
    whole: Survey,
    target: Path,
    start: dict[str, Any],
    working: work.Work,
) -> tuple[ResultFile, Survey]:
    """The file that new records gather in, and what is in it from a run that was cut.

    Raises:
        Refused: it is of a run over something else.
    """
    path = _path_beside(target)
    if not is_there(path):
        file = ResultFile.create(path)
    else:
        file = ResultFile.open(path)
        try:
            if not plan.force and await _goes_on(plan, file, base, whole, start, working):
                return file, await look(file)
            file.cut(0)
        except BaseException:
            file.close()
            raise
    await file.write(encode_line(start))
    return file, Survey()


async def _goes_on(
    plan: Plan,
    file: ResultFile,
    base: ResultFile,
    whole: Survey,
    start: dict[str, Any],
    working: work.Work,
) -> bool:
    """Whether there is something in *file* to go on with; it is cut to that. Raises Refused."""
    found = await look(file)
    if found.start is None:
        return False
    began, begins = found.start, orjson.loads(encode_line(start))
    if began.get("manifest_stamp") != begins["manifest_stamp"]:
        if await asyncio.to_thread(is_merged, file, base, whole):
            return False  # all of it was put there; only this file was left
        told = f"{file.path} is of what {plan.manifest} was before"
        raise Refused(f"{told}; --force begins anew")
    same = all(began.get(name) == begins[name] for name in ("kind", "redo"))
    if not same or _lasting(began.get("options") or {}) != _lasting(begins["options"]):
        told = f"{file.path} is of another run over {plan.manifest}"
        raise Refused(f"{told}; --force begins anew")
    check_predictor(file, began, working)
    file.cut(found.end)
    return True


def _lasting(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in LENIENT}


def _join(
    base: ResultFile,
    found: Survey,
    beside: ResultFile,
    target: Path,
    seconds: float,
    provenance: dict[str, Any] | None,
) -> Summary:
    """Write the whole, new records in the place of the old; returns what they add up to."""
    summary = Summary()
    told = found.told or {}
    # Each row that had a record has one, also where not all were looked at again.
    reason = None if found.complete else str(told.get("reason", "it was cut"))

    def lines() -> Iterator[bytes]:
        yield encode_line(found.start or {})
        yield from merged(base, found, beside, summary)
        yield summary.line(
            seconds=seconds,
            manifest_sha256=told.get("manifest_sha256"),
            provenance=told.get("provenance", provenance),
            reason=reason,
        )

    if target == base.path:
        base.replace(lines())
    else:
        put_whole(target, lines())
    return summary
