"""Lines of cells → rows: which column is which. What TSV and CSV share."""

from __future__ import annotations

import re

from workers.manifest.lines import MAX_LINE_BYTES, Line
from workers.manifest.rows import TOO_LONG, Row, bad_row, extra_json

__all__ = ["ColumnReader", "names_url"]

#: With more columns than this the others are not passed on: nobody's table is so wide.
MAX_COLUMNS = 4096

#: Of what may be a header so many names are told, each up to so many signs.
_TOLD_NAMES, _TOLD_SIGNS = 8, 40

_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
#: A host and maybe a path: a URL without its beginning.
_HOST = re.compile(r"\s*(?://)?[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:/\S*)?\s*")
#: What was meant as a URL, other than the name of a column is.
_MEANT = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:[/\\]|data:|//|[^\s/.]+\.[^\s/]*/)")


class ColumnReader:
    """Reads a line as cells.

    A first line with a cell `url` is a header and says where `url` and, if there, `id` stand.
    Without header a line is id and URL, or a URL alone. Subclasses say how a line is cut.
    """

    expected = "id and URL, or a URL"
    separated = "it looks like CSV"  #: what is said of a line with commas or semicolons

    def __init__(self, *, extra: bool = False) -> None:
        self._extra = extra
        self._url = 1
        self._id: int | None = 0
        self._headed = False
        self._names: list[str] = []  # of the columns in the header
        self._labels: list[str] = []  # of the columns met so far, each another
        self._labelled: dict[str, int] = {}  # these, and how often each was wanted
        self._index = -1  # -1 until the first line that is not blank was seen

    def read(self, line: Line) -> Row | None:
        """The row in *line*, or None for a blank line or the header."""
        text, end = line
        if text is not None and len(text) > MAX_LINE_BYTES:
            text = None  # it only begins like a batch line
        if text is not None and (not text or text.isspace()):
            return None
        if self._index < 0:
            self._index = 0
            if text is not None and self._is_header(text.decode(errors="replace")):
                return None
        index = self._index
        self._index = index + 1
        if text is None:
            return bad_row(index, end, TOO_LONG)
        try:
            decoded = text.decode()
        except UnicodeDecodeError as exc:
            return bad_row(index, end, f"the line is not UTF-8: byte {exc.start} of it")
        if "\0" in decoded or "\r" in decoded:
            return bad_row(index, end, "the line holds a NUL or a lone carriage return")
        try:
            cells = self._cells(decoded)
        except ValueError as exc:
            return bad_row(index, end, str(exc))
        url_at, id_at = self._url, self._id
        if not self._headed and len(cells) == 1:
            if not _SCHEME.match(cells[0]):
                # A URL ill written may hold a password, and an id is repeated as it is.
                known = "" if "@" in cells[0] else cells[0]
                return bad_row(index, end, self._neither(cells[0]), known)
            url_at, id_at = 0, None
        elif not self._headed and index == 0 and _is_other_header(cells):
            known = "" if "@" in decoded else cells[0]
            return bad_row(index, end, _other_header(cells, told="@" not in decoded), known)
        if self._extra and len(cells) > MAX_COLUMNS:
            return bad_row(index, end, f"{len(cells)} columns, more than {MAX_COLUMNS}")
        identity = cells[id_at] if id_at is not None and id_at < len(cells) else ""
        if url_at >= len(cells):
            message = f"no column {url_at + 1} (url): found {len(cells)}"
            return bad_row(index, end, message, identity)
        url = cells[url_at].strip(" ")
        if not self._extra:
            return Row(index, identity or str(index), url, end)
        try:
            extra = extra_json(self._others(cells, url_at, id_at))
        except ValueError as exc:
            return bad_row(index, end, str(exc), identity)
        return Row(index, identity or str(index), url, end, None, extra)

    def count_from(self, index: int) -> None:
        """Number the next row *index*. Columns keep their names: those depend on no row."""
        self._index = index

    def _cells(self, text: str) -> list[str]:
        """The cells of a line. Raises ValueError with why it has none."""
        raise NotImplementedError

    def _header(self, text: str) -> list[str] | None:
        """The cells of a first line that names `url`, or None."""
        try:
            cells = self._cells(text)
        except ValueError:
            return None
        return cells if names_url(cells) else None

    def _is_header(self, text: str) -> bool:
        cells = self._header(text)
        if cells is None:
            return False
        self._headed = True
        names = [cell.strip().lower() for cell in cells]
        self._url = names.index("url")
        self._id = names.index("id") if "id" in names else None
        self._names = [cell.strip() for cell in cells]
        return True

    def _neither(self, text: str) -> str:
        """What to say of a line that is neither."""
        told = f"expected {self.expected}, found neither"
        why = self._why_neither(text.lstrip("\ufeff "))
        return told if why is None else f"{told}: {why}"

    def _why_neither(self, text: str) -> str | None:
        """What such a line was perhaps meant as."""
        if text.startswith("#"):
            return "there are no comments, a line that begins with # is a row too"
        if _HOST.fullmatch(text):
            return "http:// or https:// is missing before it"
        look = _look(text)
        if look == "CSV":
            return self.separated
        return None if look is None else f"it looks like {look}"

    def _others(self, cells: list[str], *known: int | None) -> dict[str, str]:
        """The other cells by name: `column3` where there is none, `name_2` where it repeats."""
        for at in range(len(self._labels), len(cells)):
            self._labels.append("" if at in known else self._label(at))
        pairs = zip(self._labels, cells, strict=False)
        return {label: cell for label, cell in pairs if label}

    def _label(self, at: int) -> str:
        """A name for a column that no column before it has."""
        base = (self._names[at] if at < len(self._names) else "") or f"column{at + 1}"
        name, times = base, self._labelled.get(base, 0)
        while name in self._labelled:
            times += 1
            name = f"{base}_{times}"
        self._labelled[base] = max(times, 1)
        self._labelled.setdefault(name, 1)
        return name


def names_url(cells: list[str]) -> bool:
    """Whether a line of such cells is a header."""
    return "url" in [cell.strip().lower() for cell in cells]


def _is_other_header(cells: list[str]) -> bool:
    """Whether a first line is rather names of columns, of which none is `url`, than id and URL."""
    if any("://" in cell for cell in cells):
        return False
    return not (cells[1].strip() == "" or _MEANT.match(cells[1]))


def _other_header(cells: list[str], *, told: bool) -> str:
    """What to say of it. Its cells are not *told* where one may be a password."""
    message = "no URL, and as a header it names no column `url`"
    names = [cell.strip() for cell in cells if told and cell.strip()]
    if not names:
        return message
    short = [
        name if len(name) <= _TOLD_SIGNS else f"{name[:_TOLD_SIGNS]}…"
        for name in names[:_TOLD_NAMES]
    ]
    more = f" and {len(names) - len(short)} more" if len(names) > len(short) else ""
    return f"{message}: found {', '.join(short)}{more}"


def _look(text: str) -> str | None:
    """What kind a line that cannot be read is perhaps of."""
    if text.startswith("<"):
        return "HTML or XML"
    if text.startswith(("{", "[", "]", "}")):
        return "JSON"
    if "," in text or ";" in text:
        return "CSV"
    return "TSV" if "\t" in text else None
