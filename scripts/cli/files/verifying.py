"""Whether a result file is whole: one start, every row once, a summary that adds up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.cli import exits
from scripts.cli.exits import Refused
from scripts.cli.files.reading import reading
from scripts.cli.saying import say
from workers.errors import ResultError
from workers.results.survey import Survey, survey

__all__ = ["verify"]


def verify(path: Path, *, quiet: bool) -> int:
    """Tell what is missing or wrong in the result file *path*; returns the exit code."""
    try:
        with reading(path) as file:
            found = survey(file)
    except ResultError as exc:
        say(f"{path}: {exc}")
        return exits.FAILED
    except Refused as exc:
        say(str(exc))
        return exits.REFUSED
    problems = list(_problems(found))
    for problem in problems:
        say(f"{path}: {problem}")
    if problems:
        return exits.FAILED
    if not quiet:
        rows = found.summary
        say(f"{path} is whole: {rows.rows:,} rows, {rows.ok:,} ok, {rows.failed:,} failed")
    return exits.DONE


def _problems(found: Survey) -> Iterator[str]:
    if found.start is None:
        yield "it is empty, or not even its first line is whole"
        return
    if found.torn:
        yield f"it was cut: its last line is not whole (behind byte {found.end:,})"
    if found.twice is not None:
        yield f"row {found.twice} has more than one record"
    if found.cancelled:
        yield f"{found.cancelled:,} rows were cancelled, and have no answer"
    told = found.told
    if told is None:
        yield "there is no summary: it was cut, or is still being written"
        return
    if told.get("complete") is not True:
        yield f"its summary says that it is not complete: {told.get('reason', 'without a reason')}"
    yield from _sums(found, told)


def _sums(found: Survey, told: dict[str, Any]) -> Iterator[str]:
    """Where the summary and the records differ."""
    counted = found.summary
    missing = found.done.first_missing()
    if missing < found.done.end:
        yield f"row {missing} has no record"
    for name, sum_ in (
        ("rows", counted.rows),
        ("ok", counted.ok),
        ("failed", counted.failed),
        ("errors", dict(counted.errors)),
        ("http_statuses", dict(counted.http_statuses)),
    ):
        if told.get(name) != sum_:
            yield f"its summary says {name} {told.get(name)!r}, its records add up to {sum_!r}"
