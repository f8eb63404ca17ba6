"""What `info` and `predict` both take, and how it becomes a plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.cli.runs.plan import Plan

__all__ = [
    "AGAIN",
    "ENDING",
    "HOW",
    "OUT",
    "Allow",
    "Connections",
    "Extra",
    "Force",
    "Limit",
    "Manifest",
    "MaxBytes",
    "MaxRequests",
    "MaxSeconds",
    "Only",
    "Ordered",
    "Out",
    "PerHost",
    "Quiet",
    "Resume",
    "Sample",
    "Strict",
    "Timeout",
    "carry_out",
    "given",
    "settings_of",
    "size_of",
]

OUT, AGAIN, ENDING, HOW = "Output", "Again", "Ending early", "How"

Manifest = Annotated[
    str,
    typer.Argument(
        help="The list of URLs: TSV, CSV, NDJSON, a JSON array or Parquet, plain, gz or zst, or a"
        " result file; a path, an https:// or s3:// address, or - for standard input.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Write into this file: NDJSON, or a table where it ends in .parquet or .csv."
        " Without it lines go to standard output.",
        rich_help_panel=OUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a run that was cut, whatever cut it: rows that have their record are not"
        " asked for again. Begins where there is no file yet.",
        rich_help_panel=AGAIN,
    ),
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="failed|retryable",
        help="MANIFEST is a result file: look again at its rows that failed, or that failed for a"
        " reason that may pass, and put the new records in the place of the old.",
        rich_help_panel=AGAIN,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Go on although the manifest changed: rows that differ are looked at again.",
        rich_help_panel=AGAIN,
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        min=1,
        metavar="N",
        help="Ask for N rows only, spread over the hosts, and tell what all would take: time, bytes"
        " and failures. Writes no records.",
        rich_help_panel=ENDING,
    ),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        min=0.001, help="End after so long, to go on with --resume.", rich_help_panel=ENDING
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="End when so much was received: 500MB, 2GiB.",
        rich_help_panel=ENDING,
    ),
]
MaxRequests = Annotated[
    int | None,
    typer.Option(
        "--max-requests-per-host",
        min=1,
        help="Begin no further row of a host that had so many requests.",
        rich_help_panel=ENDING,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit code 4 if any row failed.", rich_help_panel=OUT),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no closing words.", rich_help_panel=OUT),
]
Ordered = Annotated[
    bool,
    typer.Option("--ordered", help="Records in manifest order.", rich_help_panel=OUT),
]
Limit = Annotated[
    int | None,
    typer.Option(min=0, help="Only the first so many rows.", rich_help_panel=ENDING),
]
Extra = Annotated[
    bool,
    typer.Option(
        "--extra", help="The manifest's other columns in each record.", rich_help_panel=OUT
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(help="Seconds for one picture, over all attempts.", rich_help_panel=HOW),
]
Connections = Annotated[
    int | None,
    typer.Option(
        help="Downloads under way, instead of CENSUS_MAX_CONNECTIONS.", rich_help_panel=HOW
    ),
]
PerHost = Annotated[
    int | None,
    typer.Option(
        help="Of these to one host, instead of CENSUS_MAX_CONNECTIONS_PER_HOST.",
        rich_help_panel=HOW,
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CIDR[:PORT]",
        help="A network that is not public and may be reached all the same; may be repeated.",
        rich_help_panel=HOW,
    ),
]


def carry_out(plan: Plan) -> None:
    """Do it, and leave with its exit code."""
    from scripts.cli.runs.running import run

    if code := run(plan):
        raise typer.Exit(code)


def given(**options: Any) -> dict[str, Any]:
    """The *options* that were given."""
    return {name: value for name, value in options.items() if value is not None}


def settings_of(
    connections: int | None, per_host: int | None, allow: list[str] | None
) -> dict[str, Any]:
    """The settings that options stand for."""
    settings: dict[str, Any] = given(max_connections=connections, max_connections_per_host=per_host)
    if allow:
        standing = os.environ.get("CENSUS_ALLOW_NETWORKS")
        settings["allow_networks"] = ",".join([*([standing] if standing else []), *allow])
    return settings


def size_of(text: str | None) -> int | None:
    """Bytes, as `500MB` says them. Raises BadParameter."""
    if text is None:
        return None
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        raise typer.BadParameter(
            f"{text!r} is no size: give 500MB, 2GiB or a number of bytes",
            param_hint="--max-bytes",
        ) from None
