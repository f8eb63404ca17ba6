"""The floor of decoding: pictures in memory to arrays, on so many processes, and no more.

    python scripts/bench_decode.py FOLDER|made ROWS SIZE PROCESSES

The same scaled decoding as the census does it, by Pillow alone: no header walk, no limits, nothing
turned upright or laid over a ground, nothing handed to anyone. The processes share the rows, eight
at a time, so that all of them end together. Prints one line of JSON; only the loop itself is
measured, when all processes are warm.
"""

import json
import multiprocessing
import sys
import time
import warnings
from contextlib import suppress
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

import numpy as np
from bench_pictures import bodies
from PIL import Image

__all__: list[str] = []

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
WARM_ROWS = 32
ROWS_AT_ONCE = 8
START_SECONDS = 60.0


class Share(NamedTuple):
    """What one process did."""

    rows: int
    bytes: int
    cpu: float
    began: float  #: by the clock that all processes share
    ended: float


def pixels(data: bytes, size: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """One picture as an array (3, size, size)."""
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        drafted = image.draft("RGB", (2 * size, 2 * size))
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        box = drafted[1] if drafted else None
        small = rgb.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=2)
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def _work(
    pictures: list[bytes], size: int, warm: Barrier, taken: "Synchronized[int]", told: Connection
) -> None:
    """Take rows until there are none; in a process of its own."""
    warnings.simplefilter("ignore")  # Pillow warns of doubtful metadata
    for data in pictures[:WARM_ROWS]:
        with suppress(OSError):
            pixels(data, size)
    warm.wait(START_SECONDS)
    rows = received = 0
    cpu, began = time.process_time(), time.monotonic()
    while True:
        with taken.get_lock():
            first = taken.value
            taken.value += ROWS_AT_ONCE
        some = pictures[first : first + ROWS_AT_ONCE]
        if not some:
            break
        for data in some:
            with suppress(OSError):  # the row is missed in the count
                pixels(data, size)
                rows += 1
                received += len(data)
    told.send(Share(rows, received, time.process_time() - cpu, began, time.monotonic()))


def _measure(pictures: list[bytes], size: int, processes: int) -> dict[str, float]:
    # Forked, so that they share the pictures; there are no threads here yet.
    context = multiprocessing.get_context("fork")
    warm, taken = context.Barrier(processes), context.Value("q", 0)
    readers = []
    for _ in range(processes):
        reader, told = context.Pipe(duplex=False)
        arguments = (pictures, size, warm, taken, told)
        context.Process(target=_work, args=arguments, daemon=True).start()
        told.close()
        readers.append(reader)
    shares: list[Share] = [reader.recv() for reader in readers]
    return {
        "rows": sum(share.rows for share in shares),
        "seconds": max(share.ended for share in shares) - min(share.began for share in shares),
        "cpu": sum(share.cpu for share in shares),
        "bytes": sum(share.bytes for share in shares),
    }


def main() -> int:
    """Measure once and say the result."""
    folder, rows, size, processes = sys.argv[1], *map(int, sys.argv[2:5])
    print(json.dumps(_measure(bodies(folder, rows), size, processes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
