"""A census of a whole manifest: to standard output, into a result file, into a table."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import orjson

from scripts.cli import exits
from scripts.cli.exits import Finished, Refused
from scripts.cli.files.finished import check_finished
from scripts.cli.files.outputs import Output, is_table, lines_of, open_output
from scripts.cli.files.result_file import ResultFile, is_there
from scripts.cli.progress import Figures, shown
from scripts.cli.runs import manifests, work
from scripts.cli.runs.budgets import Spending
from scripts.cli.runs.census import Census, without
from scripts.cli.runs.ending import end
from scripts.cli.runs.plan import Plan
from scripts.cli.runs.resuming import check_same, look, reconcile
from scripts.cli.saying import say
from workers.asked import Asked, BatchRequest, InfoRequest
from workers.batches.recipe import differs
from workers.errors import ManifestError
from workers.lines import SCHEMA, encode_value
from workers.manifest.kinds import check_readable, kind_of_name
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row
from workers.options import Pixels
from workers.results.rows import result_rows
from workers.results.survey import Survey
from workers.settings import WorkSettings

__all__ = ["check_predictor", "count_all", "rows_of", "seconds_of", "start_of"]


async def count_all(plan: Plan, settings: WorkSettings) -> int:
    """Run it; returns the exit code.

    Raises:
        Refused: it cannot be done as asked; nothing was written.
        WorkError, CannotWrite, BrokenOutput: it cannot be completed.
    """
    async with AsyncExitStack() as stack:
        file = _begun(plan)
        if file is not None:
            stack.callback(file.close)
        found = Survey() if file is None else await look(file)
        seconds = seconds_of(found)
        options = plan.options
        if file is not None and found.start is not None:
            options = check_same(file, found.start, plan.kind, plan.options)
        asked = work.ask(plan.kind, options)
        if is_table(plan.out):
            _check_table(asked)
        check_readable(kind_of_name(plan.manifest))
        opening = manifests.opened(settings, plan.manifest, again=file is not None)
        source = await stack.enter_async_context(opening)
        if _looks_again(asked) and plan.manifest != "-":
            await _check_changes(plan, source, asked)
        working = await stack.enter_async_context(work.opened(settings, asked))
        start = start_of(plan, source, working)
        if file is not None and found.start is not None:
            check_predictor(file, found.start, working)
            rows_again = lambda: rows_of(source, asked, limit=None)  # noqa: E731
            tell = (lambda _: None) if plan.quiet else say
            found = await reconcile(file, found, start, rows_again, force=plan.force, say=tell)
            if found.whole and file.path == plan.out:  # else a table is still to be made of it
                tell(f"{plan.out} is complete: {found.summary.rows:,} rows, nothing is left to do")
                return exits.ROWS_FAILED if plan.strict and found.summary.failed else exits.DONE
        if file is not None:
            file.cut(found.end)
        if plan.out is not None and file is None:
            file = ResultFile.create(lines_of(plan.out))
            stack.callback(file.close)
            stack.callback(file.remove_empty)
        out = open_output(plan.out, file, plan.kind)
        stack.callback(out.close)
        await out.begin(start)
        return await _write(plan, asked, source, working, found, out, seconds)


async def _write(
    plan: Plan,
    asked: Asked,
    source: Any,
    working: work.Work,
    found: Survey,
    out: Output,
    seconds: float,
) -> int:
    figures = Figures(plan.manifest)
    spending = Spending(plan.budget)
    census = Census(
        out,
        summary=found.summary,
        spending=spending,
        figures=figures,
        give_up=out.give_up,
    )
    rows = without(rows_of(source, asked, limit=asked.limit), found.done, figures, source)
    with census.interruptible(), shown(figures, quiet=plan.quiet):
        reason = await census.run(working.flow(spending.within(rows, working.together)))
        summary = found.summary
        line = summary.line(
            seconds=seconds + census.seconds,
            manifest_sha256=source.sha256 if asked.limit is None else None,
            provenance=working.provenance,
            reason=reason,
        )
        await out.finish(line, complete=reason is None)
    return end(plan, census, figures, summary, reason)


def start_of(plan: Plan, source: Any, working: work.Work) -> dict[str, Any]:
    """What the first line says."""
    start: dict[str, Any] = {
        "type": "start",
        "schema": SCHEMA,
        "kind": plan.kind,
        "job": None,
        "manifest": source.name,
        "options": working.options.json(),
        "manifest_stamp": source.stamp,
        "manifest_bytes": source.size,
    }
    if working.provenance is not None:
        start["provenance"] = working.provenance
    return start


def rows_of(source: Any, asked: Asked, *, limit: int | None) -> AsyncGenerator[Row, None]:
    """The rows of *source*, as *asked* reads them."""
    if _looks_again(asked):
        return result_rows(source, limit=limit, extra=asked.extra, before=True)
    return read_rows(source, limit=limit, extra=asked.extra)


def _looks_again(asked: Asked) -> bool:
    return isinstance(asked, InfoRequest) and asked.changes


def _begun(plan: Plan) -> ResultFile | None:
    """The file to go on with, if there is one. Raises Refused."""
    if plan.out is None:
        if plan.resume:
            raise Refused("--resume goes on with a file: name it with -o")
        return None
    lines = lines_of(plan.out)
    if plan.resume:
        if is_there(lines):
            if _is_same(plan.manifest, lines):
                raise Refused(f"{lines} is what is read: name another file to write, with -o")
            return ResultFile.open(lines)
        if is_table(plan.out) and is_there(plan.out):
            told = orjson.loads(encode_value(work.ask(plan.kind, plan.options).options().json()))
            wanted = {name: told[name] for name in {*plan.options, "limit"} & told.keys()}
            check_finished(plan.out, plan.kind, wanted)
            raise Finished(f"{plan.out} is complete: nothing is left to do")
    for path in {plan.out, lines}:
        if is_there(path):
            raise Refused(f"{path} is there already: --resume goes on with it, or name another")
    return None


def seconds_of(found: Survey) -> float:
    """How long it took so far, as its summary told."""
    told = (found.told or {}).get("seconds")
    return float(told) if isinstance(told, int | float) else 0.0


def check_predictor(file: ResultFile, start: dict[str, Any], working: work.Work) -> None:
    """Raises Refused where the predictor is not the one that *file* was begun with."""
    pinned = start.get("provenance")
    if working.recipe is None or not isinstance(pinned, dict):
        return
    if problem := differs(pinned, working.recipe):
        raise Refused(f"{file.path} was begun with another predictor: {problem}")


def _is_same(manifest: str, lines: Path) -> bool:
    try:
        return lines.samefile(manifest)
    except (OSError, ValueError):  # it is no file: standard input, a URL
        return False


async def _check_changes(plan: Plan, source: Any, asked: Asked) -> None:
    """Raises Refused where there are no records to compare with."""
    try:
        async with aclosing(rows_of(source, asked, limit=1)) as rows:
            async for _ in rows:
                break
    except ManifestError as exc:
        raise Refused(
            f"--changes takes a result file, which {plan.manifest} is not: {exc}"
        ) from exc


def _check_table(asked: Asked) -> None:
    """Raises Refused where what is asked for cannot become a table."""
    if isinstance(asked, BatchRequest) and asked.pixels is not Pixels.NONE:
        raise Refused("--pixels: a table has no place for arrays; name a file .ndjson")
