"""Entry points for the pool's tests: what pictures and libraries do at their worst, on demand.

Imported in the pool's children, so nothing of the test tools here.
"""

from __future__ import annotations

import collections
import ctypes
import gc
import itertools
import mmap
import multiprocessing
import os
import resource
import signal
import struct
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from workers.pool import child

GOOD = "good"


class ErrorThatDoesNotUnpickle(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class ErrorThatCannotSpeak(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class ValueThatDoesNotUnpickle:
    def __reduce__(self) -> tuple[Any, ...]:
        return refuse, ()


def refuse() -> NoReturn:
    if multiprocessing.parent_process() is None:
        raise ValueError("not here")
    raise AssertionError("unpickled in a child")


def leave() -> None:
    os._exit(3)


def segfault_by_signal() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def segfault_in_c() -> None:
    ctypes.string_at(0)


def loop_in_python() -> None:
    while True:
        pass


def loop_in_c_with_the_gil() -> None:
    collections.deque(itertools.repeat(None), maxlen=0)


def allocate_four_gigabytes() -> int:
    return len(bytearray(4 << 30))


def make_a_huge_image() -> Any:
    from PIL import Image

    return Image.new("RGB", (60_000, 60_000)).size


def raise_an_error() -> None:
    raise ValueError("broken\nin two lines \ud800")


def raise_system_exit() -> None:
    raise SystemExit(0)


def recurse() -> None:
    recurse()


def answer_with_a_generator() -> Any:
    return (number for number in range(3))


def raise_what_does_not_unpickle() -> None:
    raise ErrorThatDoesNotUnpickle(1, 2)


def raise_what_cannot_speak() -> None:
    raise ErrorThatCannotSpeak


def answer_with_what_does_not_unpickle() -> Any:
    return ValueThatDoesNotUnpickle()


def leave_in_the_middle_of_an_answer() -> None:
    """Announce a thousand bytes on the executor's own pipe, send one, and be gone."""
    for thing in gc.get_objects():
        if isinstance(thing, Connection) and thing.writable and not thing.closed:
            os.write(thing.fileno(), struct.pack("!i", 1000) + b"x")
    os._exit(4)


def act(item: str) -> Any:
    """Do what an item is named for; the good ones answer with themselves."""
    return item if item.startswith(GOOD) else globals()[item]()


def meet(item: str, folder: str) -> str:
    """Say where this is, then hang: the first time an item comes along. The next time, answer."""
    if list(Path(folder).glob(f"{item}.*")):
        return item
    Path(folder, f"{item}.{os.getpid()}").touch()
    while True:
        time.sleep(1)


def meet_and_wait(item: str, folder: str) -> str:
    """Say where this is, and go on once somebody says so."""
    Path(folder, f"{item}.{os.getpid()}").touch()
    while not Path(folder, "go on").exists():
        time.sleep(0.005)
    return item


def meet_holding_the_gil(item: str, folder: str) -> None:
    Path(folder, f"{item}.{os.getpid()}").touch()
    loop_in_c_with_the_gil()


def pages_taken_again(size: int) -> int:
    """How many pages the system had to give for memory that was freed a moment ago."""
    first = bytearray(size)
    del first
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    again = bytearray(size)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    del again
    return taken


def process_id(_item: object) -> int:
    return os.getpid()


def pass_on(item: Any) -> Any:
    return item


_kept: list[bytearray | mmap.mmap] = []


def keep(item: int) -> int:
    """Hold on to so many bytes, as a leaking library would."""
    _kept.append(bytearray(b"x") * item)
    return os.getpid()


def load_a_model(item: int) -> int:
    """Take more than the budget while loading, which is allowed then."""
    with child.loading():
        _kept.append(mmap.mmap(-1, item))
    return len(_kept[-1])


def describe(_item: object) -> dict[str, Any]:
    """What this child is made of."""
    avif = sys.modules.get("PIL.AvifImagePlugin")
    return {
        "modules": set(sys.modules),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "fsize": resource.getrlimit(resource.RLIMIT_FSIZE),
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "sighup": signal.getsignal(signal.SIGHUP) is signal.SIG_IGN,
        "held_back": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "threads": (
            os.environ.get("OMP_NUM_THREADS"),
            os.environ.get("OPENBLAS_NUM_THREADS"),
            avif.DEFAULT_MAX_THREADS if avif else None,
        ),
        "output": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in (1, 2)],
    }
