"""Many good rows and some hostile ones through a running server: what is lost, wrong, late or left.

    .venv/bin/python scripts/soak.py --rows 100000

Starts a good picture host, a hostile one and a server with a short timeout, streams one manifest
through it and ends by itself. What a hostile row may end in is read from docs/hostile-inputs.md;
`timeout` is right as well, since a host may be held to be silent. Exit code 1 if a row was lost,
doubled, wrong or late, or if something is left behind.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bench_processes as processes
from hosting import page
from soak_state import WORDS, State, settled, state

SCRIPTS = Path(__file__).parent
PICTURE = "by-name/made-0000-plain.jpg"
GOOD = "good"
#: What a row may take beyond its timeout: one look at the clock, and others' turns on the loop.
GRACE_SECONDS = 2.0
SHOWN = 10  # of wrong rows


@dataclass(slots=True)
class Tally:
    """What the records said."""

    rows: int
    depth: str
    cases: Mapping[str, page.Case]
    seen: bytearray = field(init=False)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    longest: tuple[float, str] = (0.0, "")
    longest_good: float = 0.0
    complete: bool = False

    def __post_init__(self) -> None:
        self.seen = bytearray(self.rows)

    def take(self, line: dict[str, Any]) -> None:
        """Note a line of the answer."""
        if line["type"] == "summary":
            self.complete = line["complete"]
        if line["type"] != "image":
            return
        self.seen[line["index"]] = min(self.seen[line["index"]] + 1, 2)
        name, error = line["id"], line.get("error")
        code, status = (error["code"], error.get("http_status")) if error else ("ok", None)
        self.codes[code] += 1
        if not self.fine(name, code, status):
            self.wrong.append(f"{name}: {code} {status or ''} {error and error['message']}")
        taken = (line.get("fetch") or {}).get("ms", 0.0) / 1000
        self.longest = max(self.longest, (taken, name))
        if name == GOOD:
            self.longest_good = max(self.longest_good, taken)

    def fine(self, name: str, code: str, status: int | None) -> bool:
        """Whether a row of that name may end like this."""
        if name == GOOD:
            return code == "ok"
        return code == "timeout" or self.cases[name].allows(self.depth, code, status)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="soak.py", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--rows", type=int, default=20_000, help="of the manifest (%(default)s)")
    add("--hostile", type=float, default=0.1, metavar="SHARE", help="of the rows (%(default)s)")
    add("--depth", choices=page.DEPTHS, default="header", help="(%(default)s)")
    add("--timeout", type=float, default=5.0, metavar="S", help="of a row (%(default)s)")
    add("--connections", type=int, default=128, metavar="N", help="of the server (%(default)s)")
    add("--addresses", type=int, default=64, metavar="N", help="of each host (%(default)s)")
    add("--only", nargs="+", metavar="NAME", help="these hostile names instead of all")
    return parser.parse_args(arguments)


def main() -> int:
    """Start everything, stream, compare; returns the exit code."""
    chosen = options()
    cases = {case.name: case for case in page.written() if not case.name.startswith("url-")}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="census-soak-")))
        addresses = ("--addresses", str(chosen.addresses), "--made", "16")
        host = [sys.executable, str(SCRIPTS / "picture_host.py"), *addresses]
        start = processes.started
        _, good = stack.enter_context(start(host))
        _, bad = stack.enter_context(start([*host, "--tls", str(folder / "tls")]))
        (folder / "data").mkdir()
        names = chosen.only or list(cases)
        rows = manifest(chosen, names, good["url"], bad["url"], bad["tls"])
        (folder / "data" / "soak.tsv").write_text("id\turl\n" + "".join(rows), encoding="ascii")
        server = [sys.executable, str(SCRIPTS / "soak_server.py"), str(folder / "tasks")]
        log, env = folder / "server.log", environment(chosen, folder)
        process, ready = stack.enter_context(start(server, log=log, env=env))
        processes.settle(process)
        before = state(process, folder / "tasks")
        tally = Tally(chosen.rows, chosen.depth, cases)
        began, peak = time.monotonic(), before
        for number, line in enumerate(answer(ready["url"], chosen.depth)):
            tally.take(line)
            if number % 500 == 0:
                peak = peak.most(state(process))
        seconds = time.monotonic() - began
        after = settled(process, folder / "tasks", before)
    return report(chosen, tally, (before, peak, after), seconds)


def manifest(
    chosen: argparse.Namespace, names: list[str], good: str, bad: str, tls: Mapping[str, str]
) -> Iterator[str]:
    """Lines of id and URL; every n-th is hostile, over all names and addresses in turn."""
    every = max(round(1 / chosen.hostile), 1) if chosen.hostile else chosen.rows + 1
    names_in_turn = cycle(names)
    ports = [urlsplit(url).port for url in (good, bad)]
    for row in range(chosen.rows):
        address = f"127.0.0.{row // every % chosen.addresses + 1}"
        if (row + 1) % every:
            yield f"{GOOD}\thttp://{address}:{ports[0]}/{row}\n"
            continue
        name = next(names_in_turn)
        base = tls.get(name) or f"http://{address}:{ports[1]}/hostile/{name}"
        yield f"{name}\t{base}/{PICTURE}?n={row}\n"  # each a download of its own


def environment(chosen: argparse.Namespace, folder: Path) -> dict[str, str]:
    """The server's: short timeouts, and the authority that signed the good TLS host."""
    settings = processes.environment(
        PORT="0",
        DATA_ROOT=str(folder / "data"),
        VAR=str(folder / "var"),
        ALLOW_NETWORKS="127.0.0.0/8",
        TIMEOUT=str(chosen.timeout),
        CONNECT_TIMEOUT=str(chosen.timeout / 2),
        READ_TIMEOUT=str(chosen.timeout / 2),
        MAX_CONNECTIONS=str(chosen.connections),
        MAX_IMAGE_BYTES="8MiB",
        LOG_FORMAT="json",
    )
    return settings | {"SSL_CERT_FILE": str(folder / "tls" / "ca.pem"), "PATH": os.environ["PATH"]}


