"""What a server holds at a moment: memory, descriptors, processes, tasks."""

import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

SETTLE_SECONDS = 40.0  # an idle connection is kept for fifteen
SPARE_DESCRIPTORS = 4
SPARE_TASKS = 2
#: What a State's figures are, for people.
WORDS = ("RSS MB", "RSS MB of all", "descriptors", "children", "threads", "tasks")


class State(NamedTuple):
    """Figures of one process; `rss_mb` and `children` count its descendants too."""

    rss_mb: int
    tree_mb: int
    descriptors: int
    children: int
    threads: int
    tasks: int

    def most(self, other: "State") -> "State":
        """The larger figure of each."""
        return State(*map(max, self, other))

    def left_of(self, before: "State") -> str:
        """What is there now and was not before, in words; memory is for the reader to judge."""
        left = []
        if self.descriptors > before.descriptors + SPARE_DESCRIPTORS:
            left.append(f"{self.descriptors - before.descriptors} descriptors")
        if self.children != before.children:
            left.append(f"{self.children - before.children} children")
        if self.tasks > before.tasks + SPARE_TASKS:
            left.append(f"{self.tasks - before.tasks} tasks")
        return ", ".join(left)


def state(process: psutil.Process, tasks: Path | None = None) -> State:
    """Look at a server; *tasks* is the file where it tells their number when it is asked."""
    children = process.children(recursive=True)
    own = total = process.memory_info().rss
    for child in children:
        with suppress(psutil.NoSuchProcess):
            total += child.memory_info().rss
    return State(
        own >> 20,
        total >> 20,
        process.num_fds(),
        len(children),
        process.num_threads(),
        _tasks(process, tasks) if tasks else 0,
    )


def _tasks(process: psutil.Process, file: Path) -> int:
    file.unlink(missing_ok=True)
    process.send_signal(signal.SIGUSR1)
    for _ in range(100):
        with suppress(OSError, ValueError):
            return int(file.read_text(encoding="ascii"))
        time.sleep(0.05)
    raise SystemExit("soak: the server does not tell its tasks")


def settled(process: psutil.Process, tasks: Path, before: State) -> State:
    """Look again and again until nothing is left beyond *before*, or it has had its time."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (now := state(process, tasks)).left_of(before) and time.monotonic() < deadline:
        time.sleep(0.5)
    return now
