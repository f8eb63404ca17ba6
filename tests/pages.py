"""The fenced blocks of the documents, and what the tests do with each.

In goes a page, out come its blocks. How a block is begun says what becomes of it; docs/README.md
tells writers the same, and `Block.use` raises ValueError where a block is begun in another way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = ["MARKS", "PAGES", "ROOT", "RUN", "SERVES", "SHOWN", "Block", "Use", "blocks"]

ROOT = Path(__file__).parents[1]
#: Every page that people are sent to.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: Words behind `sh` of commands that no test runs, and why not.
MARKS = {
    "docker": "needs a Docker engine",
    "cloud": "needs an account, or other machines",
    "minutes": "takes minutes",
    "system": "changes the machine",
}
SERVES = "serves"
RUN = ("sh", "python")
#: What is shown, not done.
SHOWN = ("", "text", "json", "yaml", "nginx", "promql")
#: A line of what is shown that begins so is a command in the wrong kind of block.
COMMAND = re.compile(
    r"\s*(?:\$ |>>> |sudo |export |import |from \w+ import |(?:\w+=\S+ )*"
    r"(?:\./)?(?:scripts/|\.venv/|imagecensus |curl |docker |pip |python3? |nginx |XADD ))"
)


class Use(Enum):
    """What becomes of a block."""

    RUN = "run as it stands, behind the others of its page"
    SERVES = "started, and ended at the end of its page"
    FILE = "written to the file that it names"
    SHOWN = "shown"
    MARKED = "not run, as it says"


@dataclass(frozen=True)
class Block:
    """One block: where it begins, what stands behind its fence, what is in it."""

    page: Path
    line: int
    language: str
    word: str
    text: str

    def __str__(self) -> str:
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name
        return f"{page}:{self.line}"

    @property
    def use(self) -> Use:
        """What becomes of it. Raises ValueError where its first line does not say so."""
        if self.language in RUN and not self.word:
            return Use.RUN
        if self.language == "sh" and self.word == SERVES:
            return Use.SERVES
        if self.language == "sh" and self.word in MARKS:
            return Use.MARKED
        if self.language and re.fullmatch(r"(?!/)[\w./-]*\.\w+", self.word):
            return Use.FILE
        if self.language in SHOWN and not self.word:
            if COMMAND.match(self.text) or re.search(rf"\n{COMMAND.pattern}", self.text):
                raise ValueError(f"{self}: a command that is not in a block `sh`")
            return Use.SHOWN
        raise ValueError(
            f"{self}: `{self.language} {self.word}` is nothing that docs/README.md has"
        )


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order. Raises ValueError for one that is not closed."""
    found = []
    begun: tuple[int, str, str, str] | None = None
    held: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"( *)```+ *(\S*) *(.*?) *$", line)
        if fence and begun is None:
            begun = (number, *fence.groups())
            held = []
        elif fence and begun is not None:
            at, _, language, word = begun
            found.append(Block(page, at, language, word, "\n".join(held) + "\n"))
            begun = None
        elif begun is not None:
            held.append(line.removeprefix(begun[1]))
    if begun is not None:
        raise ValueError(f"{page.name}:{begun[0]}: a block that is not closed")
    return found
