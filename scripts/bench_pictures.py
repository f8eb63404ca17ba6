"""The pictures a host serves, without the host: for whoever decodes them from memory."""

from pathlib import Path

from hosting.pictures import choose, load, make

__all__ = ["MADE", "bodies", "distinct"]

#: In place of a folder: the pictures that the host makes when it is given none.
MADE = "made"
_HOW_MANY = 32  #: its default


def distinct(folder: str) -> dict[str, bytes]:
    """Every picture once, by name."""
    pictures = make(_HOW_MANY) if folder == MADE else load(Path(folder))
    return {picture.name: picture.data for picture in pictures}


def bodies(folder: str, rows: int) -> list[bytes]:
    """What the host answers to each row of a manifest of ours, in order; nothing is copied."""
    shelf = distinct(folder)
    names = sorted(shelf)
    return [shelf[choose(f"/picture/{row}", names)] for row in range(rows)]