def answer(url: str, depth: str) -> Iterator[dict[str, Any]]:
    """The lines of the stream, as they come."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        body = json.dumps({"filepath": "soak.tsv", "depth": depth})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/images_info", body, headers)
        for line in connection.getresponse():
            yield json.loads(line)
    finally:
        connection.close()


def report(
    chosen: argparse.Namespace, tally: Tally, states: tuple[State, State, State], seconds: float
) -> int:
    """Print the figures; 0 if all is as it should be."""
    before, peak, after = states
    lost, doubled = tally.seen.count(0), tally.seen.count(2)
    limit = chosen.timeout + GRACE_SECONDS
    late = tally.longest[0] > limit
    left = after.left_of(before)
    print(f"rows           {chosen.rows}, {chosen.hostile:.0%} hostile, depth {chosen.depth}")
    print(f"seconds        {seconds:.1f} ({chosen.rows / seconds:.0f} rows/s)")
    print(f"lost           {lost}    doubled {doubled}    complete {tally.complete}")
    print(f"wrong codes    {len(tally.wrong)}")
    for wrong in tally.wrong[:SHOWN]:
        print(f"               {wrong}")
    print(f"codes          {dict(tally.codes.most_common())}")
    took, name = tally.longest
    print(f"longest row    {took:.2f} s ({name}), good {tally.longest_good:.2f} s, limit {limit} s")
    print(f"{'':14} {'before':>10} {'peak':>10} {'after':>10}")
    for what, *figures in zip(WORDS, before, peak, after, strict=True):
        print(f"{what:14} {figures[0]:>10} {figures[1]:>10} {figures[2]:>10}")
    if left:
        print(f"left behind    {left}")
    return int(bool(lost or doubled or tally.wrong or late or left or not tally.complete))


if __name__ == "__main__":
    sys.exit(main())
