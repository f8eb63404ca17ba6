"""`info` and `predict`: what they take. What they do is imported when they are called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.cli.plan import Budget, Plan

__all__ = ["register"]

_OUT, _AGAIN, _ENDING, _HOW = "Output", "Again", "Ending early", "How"

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
        rich_help_panel=_OUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a run that was cut, whatever cut it: rows that have their record are not"
        " asked for again. Begins where there is no file yet.",
        rich_help_panel=_AGAIN,
    ),
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="failed|retryable",
        help="MANIFEST is a result file: look again at its rows that failed, or that failed for a"
        " reason that may pass, and put the new records in the place of the old.",
        rich_help_panel=_AGAIN,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Go on although the manifest changed: rows that differ are looked at again.",
        rich_help_panel=_AGAIN,
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
        rich_help_panel=_ENDING,
    ),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        min=0.001, help="End after so long, to go on with --resume.", rich_help_panel=_ENDING
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="End when so much was received: 500MB, 2GiB.",
        rich_help_panel=_ENDING,
    ),
]
MaxRequests = Annotated[
    int | None,
    typer.Option(
        "--max-requests-per-host",
        min=1,
        help="Begin no further row of a host that had so many requests.",
        rich_help_panel=_ENDING,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit code 4 if any row failed.", rich_help_panel=_OUT),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no closing words.", rich_help_panel=_OUT),
]
Ordered = Annotated[
    bool,
    typer.Option("--ordered", help="Records in manifest order.", rich_help_panel=_OUT),
]
Limit = Annotated[
    int | None,
    typer.Option(min=0, help="Only the first so many rows.", rich_help_panel=_ENDING),
]
Extra = Annotated[
    bool,
    typer.Option(
        "--extra", help="The manifest's other columns in each record.", rich_help_panel=_OUT
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(help="Seconds for one picture, over all attempts.", rich_help_panel=_HOW),
]
Connections = Annotated[
    int | None,
    typer.Option(
        help="Downloads under way, instead of CENSUS_MAX_CONNECTIONS.", rich_help_panel=_HOW
    ),
]
PerHost = Annotated[
    int | None,
    typer.Option(
        help="Of these to one host, instead of CENSUS_MAX_CONNECTIONS_PER_HOST.",
        rich_help_panel=_HOW,
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CIDR[:PORT]",
        help="A network that is not public and may be reached all the same; may be repeated.",
        rich_help_panel=_HOW,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(info)
    app.command()(predict)


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
            rich_help_panel=_AGAIN,
        ),
    ] = False,
    force: Force = False,
    depth: Annotated[
        str | None,
        typer.Option(
            metavar="header|full",
            help="The first bytes of each picture (default), or all of it, decoded and measured.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    thumbnail: Annotated[
        int | None,
        typer.Option(
            help="A small WebP of this long side (1-256) in each record; implies full depth.",
            rich_help_panel=_HOW,
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
    _run(
        Plan(
            kind="images_info",
            manifest=manifest,
            options=_given(
                depth=depth,
                thumbnail=thumbnail,
                timeout=timeout,
                ordered=ordered or None,
                extra=extra or None,
                changes=changes or None,
                limit=limit,
            ),
            settings=_settings(connections, per_host, allow),
            out=out,
            resume=resume,
            only=only,
            force=force,
            sample=sample,
            budget=Budget(max_seconds, _bytes(max_bytes), max_requests),
            strict=strict,
            quiet=quiet,
        )
    )


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
            rich_help_panel=_HOW,
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows predicted together.", rich_help_panel=_HOW)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Of what is predicted.", rich_help_panel=_HOW),
    ] = None,
    fit: Annotated[
        str | None, typer.Option(metavar="stretch|pad|crop", rich_help_panel=_HOW)
    ] = None,
    matte: Annotated[
        str | None, typer.Option(help="Behind transparency: #ffffff.", rich_help_panel=_HOW)
    ] = None,
    filter: Annotated[  # noqa: A002 - as the option is called everywhere
        str | None, typer.Option(help="How pictures are scaled.", rich_help_panel=_HOW)
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(
            metavar="none|npy|list", help="The array of each batch.", rich_help_panel=_OUT
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of ONNX files, instead of CENSUS_MODELS_DIR.", rich_help_panel=_HOW
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
    settings = _settings(connections, per_host, allow)
    if models is not None:
        settings["models_dir"] = models
    _run(
        Plan(
            kind="batch_predict",
            manifest=manifest,
            options=_given(
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
            budget=Budget(max_seconds, _bytes(max_bytes), max_requests),
            strict=strict,
            quiet=quiet,
        )
    )


def _run(plan: Plan) -> None:
    from scripts.cli.running import run

    code = run(plan)
    if code:
        raise typer.Exit(code)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _settings(
    connections: int | None, per_host: int | None, allow: list[str] | None
) -> dict[str, Any]:
    given: dict[str, Any] = _given(max_connections=connections, max_connections_per_host=per_host)
    if allow:
        standing = os.environ.get("CENSUS_ALLOW_NETWORKS")
        given["allow_networks"] = ",".join([*([standing] if standing else []), *allow])
    return given


def _bytes(text: str | None) -> int | None:
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
