"""The rows of a result file, each with the index it had, to be looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from imaging.facts import ErrorCode, Failure
from workers.changes import earlier_of
from workers.errors import ManifestError, ResultError
from workers.manifest.lines import Line, LineCutter
from workers.manifest.rows import Row, Source, extra_json
from workers.results.recorded import Recorded, read_line

__all__ = ["MAX_LINE_BYTES", "result_rows"]

#: Of a batch with its array in its line. Longer ones are not read again.
MAX_LINE_BYTES = 32 * 1024 * 1024


async def result_rows(
    source: Source,
    *,
    limit: int | None = None,
    extra: bool = False,
    before: bool = False,
    wanted: Callable[[Recorded], bool] | None = None,
    longest: int = MAX_LINE_BYTES,
) -> AsyncGenerator[Row, None]:
    """The rows of the records in *source*, in their order, at most *limit* of them.

    With *before* each has what was found of it; with *wanted* only those are given of whose
    record it is true, and all rows of the last of these. An end that is not whole is passed over.

    Raises:
        ManifestError: a line is none of a result file, or cannot be read on.
    """
    given = number = 0
    cutter = LineCutter(longest)
    async with aclosing(source.blocks()) as blocks:
        async for block in blocks:
            for line in cutter.feed(block):
                number += 1
                rows = _rows(line, number, extra=extra, before=before, wanted=wanted)
                if limit is not None:
                    if given >= limit:
                        return
                    rows = rows if wanted is not None else rows[: limit - given]
                given += len(rows)
                for row in rows:
                    yield row
            await asyncio.sleep(0)


def _rows(
    line: Line,
    number: int,
    *,
    extra: bool,
    before: bool,
    wanted: Callable[[Recorded], bool] | None,
) -> list[Row]:
    if line.text is None:
        raise ManifestError(f"line {number} is longer than is read again")
    try:
        said = read_line(line.text)
        if number == 1 and said["type"] != "start":
            raise ResultError("not a result file: there is no start line")
        if said["type"] not in ("image", "batch"):
            return []
        record = Recorded(line.text, said)
        if wanted is not None and not wanted(record):
            return []
        return [_row(row, line.end, extra=extra, before=before) for row in record.rows]
    except ResultError as exc:
        raise ManifestError(f"line {number}: {exc}") from exc


def _row(said: dict[str, Any], end: int, *, extra: bool, before: bool) -> Row:
    index: int = said["index"]
    identity, url, problem = str(said.get("id", index)), said.get("url"), None
    if not isinstance(url, str):  # it could not be read, and there is nothing to read again
        error = said.get("error")
        told = str(error.get("message", "")) if isinstance(error, dict) else ""
        url, problem = None, Failure(ErrorCode.BAD_ROW, told or "no url")
    passed = said.get("extra")
    others = extra_json(passed if isinstance(passed, dict) else {}) if extra else None
    return Row(index, identity, url, end, problem, others, earlier_of(said) if before else None)
