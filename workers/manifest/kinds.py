"""What kind a manifest is of: by its name, else by how it begins."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec

import orjson

from workers.errors import ManifestError
from workers.manifest.csv_lines import CsvReader, csv_cells
from workers.manifest.lines import Line
from workers.manifest.ndjson import JsonReader
from workers.manifest.rows import Reader, Row
from workers.manifest.tsv import TsvReader

__all__ = ["Kind", "LookingReader", "check_readable", "kind_of_name"]


class Kind(StrEnum):
    """How a manifest is written."""

    TSV = "tsv"
    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"  #: an array; a value a line where it does not begin as one
    PARQUET = "parquet"


_ENDINGS = {
    "tsv": Kind.TSV,
    "tab": Kind.TSV,
    "txt": Kind.TSV,
    "csv": Kind.CSV,
    "ndjson": Kind.NDJSON,
    "jsonl": Kind.NDJSON,
    "json": Kind.JSON,
    "parquet": Kind.PARQUET,
}
_COMPRESSED = ("gz", "zst")
_READERS: dict[Kind, type[Reader]] = {
    Kind.TSV: TsvReader,
    Kind.CSV: CsvReader,
    Kind.NDJSON: JsonReader,
}


def kind_of_name(name: str) -> Kind | None:
    """What the ending of a file's name says, `.gz` and `.zst` put aside."""
    parts = name.rpartition("/")[2].lower().split(".")
    if len(parts) > 2 and parts[-1] in _COMPRESSED:
        parts.pop()
    return _ENDINGS.get(parts[-1]) if len(parts) > 1 else None


def check_readable(kind: Kind | None) -> None:
    """Raises ManifestError where what reads this kind is not installed."""
    if kind is Kind.PARQUET and find_spec("pyarrow") is None:
        raise ManifestError(
            "Parquet is read with the extra parquet: pip install 'imagecensus[parquet]'"
        )


class LookingReader:
    """Chooses a reader by the first line that is not blank."""

    def __init__(self, *, extra: bool = False) -> None:
        self._extra = extra
        self._reader: Reader | None = None

    def read(self, line: Line) -> Row | list[Row] | None:
        """As the reader chosen reads it."""
        if self._reader is None:
            if line.text is not None and not line.text.strip():
                return None
            self._reader = _looking(line.text or b"")(extra=self._extra)
        return self._reader.read(line)

    @property
    def kind(self) -> Kind | None:
        """What was chosen; None until there was a line."""
        return next((kind for kind, one in _READERS.items() if type(self._reader) is one), None)

    def count_from(self, index: int) -> None:
        """Number the next row of the reader chosen *index*."""
        if self._reader is not None:
            self._reader.count_from(index)


def _looking(line: bytes) -> type[TsvReader | CsvReader | JsonReader]:
    text = line.decode(errors="replace").strip(" ")
    if text.startswith("{") or (text.startswith('"') and _is_json_url(line)):
        return JsonReader
    if "\t" in text:
        return TsvReader
    reader = CsvReader()
    if reader.read(Line(line, 0)) is None:  # a header
        return CsvReader if any(sign in text for sign in ',;"') else TsvReader
    try:
        cells = csv_cells(text)
    except ValueError:
        return TsvReader
    return CsvReader if len(cells) > 1 and "://" in cells[1] else TsvReader


def _is_json_url(line: bytes) -> bool:
    try:
        return "://" in orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
