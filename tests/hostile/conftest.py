"""One server, one hostile picture host, everything asked at once at both depths."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests import picture_hosts
from tests.e2e.serving import ServerProcess, started
from tests.hostile.cases import DEPTHS, HOSTILE, TLS, URLS
from tests.redis_servers import RedisServer

__all__ = ["GOOD", "TIMEOUT_SECONDS", "Outcome"]

GOOD = "good"
TIMEOUT_SECONDS = 9
#: Each misdeed and the good row beside it share one of so many addresses: a host that was silent
#: too often would else answer for its neighbours.
ADDRESSES = 64
PICTURE = "by-name/made-0000-plain.jpg"

Lines = list[dict[str, Any]]


class Outcome(NamedTuple):
    """What became of it all."""

    rows: int
    good_rows: int
    lines: dict[str, Lines]  # by depth
    records: dict[tuple[str, str], Lines]  # by id and depth
    children_before: set[int]
    children_after: set[int]
    logged: Lines
    text: str

    def of(self, name: str, depth: str) -> Lines:
        """Every record of that id."""
        return self.records[name, depth]


def manifest(port: int, tls: dict[str, str], refused: int) -> list[dict[str, str]]:
    """A row for every case, a good one at the same host behind every misdeed.

    Those that take all their time come first: the others are done while they wait.
    """
    rows = []
    for number, case in enumerate(HOSTILE):
        host = f"http://127.0.0.{number % ADDRESSES + 1}:{port}"
        rows.append({"id": case.name, "url": f"{host}/hostile/{case.name}/{PICTURE}"})
        rows.append({"id": GOOD, "url": f"{host}/good/{number}"})
    rows += [{"id": case.name, "url": f"{tls[case.name]}/{PICTURE}"} for case in TLS]
    rows += [
        {"id": name, "url": url.replace("{refused}", str(refused))} for name, url in URLS.items()
    ]
    rows.append({"id": "url-password", "url": f"http://someone:hunter2@127.0.0.1:{port}/{PICTURE}"})
    slow = {case.name for case in [*HOSTILE, *TLS] if case.allows(DEPTHS[0], "timeout", None)}
    return sorted(rows, key=lambda row: row["id"] not in slow)


@pytest.fixture(scope="session")
def outcome(
    tmp_path_factory: pytest.TempPathFactory, redis_members: list[RedisServer], redis_cluster: bool
) -> Iterator[Outcome]:
    """Ask for everything once; each test looks at its own part of the answer."""
    folder = tmp_path_factory.mktemp("hostile")
    options = ("--made", "16", "--addresses", str(ADDRESSES), "--tls", str(folder / "tls"))
    with (
        pytest.MonkeyPatch.context() as patch,
        socket.socket() as taken,  # a port that is somebody's, where nobody listens
        picture_hosts.started(*options) as host,
    ):
        taken.bind(("127.0.0.1", 0))
        refused = taken.getsockname()[1]
        patch.setenv("SSL_CERT_FILE", str(folder / "tls" / "ca.pem"))
        settings = {
            "TIMEOUT": str(TIMEOUT_SECONDS),
            "CONNECT_TIMEOUT": "3",
            "READ_TIMEOUT": "3",
            "MAX_IMAGE_BYTES": "8MiB",
            # Not all floods at a time: a busy machine has time for each.
            "MAX_CONNECTIONS": "64",
            "POOL_SLOTS": "2",
            "REDIS_URL": redis_members[0].url,
            "REDIS_CLUSTER": str(int(redis_cluster)),
        }
        rows = manifest(host.port, host.ready["tls"], refused)
        with started(folder, **settings) as server:
            yield _asked(server, rows)


def _asked(server: ServerProcess, rows: list[dict[str, str]]) -> Outcome:
    before = {child.pid for child in server.itself.children(recursive=True)}

    def ask(depth: str) -> Lines:
        return server.lines({"images": rows, "depth": depth})

    with ThreadPoolExecutor(len(DEPTHS)) as threads:
        lines = dict(zip(DEPTHS, threads.map(ask, DEPTHS), strict=True))
    records = defaultdict(list)
    for depth, answer in lines.items():
        for line in answer:
            if line["type"] == "image":
                records[line["id"], depth].append(line)
    return Outcome(
        rows=len(rows),
        good_rows=sum(row["id"] == GOOD for row in rows),
        lines=lines,
        records=records,
        children_before=before,
        children_after={child.pid for child in server.itself.children(recursive=True)},
        logged=server.logs(),
        text=server.log_text() + str(lines),
    )
