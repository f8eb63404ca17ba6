"""A fast image host on this machine, for tests, the demo and the benchmark.

    python scripts/picture_host.py [--folder DIR] [--port 0] [--latency-ms 50] …
    python scripts/picture_host.py --manifest 1000 --base http://127.0.0.1:8800 > images.tsv

Any path answers with a picture, chosen by a hash of path and query (`choose` in
`hosting/pictures.py`; the header `X-Picture` says which); a path can also ask for a
misbehaviour (the list is in `hosting/misbehaviour.py`; what hostile hosts do has names, which
`--list-hostile` prints). Once it listens, one line of JSON on
stdout says where. SIGTERM or SIGINT ends it with exit code 0.

`GET /_count` tells what was served so far and `GET /_requests` the last ten thousand requests;
`POST /_reset` starts both, and what the misbehaviours remember, afresh. `POST /_change/…` puts
another picture, of a later date, where `/…` had one, and `POST /_remove/…` a 404, until the reset.
These are not counted.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

from hosting import answers, hostile, misbehaviour, tls
from hosting.answers import Answer, Framing, Ranges
from hosting.connection import Connection
from hosting.counts import Counts
from hosting.editions import Editions
from hosting.pictures import load, make
from hosting.requests import Request


class Host:
    """What all connections share: the pictures, the options and the counts."""

    def __init__(self, options: argparse.Namespace) -> None:
        pictures = load(options.folder) if options.folder else make(options.made)
        self.shelf = {picture.name: picture for picture in pictures}
        self.names = sorted(self.shelf)
        self.latency_s: float = options.latency_ms / 1000
        self.framing = Framing[options.no_length.upper()] if options.no_length else Framing.LENGTH
        whole = options.ignore_range or options.no_length
        self.ranges = Ranges.IGNORED if whole else Ranges.KEPT
        self.error_rate: float = options.error_rate
        self.error_statuses: list[int] = options.error_status
        self.silent = {name.lower() for name in options.silent}
        self.connections: set[Connection] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the connections that are open and what they wait for."""
        self.counts = Counts()
        for connection in self.connections:
            if connection.counted:
                self.counts.open()
            self.counts.in_flight += connection.waiting
        self.counts.connections = 0
        self.counts.in_flight_peak = self.counts.in_flight
        self.seen: Counter[str] = Counter()
        self.editions = Editions()
        self.dice = random.Random(0)

    def answer(self, request: Request) -> Answer:
        """Decide what a request for a picture gets."""
        if request.method not in ("GET", "HEAD"):
            return answers.plain(405, "Allow: GET, HEAD\r\n")
        if self.silent and _host_name(request) in self.silent:
            return Answer(0, "", b"", silent=True)
        if self.error_rate and self.dice.random() < self.error_rate:
            result = answers.plain(self.dice.choice(self.error_statuses))
        else:
            asking = answers.Asking(
                request, self.shelf, self.seen, self.ranges, self.framing, self.editions
            )
            result = misbehaviour.answer(asking, self.names)
        result.delay_s += self.latency_s
        return result

    def control(self, request: Request) -> Answer:
        """Answer what is asked about the host itself."""
        said: object
        word, _, rest = request.target[1:].partition("/")
        match request.method, f"/{word}":
            case "POST", "/_reset":
                self.reset()
                said = {"reset": True}
            case "GET", "/_count":
                said = self.counts.told()
            case "GET", "/_requests":
                said = [request._asdict() for request in self.counts.recent]
            case "POST", "/_change":
                self.editions.change(f"/{rest}")
                said = {"changed": f"/{rest}"}
            case "POST", "/_remove":
                self.editions.remove(f"/{rest}")
                said = {"removed": f"/{rest}"}
            case _:
                every = "GET /_count, GET /_requests, POST /_reset, /_change/… or /_remove/…"
                return answers.plain(405, text=every)
        return Answer(200, "Content-Type: application/json\r\n", json.dumps(said).encode())


def _host_name(request: Request) -> str:
    name, colon, port = request.headers.get("host", "").lower().rpartition(":")
    return name.strip("[]") if colon and port.isdigit() else (name + colon + port).strip("[]")


