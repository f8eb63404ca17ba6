"""docs/tables.md and the columns there are say the same."""

from __future__ import annotations

import re
from pathlib import Path

from workers.tables.columns import COLUMNS

TEXT = (Path(__file__).parents[3] / "docs" / "tables.md").read_text(encoding="utf-8")


def test_every_column_is_documented_with_its_type() -> None:
    """In the order they stand in, for each kind."""
    for kind, columns in COLUMNS.items():
        section = TEXT.partition(f"### Of `{kind}`")[2].partition("\n#")[0]
        written = re.findall(r"^\| `(\w+)` \| (\w+) \| \S", section, re.MULTILINE)
        assert written == [(column.name, column.type.replace("json", "JSON")) for column in columns]
