"""Lines → `Row`s. One input row never becomes zero or two rows: what cannot be read is a row
with a `problem`, numbered like any other. Blank lines are not rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from imaging.facts import ErrorCode, Failure
from workers.manifest.lines import MAX_LINE_BYTES, Line, LineCutter

__all__ = ["Row", "Source", "TsvRows", "inline_rows", "read_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the manifest; `index` is its identity."""

    index: int  #: 0-based data row
    id: str  #: as written; the index where none is
    url: str | None  #: None where the row could not be read so far
    end: int = 0  #: offset in the manifest, inflated, of the byte behind the row
    problem: Failure | None = None  #: why the row cannot be worked on


class Source(Protocol):
    """Where the bytes of a manifest come from."""

    name: str  #: as the client named it

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """The manifest's bytes, inflated, in blocks of any size. Raises ManifestError."""
        ...

    @property
    def sha256(self) -> str | None:
        """Of the bytes as stored, once all have been read."""
        ...


class TsvRows:
    """Reads tab separated lines; there is no quoting.

    A first line with a cell `url` is a header and says where `url` and, if there, `id` stand;
    other columns are passed over. Without header a line is `id<TAB>url`, or a URL alone.
    """

    def __init__(self) -> None:
        self._url = 1
        self._id: int | None = 0
        self._headed = False
        self._index = -1  # -1 until the first line that is not blank was seen

    def read(self, line: Line) -> Row | None:
        """The row in *line*, or None for a blank line or the header."""
        text, end = line
        if text is not None and not text.strip():
            return None
        if self._index < 0:
            self._index = 0
            if text is not None and self._is_header(text):
                return None
        index = self._index
        self._index = index + 1
        if text is None:
            return _bad(index, end, f"the line is longer than {MAX_LINE_BYTES} bytes")
        try:
            decoded = text.decode()
        except UnicodeDecodeError as exc:
            return _bad(index, end, f"the line is not UTF-8: byte {exc.start} of it")
        if "\0" in decoded or "\r" in decoded:
            return _bad(index, end, "the line holds a NUL or a lone carriage return")
        return self._cells(index, end, decoded.split("\t"))

    def _is_header(self, text: bytes) -> bool:
        names = [cell.strip().lower() for cell in text.decode(errors="replace").split("\t")]
        if "url" not in names:
            return False
        self._headed = True
        self._url = names.index("url")
        self._id = names.index("id") if "id" in names else None
        return True

    def _cells(self, index: int, end: int, cells: list[str]) -> Row:
        url_at, id_at = self._url, self._id
        if not self._headed and len(cells) == 1:
            if "://" not in cells[0]:
                return _bad(index, end, "expected id<TAB>url or a URL, found neither", cells[0])
            url_at, id_at = 0, None
        identity = cells[id_at] if id_at is not None and id_at < len(cells) else ""
        if url_at >= len(cells):
            message = f"no column {url_at + 1} (url): found {len(cells)}"
            return _bad(index, end, message, identity)
        return Row(index, identity or str(index), cells[url_at].strip(" "), end)


def _bad(index: int, end: int, message: str, identity: str = "") -> Row:
    problem = Failure(ErrorCode.BAD_ROW, message)
    return Row(index, identity[:200] or str(index), None, end, problem)


async def read_rows(source: Source, *, limit: int | None = None) -> AsyncGenerator[Row, None]:
    """The rows of *source*, as its bytes come; at most *limit* of them.

    Raises:
        ManifestError: when the bytes cannot be read on; rows before that were given.
    """
    cutter, reader = LineCutter(), TsvRows()
    if limit == 0:
        return
    async with aclosing(source.blocks()) as blocks:
        async for block in blocks:
            for line in cutter.feed(block):
                row = reader.read(line)
                if row is not None:
                    yield row
                    if row.index + 1 == limit:
                        return
            await asyncio.sleep(0)  # a block may hold no row at all, and many may come at once
    for line in cutter.finish():
        row = reader.read(line)
        if row is not None:
            yield row


def inline_rows(items: Sequence[Any], *, limit: int | None = None) -> Iterator[Row]:
    """The rows of a list in a JSON body: objects with `url` and maybe `id`, or plain URLs."""
    for index, item in enumerate(items[:limit]):
        identity: Any = None
        url = item
        if isinstance(item, dict):
            identity, url = item.get("id"), item.get("url")
        if identity is not None and (
            isinstance(identity, bool) or not isinstance(identity, str | int)
        ):
            yield _bad(index, 0, "id is neither text nor a whole number")
        elif not isinstance(url, str):
            known = "" if identity is None else str(identity)
            yield _bad(index, 0, "no url" if url is None else "url is not text", known)
        else:
            yield Row(index, str(index) if identity in (None, "") else str(identity), url)
