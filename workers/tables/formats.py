"""Which kinds of tables there are, what they are called, and whether they can be written here."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec

from workers.errors import TableError

__all__ = ["MEDIA_TYPES", "Format", "check_writable", "format_of_name"]


class Format(StrEnum):
    """How a table is written; the value is the ending of its file, too."""

    PARQUET = "parquet"
    CSV = "csv"


#: What each is called over HTTP.
MEDIA_TYPES = {
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.CSV: "text/csv",
}


def format_of_name(name: str) -> Format | None:
    """What the ending of a file's name says; None where that is no table."""
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    return Format(ending.lower()) if stem and ending.lower() in set(Format) else None


def check_writable() -> None:
    """Raises TableError where what writes tables is not installed. Imports nothing."""
    if not (_is_there("pandas") and _is_there("pyarrow")):
        raise TableError("tables need the extra parquet: pip install 'imagecensus[parquet]'")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
