"""What runs in a child of the pool: its limits, and the loop over a chunk.

A chunk of items comes in; an `Answer` of plain bytes and `Failure`s goes out, whatever the items
do. `process` starts children with `initialize` and sends them `run_chunk` with one of `entries`.
Light at the top: the parent imports this for its names, and must not import Pillow by it.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from imaging.facts import ErrorCode, Failure

__all__ = ["Answer", "echo", "forget_growth", "hello", "initialize", "loading", "run_chunk"]

#: An error's text may be anything, also a gigabyte.
MESSAGE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a chunk, item by item."""

    values: list[bytes | Failure]  #: the entry's value, pickled on its own; or why there is none
    tracebacks: dict[int, str]  #: of the items that raised, for the parent's log
    grown: int  #: resident bytes above the child's size at start
    spent: bool = False  #: it has no descriptors left: of no use to anybody any more
    seconds: Sequence[float] = ()  #: that each item took


@dataclass(slots=True)
class _Self:
    """What this child knows of itself, set by `initialize`."""

    position: Any  #: shared with the parent: the item under way, its last words
    tracebacks: Connection  #: a pipe: limits forbid files, and fd 2 belongs to C libraries
    memory_bytes: int
    born_with: int = 0  #: resident bytes at start
    item_timeout: float = 0.0  #: of the chunk under way


_self: _Self | None = None


def initialize(position: Any, tracebacks: Connection, memory_bytes: int, quiet: bool) -> None:
    """Make this process a child of the pool. Raises when a limit cannot be set."""
    global _self
    faulthandler.enable(file=tracebacks.fileno(), all_threads=False)
    threading.Thread(target=_die_with_parent, name="orphan-guard", daemon=True).start()
    from workers.pool import preload  # noqa: F401 - heavy, and for children only

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # an executor that breaks ends its child so
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _self = _Self(position, tracebacks, memory_bytes)
    _limit_memory(_self)
    _redirect(quiet=quiet)  # last: what goes wrong until here is for everybody to read


def hello() -> int:
    """Say that this child is up. Returns its process id."""
    return os.getpid()


def run_chunk(
    entry: Callable[..., Any], items: Sequence[Any], args: tuple[Any, ...], item_timeout: float
) -> Answer:
    """Run `entry(item, *args)` for each item. An item may kill the process, never the loop.

    An item that raises is `internal`, one that runs out of memory `worker_died`: the process
    lives on, but to the outside it is the same picture that does not fit. An item over its time
    ends the process from a thread in C, which needs no GIL: nothing in here could.
    """
    me = _me()
    me.item_timeout = item_timeout
    values: list[bytes | Failure] = []
    tracebacks: dict[int, str] = {}
    seconds: list[float] = []
    spent = False
    for index, item in enumerate(items):
        me.position.value = index
        began = time.monotonic()
        try:
            _watch(me)
            # Pickled one by one, here: a value that cannot be pickled costs only itself.
            values.append(pickle.dumps(entry(item, *args), protocol=pickle.HIGHEST_PROTOCOL))
        except MemoryError:
            values.append(Failure(ErrorCode.WORKER_DIED, "needs more memory than allowed"))
        except BaseException as error:  # SystemExit and RecursionError too: the loop goes on
            spent |= isinstance(error, OSError) and error.errno == errno.EMFILE
            values.append(Failure(ErrorCode.INTERNAL, _text(error)))
            tracebacks[index] = _traceback(error)
        finally:
            faulthandler.cancel_dump_traceback_later()
            seconds.append(time.monotonic() - began)
    me.position.value = len(items)
    return Answer(values, tracebacks, _resident() - me.born_with, spent, seconds)


def echo(item: bool) -> bool:
    """Entry point: a round trip, to see that there is one."""
    return item


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Lift the memory limit while a model loads; the budget then counts from the new size.

    It has the time of an item to itself: what comes behind it in the same item has as much again.
    """
    me = _me()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    _watch(me)
    try:
        yield
    finally:
        _limit_memory(me)
        _watch(me)


def _watch(me: _Self) -> None:
    """End the process, from a thread in C, once the time of an item is over from now."""
    faulthandler.dump_traceback_later(me.item_timeout, exit=True, file=me.tracebacks.fileno())


def forget_growth() -> None:
    """Count what this process grows by from now on: what it has, it needs."""
    _me().born_with = _resident()


def _me() -> _Self:
    if _self is None:
        raise RuntimeError("this process is no child of the pool")
    return _self


def _redirect(*, quiet: bool) -> None:
    """Send stdout, which may be somebody's NDJSON, to stderr; and that nowhere when quiet.

    C libraries (libtiff) complain on stderr about every damaged file.
    """
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    os.dup2(2, 1)


def _die_with_parent() -> None:
    """End this process once its parent is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _limit_memory(child: _Self) -> None:
    """Allow the address space of now plus the budget (where the system tells its size)."""
    child.born_with = _resident()
    virtual = _statm(0)
    if virtual:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = virtual + child.memory_bytes
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _resident() -> int:
    return _statm(1)


def _statm(field: int) -> int:
    """Bytes of one field of `/proc/self/statm`: 0 address space, 1 resident. 0 if not told."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[field]) * resource.getpagesize()
    except OSError:
        return 0


def _text(error: BaseException) -> str:
    """An error as one short line that any encoder takes, also if its own `str` raises."""
    try:
        words = str(error)[:MESSAGE_CHARACTERS]
    except BaseException:
        words = ""
    line = " ".join(f"{type(error).__name__}: {words}".split()).removesuffix(":")
    return line.encode("utf-8", "backslashreplace").decode()


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(error, limit=-20)
    except BaseException:
        return ""
    return "".join(lines)[-8000:].encode("utf-8", "backslashreplace").decode()
