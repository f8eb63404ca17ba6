"""The floor: a bare aiohttp and uvloop loop that asks for the same first ranges and does no more.

    python scripts/bench_bare.py MANIFEST CONNECTIONS [whole]

With `whole` it asks for whole bodies, as whoever decodes them must. N workers take the addresses
of a manifest one after the other, read each body and drop it. The session has what a sensible
client has (timeouts, no cookies, nothing inflated) and nothing is done with the answers. Prints
one line of JSON; only the loop itself is measured, on connections that are open already.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import uvloop

__all__ = ["FIRST_RANGE", "WHOLE", "addresses", "fetch_all", "open_session"]

FIRST_RANGE = {"Range": "bytes=0-16383"}
WHOLE: dict[str, str] = {}
#: Rows asked for before measuring, for each connection: so that all of them are open.
WARM_ROWS = 2


def addresses(manifest: Path) -> list[str]:
    """The addresses of an `id<TAB>url` list with its header."""
    lines = manifest.read_text().splitlines()[1:]
    return [line.partition("\t")[2] for line in lines]


def open_session() -> aiohttp.ClientSession:
    """A session as a sensible client makes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=10),
    )


async def fetch_all(
    session: aiohttp.ClientSession,
    urls: Sequence[str],
    connections: int,
    headers: Mapping[str, str] = FIRST_RANGE,
) -> list[int]:
    """Fetch what *headers* ask for, *connections* at a time; returns the length of each body."""
    lengths: list[int] = []
    waiting = iter(urls)
    expected = 206 if "Range" in headers else 200

    async def work(waiting: Iterator[str]) -> None:
        for url in waiting:
            async with session.get(url, headers=headers) as response:
                body = await response.read()
                if response.status == expected:
                    lengths.append(len(body))

    async with asyncio.TaskGroup() as workers:
        for _ in range(connections):
            workers.create_task(work(waiting))
    return lengths


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _measure(
    urls: Sequence[str], connections: int, headers: Mapping[str, str]
) -> dict[str, float]:
    async with open_session() as session:
        await fetch_all(session, urls[: WARM_ROWS * connections], connections, headers)
        cpu, began = _cpu_seconds(), time.perf_counter()
        lengths = await fetch_all(session, urls, connections, headers)
        seconds = time.perf_counter() - began
        cpu = _cpu_seconds() - cpu
    return {"rows": len(lengths), "seconds": seconds, "cpu": cpu, "bytes": sum(lengths)}


def main() -> int:
    """Measure once and say the result."""
    urls, connections = addresses(Path(sys.argv[1])), int(sys.argv[2])
    headers = WHOLE if sys.argv[3:] == ["whole"] else FIRST_RANGE
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_measure(urls, connections, headers))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
