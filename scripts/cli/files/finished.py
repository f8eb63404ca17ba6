"""Whether a table that is there is one that a run finished."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from scripts.cli.exits import Refused
from workers.tables.columns import COLUMNS
from workers.tables.formats import Format, check_writable, format_of_name

__all__ = ["check_finished"]


def check_finished(path: Path, kind: str, options: Mapping[str, Any]) -> None:
    """Nothing, where the table *path* is of a complete run of *kind* with the *options* given.

    Of a CSV only the header tells whose it is: that is all there is to look at.

    Raises:
        Refused: it is not, or cannot be read.
    """
    ours = ",".join(column.name for column in COLUMNS[kind])
    if format_of_name(path.name) is Format.CSV:
        try:
            with path.open("rb") as file:
                first = file.readline(len(ours) + 2).decode(errors="replace").strip()
        except OSError as exc:
            raise Refused(f"cannot read {path}: {exc.strerror}") from exc
        if first != ours:
            raise Refused(f"{path} is no table of {kind}: name another")
        return
    start, summary = _said(path)
    begun = start.get("options")
    begun = begun if isinstance(begun, dict) else {}
    if start.get("kind") != kind or summary.get("complete") is not True:
        raise Refused(f"{path} is no table of a complete run of {kind}: name another")
    for name in options:
        if begun.get(name) != options.get(name):
            told = f"{path} is of a run with {name} {begun.get(name)!r}, not {options.get(name)!r}"
            raise Refused(f"{told}: a table cannot be gone on with, name another")


def _said(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The start and the summary of the run that a Parquet file is of."""
    check_writable()
    from pyarrow import ArrowException, parquet

    try:
        told = parquet.read_metadata(path).metadata or {}
        start, summary = (
            orjson.loads(told.get(f"imagecensus.{name}".encode(), b"null"))
            for name in ("start", "summary")
        )
    except (ArrowException, OSError, ValueError) as exc:
        raise Refused(f"{path} is no table of a run: {exc}") from exc
    if not isinstance(start, dict) or not isinstance(summary, dict):
        raise Refused(f"{path} is no table of a run: name another")
    return start, summary