async def serve(host: Host, options: argparse.Namespace) -> None:
    """Listen, say so on stdout, and serve until a signal asks for the end."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.until_stdin_closes:
        loop.add_reader(sys.stdin.fileno(), _closed, stop)
    address, port = options.host, options.port
    servers = []
    for number in range(options.addresses):
        where = f"127.0.0.{number + 1}" if options.addresses > 1 else address
        servers.append(
            await loop.create_server(lambda: Connection(host), where, port, backlog=1024)
        )
        port = servers[0].sockets[0].getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
    name = f"[{name}]" if ":" in name else name
    ready = {"ready": True, "url": f"http://{name}:{port}", "pictures": len(host.names)}
    if options.tls:
        ready["tls"] = await tls.listen(options.tls, lambda: Connection(host))
    print(json.dumps(ready), flush=True)
    await stop.wait()
    for server in servers:
        server.close()
    for connection in list(host.connections):
        connection.transport.abort()


def _closed(stop: asyncio.Event) -> None:
    """Whoever holds the other end of our input said something, or is gone."""
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def write_manifest(rows: int, base: str) -> None:
    """Print a manifest of that many rows, each with an address of its own."""
    base = base.rstrip("/")
    print("id\turl")
    sys.stdout.writelines(f"{row}\t{base}/picture/{row}\n" for row in range(rows))


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="picture_host.py", description="A fast image host.")
    add = parser.add_argument
    add("--folder", type=Path, help="serve the pictures of this folder, by their extension")
    add("--made", type=int, default=32, metavar="N", help="without a folder: make N pictures")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (%(default)s)")
    add("--port", type=int, default=0, help="0 takes a free one, which the ready line tells")
    add("--latency-ms", type=float, default=0.0, metavar="MS", help="wait before each answer")
    add("--ignore-range", action="store_true", help="answer 200 and the whole picture")
    add(
        "--no-length",
        nargs="?",
        const="close",
        choices=("close", "chunked"),
        help="send no Content-Length and ignore Range: until the close (default), or chunked",
    )
    add("--error-rate", type=float, default=0.0, metavar="SHARE", help="0.1: a tenth of answers")
    add("--error-status", type=int, nargs="+", default=[503], metavar="STATUS", help="are these")
    add("--silent", nargs="+", default=[], metavar="HOST", help="Host names that get no answer")
    add(
        "--addresses",
        type=int,
        default=1,
        metavar="N",
        help="listen on 127.0.0.1 to 127.0.0.N, on one port",
    )
    add(
        "--tls",
        type=Path,
        metavar="DIR",
        help="also hosts that fail at TLS, told by the ready line; ca.pem is written to DIR",
    )
    add(
        "--until-stdin-closes",
        action="store_true",
        help="stop as well when standard input ends: with all processes that hold it",
    )
    add("--list-hostile", action="store_true", help="print the names below /hostile/ and end")
    add("--manifest", type=int, metavar="N", help="print a manifest of N rows and end")
    add(
        "--base",
        default="http://127.0.0.1:8800",
        metavar="URL",
        help="what its addresses begin with",
    )
    chosen = parser.parse_args(arguments)
    if chosen.folder and not chosen.folder.is_dir():
        parser.error(f"--folder: {chosen.folder} is not a folder")
    if chosen.made < 1:
        parser.error("--made: at least one picture")
    if not 1 <= chosen.addresses <= 254:
        parser.error("--addresses: 1 to 254")
    return chosen


def main() -> int:
    """Print a manifest, or serve until told to end."""
    chosen = options()
    if chosen.list_hostile or chosen.manifest is not None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` is no error
    if chosen.list_hostile:
        print(hostile.listing())
        return 0
    if chosen.manifest is not None:
        write_manifest(chosen.manifest, chosen.base)
        return 0
    for number in (signal.SIGTERM, signal.SIGINT):  # also while the pictures are being made
        signal.signal(number, lambda *_: sys.exit(0))
    host = Host(chosen)
    if not host.names:
        print(f"No pictures in {chosen.folder}", file=sys.stderr)
        return 2
    try:
        import uvloop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    else:
        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            runner.run(serve(host, chosen))
        except OSError as error:
            print(f"Cannot listen on {chosen.host}:{chosen.port}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
