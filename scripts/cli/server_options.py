"""Options that the commands at a server have in common."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["PANEL", "AsJson", "Job", "Key", "Patient", "Quiet", "Server", "Strict"]

#: Of how the server is asked.
PANEL = "Server"

Server = Annotated[
    str | None,
    typer.Option(
        envvar="CENSUS_SERVER",
        metavar="URL",
        help="Where the server is; http://127.0.0.1:5000 where nothing says so.",
        rich_help_panel=PANEL,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Its key; better given as CENSUS_API_KEY or CENSUS_API_KEY_FILE, which nobody sees.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
Patient = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long a server that does not answer is asked again.",
        rich_help_panel=PANEL,
    ),
]
Job = Annotated[str, typer.Argument(metavar="JOB", help="The id that `submit` printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="The answer as the server gave it.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit 4 where it is complete, but rows failed.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
