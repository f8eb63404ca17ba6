"""Commands on result files that are there. What they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(verify)
    app.command()(convert)


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A result file, as info, predict, results or curl wrote it; plain, gz or zst.",
            show_default=False,
        ),
    ],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only what is wrong, and the exit code.")
    ] = False,
) -> None:
    """Whether a result file is whole: one start, every row once, a summary that adds up.

    Exit code 0 if it is; 1 if not, with a sentence for each thing that is missing or wrong.

    [bold]Examples[/bold]

    [cyan]imagecensus verify facts.ndjson[/cyan]
    [cyan]imagecensus verify facts.ndjson && rm images.tsv[/cyan]
    """
    from scripts.cli.files.verifying import verify as verified

    if code := verified(file, quiet=quiet):
        raise typer.Exit(code)


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A result file, as info, predict, results or curl wrote it; plain, gz or zst.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The table to write: its name ends in .parquet or .csv.",
            show_default=False,
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Put it in the place of an OUT that is there.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no closing words.")
    ] = False,
) -> None:
    """A result file as a table: Parquet or CSV, a row for each row, typed columns.

    OUT is there when all of it is there. Of a file that was cut, what is whole becomes the table,
    and the exit code is 1.

    [bold]Examples[/bold]

    [cyan]imagecensus convert facts.ndjson facts.parquet[/cyan]
    [cyan]imagecensus convert facts.ndjson.gz facts.csv[/cyan]
    [cyan]imagecensus convert facts.ndjson facts.parquet --force[/cyan]  once more

    Then, in Python: [cyan]pandas.read_parquet("facts.parquet")[/cyan], or in DuckDB:
    [cyan]select error, count(*) from 'facts.parquet' group by all[/cyan]
    """
    from scripts.cli.files.converting import convert as run

    code = run(source, out, force=force, quiet=quiet)
    if code:
        raise typer.Exit(code)
