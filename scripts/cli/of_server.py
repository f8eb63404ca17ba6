"""Commands that ask a server: submit, status, results, watch, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.cli.of_submitting import submit
from scripts.cli.server_options import AsJson, Job, Key, Patient, Quiet, Server, Strict

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    panel = "With a server"
    for name, command in (
        ("submit", submit),
        ("status", status),
        ("watch", watch),
        ("results", results),
        ("cancel", cancel),
    ):
        app.command(name, rich_help_panel=panel)(command)


def status(
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="One job; without it, all of them.")
    ] = None,
    as_json: AsJson = False,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, help="Of the list: so many at a time.")
    ] = 20,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Of the list: those behind it.")
    ] = None,
    server: Server = None,
    key: Key = None,
) -> None:
    """Tell how a job stands, or which jobs there are.

    [bold]Examples[/bold]

    [cyan]imagecensus status[/cyan]
    [cyan]imagecensus status 1763848000000-0[/cyan]
    [cyan]imagecensus status "$job" --json | jq .rows[/cyan]
    """
    from scripts.cli import exits
    from scripts.cli.jobs.door import A_JOB, Door
    from scripts.cli.jobs.errand import run
    from scripts.cli.jobs.jobs_told import job_lines, list_lines
    from scripts.cli.jobs.watching import path_of
    from scripts.cli.saying import say

    async def errand(door: Door) -> int:
        if job is not None:
            said = await door.ask("GET", path_of(job), holds=A_JOB)
            lines = list(job_lines(said))
        else:
            query = {"limit": str(limit)} | ({} if after is None else {"after": after})
            said = await door.ask("GET", "/api/v1/jobs", query=query, holds={"jobs": list})
            lines = list(list_lines(said)) or ["there are no jobs"]
        print(_json(said) if as_json else "\n".join(lines), flush=True)
        if job is None and said.get("next") and not as_json:
            say(f"there are more: --after {said['next']}")
        return exits.DONE

    raise typer.Exit(run(errand, server=server, key=key))


def results(
    job: Job,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="A file to write; else standard output."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Until the job has ended, not what is there now.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with OUT where it was left off.")
    ] = False,
    after: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Only what is behind it; to standard output."),
    ] = None,
    strict: Strict = False,
    quiet: Quiet = False,
    patience: Patient = 60.0,
    server: Server = None,
    key: Key = None,
) -> None:
    """Give out a job's records, one JSON object a line, each once.

    Goes on where a connection was cut, or the server started again. OUT begins
    with one [bold]start[/bold] line and ends with one [bold]summary[/bold].

    [bold]Examples[/bold]

    [cyan]imagecensus results "$job" --follow -o facts.ndjson[/cyan]
    [cyan]imagecensus results "$job" --follow -o facts.ndjson --resume[/cyan]
    [cyan]imagecensus results "$job" | jq -c 'select(.error)'[/cyan]
    """
    if out is not None and str(out) == "-":
        out = None
    if resume and out is None:
        raise typer.BadParameter("goes on with a file: give -o OUT", param_hint="--resume")
    if after is not None and out is not None:
        told = "a file begins at the beginning; --resume goes on with it"
        raise typer.BadParameter(told, param_hint="--after")

    from scripts.cli.jobs.door import Door
    from scripts.cli.jobs.errand import run
    from scripts.cli.jobs.fetching_results import Fetching

    async def errand(door: Door) -> int:
        fetching = Fetching(
            door,
            job,
            out=out,
            follow=follow,
            resume=resume,
            after=after,
            patience=patience,
            strict=strict,
            quiet=quiet,
        )
        return await fetching.run()

    left = None if out is None else f"{out}: cut; --resume goes on with it"
    raise typer.Exit(run(errand, server=server, key=key, interrupted=left))


def watch(
    job: Job,
    strict: Strict = False,
    quiet: Quiet = False,
    patience: Patient = 60.0,
    server: Server = None,
    key: Key = None,
) -> None:
    """Follow a job until it has ended. Ctrl-C ends the watching, not the job.

    [bold]Examples[/bold]

    [cyan]imagecensus watch "$job"[/cyan]
    [cyan]imagecensus watch "$job" --strict && imagecensus results "$job" -o facts.ndjson[/cyan]
    """
    from scripts.cli.jobs.door import Door
    from scripts.cli.jobs.errand import run
    from scripts.cli.jobs.watching import code_of, told, watch

    async def errand(door: Door) -> int:
        state = await watch(door, job, patience=patience, quiet=quiet)
        print(told(state), flush=True)
        return code_of(state, strict=strict)

    goes_on = f"no longer watched; the job goes on: imagecensus watch {job}"
    raise typer.Exit(run(errand, server=server, key=key, interrupted=goes_on))


def cancel(job: Job, as_json: AsJson = False, server: Server = None, key: Key = None) -> None:
    """End a job: rows not begun get no record. As often as you like.

    [bold]Examples[/bold]

    [cyan]imagecensus cancel "$job"[/cyan]
    """
    from scripts.cli import exits
    from scripts.cli.jobs.door import A_JOB, Door
    from scripts.cli.jobs.errand import run
    from scripts.cli.jobs.jobs_told import ended_line
    from scripts.cli.jobs.watching import path_of

    async def errand(door: Door) -> int:
        said = await door.ask("POST", f"{path_of(job)}/cancel", holds=A_JOB)
        print(_json(said) if as_json else ended_line(said), flush=True)
        return exits.DONE

    raise typer.Exit(run(errand, server=server, key=key))


def _json(said: dict[str, Any]) -> str:
    import json

    return json.dumps(said, indent=2)
