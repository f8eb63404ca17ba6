"""What a person sees while it runs: bars and figures on a terminal, a line now and then elsewhere.

On standard error, always: standard output is for the lines of the census.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Figures", "bytes_of", "duration", "failures", "leave_terminal", "shown"]

#: Elsewhere than on a terminal there is a line so often.
LINE_SECONDS = 10.0
#: The rate is that of so many seconds.
_RATE_SECONDS = 15.0
_MOST_CODES = 6


@dataclass(slots=True)
class Figures:
    """Where a run stands."""

    what: str  #: in front of it all
    rows: int = 0
    failed: int = 0
    total: int | None = None  #: rows in all
    estimated: bool = True  #: the total is a guess
    bytes: int = 0  #: received
    saved: int | None = None  #: bytes of files that need not be read; None: not counted
    errors: Counter[str] = field(default_factory=Counter)
    note: str = ""  #: what else is going on
    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    def advance(self) -> None:
        """Note how far it has come by now, for the rate."""
        now = time.monotonic()
        if not self._marks or now - self._marks[-1][0] >= 0.25:
            self._marks.append((now, self.rows))
            while len(self._marks) > 2 and now - self._marks[0][0] > _RATE_SECONDS:
                self._marks.popleft()

    @property
    def rate(self) -> float:
        """Rows a second, of late."""
        if not self._marks:
            return 0.0
        since, rows = self._marks[0]
        seconds = time.monotonic() - since
        return (self.rows - rows) / seconds if seconds > 0.05 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds until all is done, at that rate."""
        rate = self.rate
        if self.total is None or not rate:
            return None
        return max(0, self.total - self.rows) / rate

    def rows_told(self) -> str:
        """`1,200 of ~5,005 rows`."""
        if self.total is None:
            return f"{self.rows:,} rows"
        about = "~" if self.estimated else ""
        return f"{self.rows:,} of {about}{max(self.total, self.rows):,} rows"

    def facts(self) -> list[str]:
        """Rate, time left, bytes: as far as there is something to say."""
        told = [f"{self.rate:,.0f} rows/s"]
        if (eta := self.eta) is not None:
            told.append(f"eta {duration(eta)}")
        if self.bytes:
            told.append(f"{bytes_of(self.bytes)} received")
        if self.saved:
            told.append(f"{bytes_of(self.saved)} saved by ranges")
        return told

    def line(self) -> str:
        """All of it on one line."""
        parts = [self.rows_told(), *self.facts(), failures(self.errors), self.note]
        return f"{self.what}: {', '.join(part for part in parts if part)}"


@contextmanager
def shown(figures: Figures, *, quiet: bool = False, stream: TextIO | None = None) -> Iterator[None]:
    """Show *figures*, which change meanwhile, until the end of the context."""
    out = stream or sys.stderr
    if quiet or out is None:
        yield
    elif out.isatty():
        with _live(figures, out):
            yield
    else:
        with _lines(figures, out):
            yield


@contextmanager
def _live(figures: Figures, out: TextIO) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=out, highlight=False)
    live = Live(
        console=console,
        get_renderable=lambda: _renderable(figures),
        refresh_per_second=5,
        transient=True,
        redirect_stdout=False,
    )
    with live:
        yield


def leave_terminal() -> None:
    """Have the cursor back: the process ends here and now."""
    with suppress(OSError):  # past whoever shows figures, who would take it for text
        if os.isatty(2):
            os.write(2, b"\x1b[?25h\n")


def _renderable(figures: Figures) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    figures.advance()
    total = figures.total
    head = Table.grid(padding=(0, 1), expand=True)
    head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True, overflow="ellipsis")
    share = min(1.0, figures.rows / total) if total else 0.0
    head.add_row(
        Text(figures.what, style="bold"),
        Text(figures.rows_told() + (f"  {share:4.0%}" if total else "")),
    )
    bar = ProgressBar(
        total=total or 100, completed=figures.rows, pulse=total is None, animation_time=time.time()
    )
    line = Table.grid(expand=True)  # of itself a bar does not end its line
    line.add_column(ratio=1)
    line.add_row(bar)
    style = "yellow" if figures.failed else "dim"
    parts: list[RenderableType] = [
        head,
        line,
        Text(" · ".join(figures.facts())),
        Text(failures(figures.errors), style=style),
    ]
    if figures.note:
        parts.append(Text(figures.note, style="dim"))
    return Group(*parts)


@contextmanager
def _lines(figures: Figures, out: TextIO) -> Iterator[None]:
    from threading import Event, Thread

    ended = Event()

    def tell() -> None:
        while not ended.wait(0.25):
            figures.advance()
            if time.monotonic() - told[0] >= LINE_SECONDS:
                told[0] = time.monotonic()
                with suppress(OSError):  # nobody reads it
                    print(figures.line(), file=out, flush=True)

    told = [time.monotonic()]
    figures.advance()
    thread = Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def failures(errors: Counter[str]) -> str:
    """`14 failed: http_status 10, dns_not_found 4`."""
    named = [f"{code} {count:,}" for code, count in errors.most_common(_MOST_CODES)]
    if (more := len(errors) - len(named)) > 0:
        named.append(f"{more} more")
    return f"{errors.total():,} failed{': ' if named else ''}{', '.join(named)}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def bytes_of(count: int) -> str:
    """`18.2 kB`, `81.3 MB`: in powers of ten."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
