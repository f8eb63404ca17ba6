"""CSV with quotes as RFC 4180 has them, but a line break always ends a row: a quote that somebody
forgot to close costs the one line it stands in, never the lines behind it.
"""

from __future__ import annotations

from workers.manifest.columns import ColumnReader, names_url

__all__ = ["CsvReader", "csv_cells"]

#: A header may show that something else than a comma ends a cell, as spreadsheets write it.
_SEPARATORS = (",", ";", "\t")


class CsvReader(ColumnReader):
    """Commas, unless the header is only one with semicolons or tabs."""

    expected = "id,url or a URL"
    separated = "semicolons between cells need a header line that names `url`"

    def __init__(self, *, extra: bool = False) -> None:
        super().__init__(extra=extra)
        self._separator = ","

    def _cells(self, text: str) -> list[str]:
        cells = csv_cells(text, self._separator)
        if not self._headed and len(cells) > 1 and "://" in cells[0] and "://" not in cells[1]:
            raise ValueError("a URL stands where the id belongs: quote it, or name the columns")
        return cells

    def _header(self, text: str) -> list[str] | None:
        for separator in _SEPARATORS:
            try:
                cells = csv_cells(text, separator)
            except ValueError:
                continue
            if names_url(cells):
                self._separator = separator
                return cells
        return None


def csv_cells(text: str, separator: str = ",") -> list[str]:
    """The cells of one line. A quote within a cell that does not begin with one is text.

    Raises:
        ValueError: a quote is not closed, or text stands behind a closing one.
    """
    if '"' not in text:
        return text.split(separator)
    cells = []
    at, length = 0, len(text)
    while True:
        if text.startswith('"', at):
            end = text.find('"', at + 1)
            while end >= 0 and text.startswith('"', end + 1):  # a doubled quote is one in the cell
                end = text.find('"', end + 2)
            if end < 0:
                raise ValueError("a quote is not closed; a line break always ends a row")
            cells.append(text[at + 1 : end].replace('""', '"'))
            at = end + 1
            if at < length and text[at] != separator:
                raise ValueError("text stands behind a closing quote")
        else:
            end = text.find(separator, at)
            end = length if end < 0 else end
            cells.append(text[at:end])
            at = end
        if at >= length:
            return cells
        at += 1
