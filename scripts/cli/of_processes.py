"""Commands that start processes: serve and work. They become them, so that signals and exit codes
are theirs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from workers.interrupts import hold_back

__all__ = ["register"]

#: Found by every Python that runs there.
_INSTALLED = ("site-packages", "dist-packages")

ShowSettings = Annotated[
    bool, typer.Option("--show-settings", help="Print all settings as they come out, and end.")
]
DataRoot = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Of the manifests; CENSUS_DATA_ROOT.", show_default=False),
]
RedisUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The Redis with the jobs; CENSUS_REDIS_URL, where nobody sees a password.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for name, command in (("serve", serve), ("work", work)):
        app.command(name, rich_help_panel="Processes")(command)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; CENSUS_HOST.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 is any free one; CENSUS_PORT.", show_default=False),
    ] = None,
    data_root: DataRoot = None,
    redis_url: RedisUrl = None,
    show_settings: ShowSettings = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, as `python -m server`.

    Without a Redis it brings one, and a consumer. Everything else is set by
    CENSUS_* in the environment: docs/settings.md.

    [bold]Examples[/bold]

    [cyan]imagecensus serve[/cyan]
    [cyan]imagecensus serve --port 8080 --data-root lists[/cyan]
    [cyan]CENSUS_API_KEY_FILE=key.txt imagecensus serve --host 0.0.0.0[/cyan]
    """
    chosen = {"HOST": host, "PORT": port, "DATA_ROOT": data_root, "REDIS_URL": redis_url}
    _become("server", chosen, ["--show-settings"] if show_settings else [])


def work(
    kinds: Annotated[
        str | None,
        typer.Option(metavar="KINDS", help="Comma list of what to do: images_info, batch_predict."),
    ] = None,
    no_intake: Annotated[
        bool,
        typer.Option("--no-intake", help="Only rows that others read: where no lists are."),
    ] = False,
    data_root: DataRoot = None,
    redis_url: RedisUrl = None,
    show_settings: ShowSettings = False,
) -> None:
    """Do jobs until Ctrl-C or SIGTERM, as `python -m workers`: any number, on any hosts.

    [bold]Examples[/bold]

    [cyan]CENSUS_REDIS_URL=redis://10.0.0.5 imagecensus work[/cyan]
    [cyan]imagecensus work --redis-url redis://10.0.0.5 --kinds batch_predict --no-intake[/cyan]
    """
    arguments = [] if kinds is None else ["--kinds", kinds]
    arguments += ["--no-intake"] * no_intake + ["--show-settings"] * show_settings
    _become("workers", {"DATA_ROOT": data_root, "REDIS_URL": redis_url}, arguments)


def _become(package: str, chosen: Mapping[str, object], arguments: list[str]) -> NoReturn:
    """Run `python -m` *package* in the place of this process, with the settings *chosen*."""
    given = {f"CENSUS_{name}": str(value) for name, value in chosen.items() if value is not None}
    # The folder it is started in may hold a `server.py` of its own, which -m would take.
    given["PYTHONSAFEPATH"] = "1"
    ours = Path(__file__).parents[2]
    if str(ours) in sys.path and ours.name not in _INSTALLED:  # a clone that is not installed
        path = os.environ.get("PYTHONPATH")
        given["PYTHONPATH"] = str(ours) if not path else os.pathsep.join((str(ours), path))
    options = [word for option in sys.warnoptions for word in ("-W", option)]
    command = [sys.executable, *options, "-m", package, *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    hold_back()
    os.execve(sys.executable, command, os.environ | given)  # noqa: S606 - ourselves
