"""Where the `imagecensus` program begins. Nothing is imported before it is asked for: a child of
the process pool imports its parent's main module, and `--help` should come at once.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line; does not return."""
    try:
        from scripts.cli.commands import app

        app()
    except KeyboardInterrupt:  # while that was imported
        raise SystemExit(130) from None
