"""The census as its users meet it: `python -m server`, a manifest, NDJSON read to its end."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import bench_processes as processes
import psutil

__all__ = ["Census", "Stream", "open_census", "write_manifest"]

READ_BYTES = 65_536


def write_manifest(folder: Path, host: str, rows: int, name: str = "images.tsv") -> Path:
    """A manifest of that many rows, each with an address of its own."""
    path = folder / name
    with path.open("w") as file:
        file.write("id\turl\n")
        file.writelines(f"{row}\t{host}/picture/{row}\n" for row in range(rows))
    return path


@dataclass(frozen=True, slots=True)
class Stream:
    """One answer, read to its end."""

    rows: int  #: distinct rows that have facts
    lost: int  #: rows without a record, with two, or without facts
    bytes: int  #: received, as the summary says
    seconds: float
    cpu: float  #: of the server and all it started
    start_ms: float  #: from the request to the `start` line
    first_ms: float  #: from the request to the first record


class Census:
    """A running server."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self._netloc = urlsplit(url).netloc
        self.process = process

    def stream(self, manifest: Path, rows: int) -> Stream:
        """Ask for the first *rows* rows of *manifest*, which lies in the data root."""
        body = json.dumps({"filepath": manifest.name, "limit": rows})
        connection = HTTPConnection(self._netloc, timeout=300)
        parts: list[bytes] = []
        lines, start, first = 0, 0.0, 0.0
        try:
            connection.connect()
            cpu, began = processes.cpu_seconds(self.process), time.perf_counter()
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/api/v1/images_info", body, headers)
            response = connection.getresponse()
            while part := response.read1(READ_BYTES):
                parts.append(part)
                if not first:
                    now = time.perf_counter()
                    lines += part.count(b"\n")
                    start = start or (now if lines else 0.0)
                    first = now if lines > 1 else 0.0
            seconds = time.perf_counter() - began
            cpu = processes.cpu_seconds(self.process) - cpu
        finally:
            connection.close()
        if response.status != 200:
            raise SystemExit(f"bench: the server answered {b''.join(parts).decode()}")
        good, lost, received = _judge(b"".join(parts), rows)
        to_start, to_first = 1000 * (start - began), 1000 * (first - began)
        return Stream(good, lost, received, seconds, cpu, to_start, to_first)


def _judge(answer: bytes, rows: int) -> tuple[int, int, int]:
    """Rows with facts, rows lost, and bytes received, of a whole answer."""
    lines = [json.loads(line) for line in answer.splitlines()]
    records = [line for line in lines if line["type"] == "image"]
    good = {line["index"] for line in records if line["image_info"] is not None}
    summary = lines[-1]
    lost = rows - len(good & set(range(rows))) + len(records) - len({r["index"] for r in records})
    if summary["type"] != "summary" or not summary["complete"]:
        lost = max(lost, 1)
    return len(good), lost, int(summary.get("bytes", 0))


@contextmanager
def open_census(root: Path, hosts: list[str], connections: int) -> Iterator[Census]:
    """Start a server over the data root *root* that may reach *hosts*, and wait for it."""
    ports = [urlsplit(host).port for host in hosts]
    environ = processes.environment(
        HOST="127.0.0.1",
        PORT="0",
        DATA_ROOT=str(root),
        VAR=str(root / ".var"),
        ALLOW_NETWORKS=",".join(f"127.0.0.1/32:{port}" for port in ports),
        TRUSTED_HOSTS="127.0.0.1",
        MAX_CONNECTIONS=str(connections),
        LOG_FORMAT="json",
    )
    command, log = [sys.executable, "-m", "server"], root / f".log-{connections}"
    with processes.running(command, log=log, env=environ) as (process, url):
        processes.settle(process)
        yield Census(url, process)
