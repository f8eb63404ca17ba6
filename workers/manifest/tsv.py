"""Tab separated lines; there is no quoting."""

from __future__ import annotations

from workers.manifest.columns import ColumnReader

__all__ = ["TsvReader"]


class TsvReader(ColumnReader):
    """A tab ends a cell, whatever stands in it."""

    expected = "id<TAB>url or a URL"

    def _cells(self, text: str) -> list[str]:
        return text.split("\t")
