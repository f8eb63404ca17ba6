"""What docs/hostile-inputs.md says: the codes each name may end in, by depth.

This module imports none of its siblings, so that the tests can load it by its path.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEPTHS = ("header", "full")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "hostile-inputs.md"
CODE = re.compile(r"`([a-z_]+)(?: (\d+))?`")


class Expected(NamedTuple):
    """A code (`ok`: a record with facts), and the HTTP status where the page gives one."""

    code: str
    status: int | None = None


class Case(NamedTuple):
    """One line of a table: what its record may say, by depth."""

    name: str
    expected: dict[str, list[Expected]]

    def __str__(self) -> str:
        return self.name

    def allows(self, depth: str, code: str, status: int | None) -> bool:
        """Whether the page has this code; a status counts only where the page gives one."""
        fine = self.expected[depth]
        return Expected(code, status) in fine or Expected(code) in fine


def written() -> Iterator[Case]:
    """Every line of the page that begins with a name: name, what it is, a code or one by depth."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        name, _, *codes = (cell.strip() for cell in line.strip("|").split("|"))
        by_depth = zip(DEPTHS, codes * (3 - len(codes)), strict=True)
        yield Case(name.strip("`"), {depth: _codes(cell) for depth, cell in by_depth})


def _codes(cell: str) -> list[Expected]:
    return [Expected(code, int(status) if status else None) for code, status in CODE.findall(cell)]
