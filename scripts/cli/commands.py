"""The commands, and what each of them takes; what they do is imported when they are called."""

from __future__ import annotations

import typer

from scripts.cli import of_files, of_info, of_predict, of_processes, of_server

__all__ = ["app"]

app = typer.Typer(
    name="imagecensus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """One record per image URL, always: facts and predictions of whole lists of pictures."""


of_info.register(app)
of_predict.register(app)
of_files.register(app)
of_server.register(app)
of_processes.register(app)
