"""`predict`: what it takes. What it does is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.cli.run_options import (
    HOW,
    OUT,
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
    app.command()(predict)


def predict(
    manifest: Manifest,
    out: Out = None,
    resume: Resume = False,
    only: Only = None,
    force: Force = False,
    predictor: Annotated[
        str | None,
        typer.Option(
            help="Who predicts: appearance (default), none, a file of CENSUS_MODELS_DIR, a class of"
            " CENSUS_PREDICTORS.",
            rich_help_panel=HOW,
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows predicted together.", rich_help_panel=HOW)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Of what is predicted.", rich_help_panel=HOW),
    ] = None,
    fit: Annotated[
        str | None, typer.Option(metavar="stretch|pad|crop", rich_help_panel=HOW)
    ] = None,
    matte: Annotated[
        str | None, typer.Option(help="Behind transparency: #ffffff.", rich_help_panel=HOW)
    ] = None,
    filter: Annotated[  # noqa: A002 - as the option is called everywhere
        str | None, typer.Option(help="How pictures are scaled.", rich_help_panel=HOW)
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(metavar="none|npy|list", help="The array of each batch.", rich_help_panel=OUT),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of ONNX files, instead of CENSUS_MODELS_DIR.", rich_help_panel=HOW
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
    """Pictures in batches of one size before a predictor: a prediction per row, or why not.

    [bold]Examples[/bold]

    [cyan]imagecensus predict images.tsv -o seen.ndjson[/cyan]
    [cyan]imagecensus predict images.tsv --models models --predictor resnet50[/cyan]
    [cyan]imagecensus predict images.tsv --predictor none --size 224x224 --pixels npy[/cyan]
    [cyan]imagecensus predict images.tsv -o seen.ndjson --resume[/cyan]  go on after a cut
    """
    settings = settings_of(connections, per_host, allow)
    if models is not None:
        settings["models_dir"] = models
    carry_out(
        Plan(
            kind="batch_predict",
            manifest=manifest,
            options=given(
                predictor=predictor,
                batch_size=batch_size,
                size=size,
                fit=fit,
                matte=matte,
                filter=filter,
                pixels=pixels,
                timeout=timeout,
                ordered=ordered or None,
                extra=extra or None,
                limit=limit,
            ),
            settings=settings,
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
