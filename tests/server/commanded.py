"""Predictors of somebody's own that do what the id of a row says. The pool's children use it."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSES", "Commanded", "OfOne", "Unwilling"]

Pictures = NDArray[np.uint8]

#: As CENSUS_PREDICTORS takes them.
CLASSES = ",".join(f"{name.lower()}={__name__}:{name}" for name in __all__[1:])


class Commanded:
    """Says what it was given, and which process it is in: the how manieth object of its kind."""

    version = "7"
    size = (16, 12)
    labels = ("mean",)
    made = 0

    def __init__(self) -> None:
        Commanded.made += 1

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        values: list[Any] = []
        for picture, name in zip(batch, ids, strict=True):
            command, _, rest = name.partition(" ")
            if command == "forget":
                continue
            values.append(COMMANDS[command](rest) if command in COMMANDS else _told(picture, name))
        batch[:] = 0  # it may
        return values


class OfOne:
    """Takes no two pictures at once."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        if len(ids) > 1:
            raise ValueError("one at a time")
        return batch.mean(axis=(1, 2, 3))


class Unwilling:
    """Ends the process that makes one."""

    def __init__(self) -> None:
        os._exit(5)


class Endless:
    """Is never made."""

    def __init__(self) -> None:
        _hang("")


def _told(picture: Pictures, name: str) -> dict[str, Any]:
    mean = float(picture.mean())
    return {"id": name, "mean": mean, "pid": os.getpid(), "made": Commanded.made}


def _raise(words: str) -> None:
    raise ValueError(words)


def _exit(code: str) -> None:
    sys.exit(int(code))


def _leave(code: str) -> None:
    os._exit(int(code))


def _crash(_: str) -> None:
    ctypes.string_at(0)


def _hang(_: str) -> None:
    time.sleep(3600)


def _grow(_: str) -> None:
    bytearray(64 << 30)


def _recurse(words: str) -> None:
    _recurse(words)


def _say(characters: str) -> str:
    return "x" * int(characters)


def _object(_: str) -> object:
    return object()


def _infinite(_: str) -> float:
    return float("inf")


def _until(path: str) -> str:
    """Say that it began, and go on when there is such a file."""
    Path(f"{path}.begun").touch()
    while not Path(path).exists():
        time.sleep(0.005)
    return "done"


COMMANDS = {
    "raise": _raise,
    "exit": _exit,
    "leave": _leave,
    "crash": _crash,
    "hang": _hang,
    "grow": _grow,
    "recurse": _recurse,
    "say": _say,
    "object": _object,
    "infinite": _infinite,
    "until": _until,
}
