"""Rows → a pandas frame of the types that its columns have, and the same as Arrow.

pandas and pyarrow come with the extra `parquet`; they are imported when the first table is begun,
or by `load` before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from workers.tables.cells import typed
from workers.tables.columns import Column

if TYPE_CHECKING:
    import pandas

__all__ = ["Frames", "load"]


def load() -> None:
    """Import pandas and pyarrow now: not amidst what is to be ended in order."""
    import_module("pandas")
    import_module("pyarrow.parquet")


class Frames:
    """Makes frames of one set of columns. Nothing about their types is guessed from values."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Imports pandas, which takes a second the first time."""
        import pandas
        import pyarrow

        self._columns = columns
        self._arrow = pyarrow
        fields = [
            pyarrow.field(
                column.name, pyarrow.type_for_alias(column.arrow), nullable=column.nullable
            )
            for column in columns
        ]
        series = {
            column.name: pandas.Series([], dtype=pandas.api.types.pandas_dtype(column.dtype))
            for column in columns
        }
        # With what pandas notes for itself of its types: it has the same when it reads the file.
        noted = pyarrow.Table.from_pandas(
            pandas.DataFrame(series), pyarrow.schema(fields), preserve_index=False
        )
        self.schema: Any = noted.schema

    def frame(self, rows: Sequence[Sequence[Any]]) -> pandas.DataFrame:
        """*rows*, of a cell for each column, as a frame."""
        found = zip(*rows, strict=True) if rows else [()] * len(self._columns)
        arrays = [
            self._arrow.array(typed(column, cells), type=field.type)
            for column, cells, field in zip(self._columns, found, self.schema, strict=True)
        ]
        table = self._arrow.Table.from_arrays(arrays, schema=self.schema)
        frame: pandas.DataFrame = table.to_pandas(use_threads=False)
        return frame

    def table(self, frame: pandas.DataFrame) -> Any:
        """A *frame* as an Arrow table."""
        return self._arrow.Table.from_pandas(frame, self.schema, preserve_index=False, nthreads=1)
