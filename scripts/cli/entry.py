"""Where the `imagecensus` program begins. Nothing is imported before it is asked for: a child of
the process pool imports its parent's main module, and `--help` should come at once.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line; does not return."""
    from workers.interrupts import leave_at_once

    leave_at_once()

    from scripts.cli.commands import app

    app()
