"""Predictors as users write them, good and bad, for `CENSUS_PREDICTORS`.

Imported in children of the pool, so nothing of the test tools here. What a row is to do stands in
its id.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

HERE = "tests.workers.batches.own_predictors"

Pictures = NDArray[np.uint8]


class Mean:
    """The mean of each channel, and who said so."""

    version = "7"

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        means = batch.mean(axis=(2, 3))
        return [
            {"id": name, "mean": mean.round(3).tolist(), "rows": len(batch)}
            for name, mean in zip(ids, means, strict=True)
        ]


class Born:
    """In which process it was loaded, and when."""

    def __init__(self) -> None:
        self.told = [os.getpid(), time.monotonic_ns()]

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        return [self.told] * len(batch)


class Obedient(Mean):
    """Does what an id says, once it stands in a batch."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        for name in ids:
            if name.startswith("raise"):
                raise ValueError(f"cannot do {name}")
            if name.startswith("exit"):
                os._exit(3)
            if name.startswith("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            if name.startswith("sleep"):
                time.sleep(3600)
            if name.startswith("allocate"):
                bytearray(64 << 30)
            if name.startswith("odd"):
                return [object() for _ in ids]
            if name.startswith("long"):
                return ["x" * 70_000 for _ in ids]
        return [{"id": one["id"], "mean": one["mean"]} for one in super().__call__(batch, ids)]


class Short(Mean):
    """Forgets the last row of every batch of several."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        return super().__call__(batch, ids)[: max(1, len(ids) - 1)]


class Slices:
    """Answers with what numpy users have in hand."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        numbers = {"number": np.array(3.5), "texts": np.array(["a", "b"])}
        return [{"slice": batch[row, :, 0, 0], **numbers} for row in range(len(ids))]


class Slow:
    """Takes seconds to be made, and for a call."""

    def __init__(self) -> None:
        time.sleep(3)

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        time.sleep(3)
        return [1] * len(ids)


class Wide(Mean):
    """Wants its pictures last channel, and 32 × 16."""

    size = (32, 16)
    layout = "NHWC"

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        return [list(batch.shape) for _ in ids]


class Broken:
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no such model")


class Deadly:
    """Ends the process that makes it."""

    def __init__(self) -> None:
        os._exit(5)


class Sleepy:
    """Is slow, whatever it is asked."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        time.sleep(0.2)
        return [len(ids)] * len(ids)


class Leaky:
    """Opens what descriptors there are."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        while True:
            os.open(os.devnull, os.O_RDONLY)


class Forger:
    """Answers with more than a value."""

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        return [orjson.Fragment(b'1}\n{"type":"summary"')] * len(ids)
