"""The command `submit`: what it takes, and what of that goes into the request."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from scripts.cli.server_options import PANEL, Key, Patient, Quiet, Server, Strict

__all__ = ["submit"]

_BOTH = "The rows"
_INFO = "Facts"
_PREDICT = "Predictions (with --predict)"
_INFO_ONLY = ("depth", "thumbnail")
_PREDICT_ONLY = ("batch_size", "predictor", "size", "fit", "matte", "filter", "pixels")


def submit(
    manifest: Annotated[
        str | None,
        typer.Argument(metavar="MANIFEST", help="A file of this machine; - is standard input."),
    ] = None,
    filepath: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead: a file below the server's data root, or a URL that it may read.",
            rich_help_panel=_BOTH,
        ),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="tsv|csv|ndjson|json|parquet",
            help="What MANIFEST is, where neither its name nor its beginning tells.",
            rich_help_panel=_BOTH,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many rows.", rich_help_panel=_BOTH)
    ] = None,
    extra: Annotated[
        bool, typer.Option("--extra", help="Other columns, too.", rich_help_panel=_BOTH)
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="For one picture, all attempts.", rich_help_panel=_BOTH
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Any other option of the request (docs/api.md).",
            rich_help_panel=_BOTH,
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            metavar="header|full", help="First bytes, or all of it.", rich_help_panel=_INFO
        ),
    ] = None,
    thumbnail: Annotated[
        int | None,
        typer.Option(help="Long side of a WebP beside the facts.", rich_help_panel=_INFO),
    ] = None,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Predictions, not facts.", rich_help_panel=_PREDICT),
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows predicted together.", rich_help_panel=_PREDICT)
    ] = None,
    predictor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who predicts.", rich_help_panel=_PREDICT)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size of the pictures.", rich_help_panel=_PREDICT),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="stretch|pad|crop", help="Other proportions.", rich_help_panel=_PREDICT
        ),
    ] = None,
    matte: Annotated[
        str | None,
        typer.Option(
            metavar="COLOUR", help="Behind transparency and around.", rich_help_panel=_PREDICT
        ),
    ] = None,
    filter_: Annotated[
        str | None,
        typer.Option("--filter", metavar="NAME", help="How to scale.", rich_help_panel=_PREDICT),
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(
            metavar="none|npy|list", help="The array of each batch.", rich_help_panel=_PREDICT
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "--watch", help="Follow the job until it has ended.")
    ] = False,
    strict: Strict = False,
    quiet: Quiet = False,
    tries: Annotated[
        int, typer.Option(min=1, max=100, help="How often to send.", rich_help_panel=PANEL)
    ] = 5,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="The same text and manifest within a day are the same job.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    patience: Patient = 60.0,
    server: Server = None,
    key: Key = None,
) -> None:
    """Hand a manifest in as a job; its id is printed.

    The file is uploaded, .gz and .zst as they are. It is sent again where the
    connection fails or the server is full: one job, however often it arrives.

    [bold]Examples[/bold]

    [cyan]imagecensus submit images.tsv[/cyan]
    [cyan]job=$(imagecensus submit images.csv.gz --depth full)[/cyan]
    [cyan]imagecensus submit images.parquet --predict --size 224x224 --wait[/cyan]
    [cyan]imagecensus submit --filepath lists/images.tsv --limit 100[/cyan]
    """
    given = {
        "limit": limit,
        "extra": extra or None,
        "timeout": timeout,
        "depth": depth,
        "thumbnail": thumbnail,
        "batch_size": batch_size,
        "predictor": predictor,
        "size": size,
        "fit": fit,
        "matte": matte,
        "filter": filter_,
        "pixels": pixels,
    }
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for one in option or ():
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{one!r} is not NAME=VALUE", param_hint="--option")
        options[name.replace("-", "_")] = _read(value) if filepath is not None else value
    if (manifest is None) == (filepath is None):
        raise typer.BadParameter("give one: a MANIFEST, or --filepath", param_hint="MANIFEST")
    if type_ not in (None, "tsv", "csv", "ndjson", "json", "parquet"):
        raise typer.BadParameter("give tsv, csv, ndjson, json or parquet", param_hint="--type")
    _check_kind(options, predict=predict)

    from scripts.cli import exits
    from scripts.cli.jobs.door import Door
    from scripts.cli.jobs.errand import run
    from scripts.cli.jobs.submitting import Handed, submit
    from scripts.cli.jobs.watching import code_of, told, watch
    from scripts.cli.saying import say

    handed = Handed(manifest, filepath, predict, options, type_)

    async def errand(door: Door) -> int:
        job = await submit(door, handed, key=idempotency_key, tries=tries)
        print(job, flush=True)
        if not wait:
            if not quiet and sys.stderr.isatty():
                say(f"`imagecensus watch {job}` follows it, `results {job}` gives its lines")
            return exits.DONE
        state = await watch(door, job, patience=patience, quiet=quiet)
        say(told(state))
        return code_of(state, strict=strict)

    goes_on = "no longer watched; once handed in, a job goes on" if wait else None
    raise typer.Exit(run(errand, server=server, key=key, interrupted=goes_on))


def _check_kind(options: dict[str, Any], *, predict: bool) -> None:
    """Say here what the server would say without knowing of --predict."""
    wrong = _INFO_ONLY if predict else _PREDICT_ONLY
    for name in options:
        if name in wrong:
            told = "is for facts: leave --predict out" if predict else "needs --predict"
            raise typer.BadParameter(told, param_hint=f"--{name.replace('_', '-')}")


def _read(value: str) -> object:
    """As JSON has it, which is sent with a --filepath; a query is text."""
    import json

    try:
        return json.loads(value)
    except ValueError:
        return value
