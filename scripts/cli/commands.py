"""The commands, and what each of them takes; what they do is imported when they are called."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(
    name="imagecensus",
    help="One record per image URL, always: facts and predictions of whole lists of pictures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def _root() -> None:
    pass
