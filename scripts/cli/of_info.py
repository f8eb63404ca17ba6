"""`info`: what it takes. What it does is imported when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.cli.run_options import (
    AGAIN,
    HOW,
    Allow,
    Connections,
    Extra,
    Force,
    Limit,
    Manifest,
    MaxBytes,
    MaxRequests,
    MaxSeconds,
    Only,
    Ordered,
    Out,
    PerHost,
    Quiet,
    Resume,
    Sample,
    Strict,
    Timeout,
    carry_out,
    given,
    settings_of,
    size_of,
)
from scripts.cli.runs.plan import Budget, Plan

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(info)


def info(
    manifest: Manifest,
    out: Out = None,
    resume: Resume = False,
    only: Only = None,
    changes: Annotated[
        bool,
        typer.Option(
            "--changes",
            help="MANIFEST is a result file: ask each host whether the picture is still the same,"
            " and say unchanged, changed or gone.",
            rich_help_panel=AGAIN,
        ),
    ] = False,
    force: Force = False,
    depth: Annotated[
        str | None,
        typer.Option(
            metavar="header|full",
            help="The first bytes of each picture (default), or all of it, decoded and measured.",
            rich_help_panel=HOW,
        ),
    ] = None,
    thumbnail: Annotated[
        int | None,
        typer.Option(
            help="A small WebP of this long side (1-256) in each record; implies full depth.",
            rich_help_panel=HOW,
        ),
    ] = None,
    timeout: Timeout = None,
    connections: Connections = None,
    per_host: PerHost = None,
    allow: Allow = None,
    ordered: Ordered = False,
    extra: Extra = False,
    strict: Strict = False,
    quiet: Quiet = False,
    limit: Limit = None,
    sample: Sample = None,
    max_seconds: MaxSeconds = None,
    max_bytes: MaxBytes = None,
    max_requests: MaxRequests = None,
) -> None:
    """What each picture of a list is: one record per row, always.

    [bold]Examples[/bold]

    [cyan]imagecensus info images.tsv[/cyan]
    [cyan]imagecensus info images.tsv -o facts.ndjson[/cyan]
    [cyan]imagecensus info images.tsv -o facts.ndjson --resume[/cyan]  go on after a cut
    [cyan]imagecensus info facts.ndjson --only retryable[/cyan]  try those again
    [cyan]imagecensus info facts.ndjson --changes -o today.ndjson[/cyan]  what changed since
    [cyan]imagecensus info images.tsv -o facts.parquet[/cyan]  a table
    [cyan]imagecensus info images.tsv --sample 200[/cyan]  what would it take?
    [cyan]zcat images.tsv.gz | imagecensus info - | head[/cyan]
    """
    carry_out(
        Plan(
            kind="images_info",
            manifest=manifest,
            options=given(
                depth=depth,
                thumbnail=thumbnail,
                timeout=timeout,
                ordered=ordered or None,
                extra=extra or None,
                changes=changes or None,
                limit=limit,
            ),
            settings=settings_of(connections, per_host, allow),
            out=out,
            resume=resume,
            only=only,
            force=force,
            sample=sample,
            budget=Budget(max_seconds, size_of(max_bytes), max_requests),
            strict=strict,
            quiet=quiet,
        )
    )
