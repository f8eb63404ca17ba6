"""How the predecessor made batches: one picture after the other, as JSON onto a Redis list.

    python scripts/bench_predecessor_batch.py MANIFEST ROWS SIZE REDIS_URL

Whole bodies by one `requests` session, decoded in full, brought to the size by Pillow's default
filter in whatever mode they are, arrays as lists, five pictures an RPUSH. Of its service pandas
and Flask are left out, in its favour; the last short batch, which it dropped, is pushed. It wrote
JSON by simplejson: where that is not installed the standard library's stands in, which takes about
half the time. Prints one line of JSON; only the loop itself is measured.
"""

import json
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import redis
import requests
from bench_bare import addresses
from PIL import Image

try:
    from simplejson import dumps
except ImportError:
    from json import dumps

__all__: list[str] = []

BATCH = 5
LIST = "queue:batch"


class Predecessor:
    """Its loop and what it counts."""

    def __init__(self, session: requests.Session, server: "redis.Redis", size: int) -> None:
        self._session, self._server, self._size = session, server, size
        self.rows = 0
        self.bytes = 0

    def work(self, urls: list[str]) -> None:
        """All of these, batch by batch."""
        for first in range(0, len(urls), BATCH):
            batch = [self._pixels(url) for url in urls[first : first + BATCH]]
            bands, images = batch[-1][0], [pixels for _, pixels in batch]
            dimension = f"({len(images)}, {bands}, {self._size}, {self._size})"
            self._server.rpush(LIST, dumps({"batch_dimension": dimension, "images": images}))
            self.rows += len(images)

    def _pixels(self, url: str) -> tuple[int, list[object]]:
        """How many channels, and the array as lists."""
        body = self._session.get(url, timeout=30).content
        self.bytes += len(body)
        with Image.open(BytesIO(body)) as picture:
            small = picture.resize((self._size, self._size))
            return len(small.getbands()), np.array(small).tolist()


def main() -> int:
    """Measure once and say the result."""
    urls, size = addresses(Path(sys.argv[1]))[: int(sys.argv[2])], int(sys.argv[3])
    with requests.Session() as session, redis.Redis.from_url(sys.argv[4]) as server:
        Predecessor(session, server, size).work(urls[:BATCH])  # connections and imports
        loop = Predecessor(session, server, size)
        cpu, began = time.process_time(), time.perf_counter()
        loop.work(urls)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        server.delete(LIST)
    told = {"rows": loop.rows, "seconds": seconds, "cpu": cpu, "bytes": loop.bytes}
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
