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
from bench_answers import Question
from bench_report import Run

__all__ = ["CENSUS", "Census", "Stream", "open_census", "write_manifest"]

CENSUS = "census"
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

    answer: bytes
    seconds: float
    cpu: float  #: of the server and all it started
    cpu_own: float  #: of the server's own process
    start_ms: float  #: from the request to the `start` line
    first_ms: float  #: from the request to the first line of results


class Census:
    """A running server."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self._netloc = urlsplit(url).netloc
        self.process = process

    def run(
        self, turn: int, question: Question, host: processes.PictureHost, **place: float | int
    ) -> Run:
        """Ask, and tell it as a turn; *place* says where that was."""
        host.reset()
        stream = self.stream(question)
        judged = question.judge(stream.answer)
        own, tree = processes.rss(self.process)
        return Run(
            turn=turn,
            who=CENSUS,
            rows=question.rows,
            lost=judged.lost,
            seconds=stream.seconds,
            cpu=stream.cpu,
            cpu_own=stream.cpu_own,
            bytes=judged.bytes,
            served=host.bytes_served(),
            start_ms=stream.start_ms,
            first_ms=stream.first_ms,
            rss=own,
            rss_tree=tree,
            **place,  # type: ignore[arg-type]
        )

    def stream(self, question: Question) -> Stream:
        """Ask; the manifest lies in the data root. Ends the benchmark if there is no answer."""
        connection = HTTPConnection(self._netloc, timeout=300)
        parts: list[bytes] = []
        lines, start, first = 0, 0.0, 0.0
        try:
            connection.connect()
            cpu, own = self._cpu()
            began = time.perf_counter()
            headers = {"Content-Type": "application/json"}
            connection.request("POST", question.path, json.dumps(question.body), headers)
            response = connection.getresponse()
            while part := response.read1(READ_BYTES):
                parts.append(part)
                if not first:
                    now = time.perf_counter()
                    lines += part.count(b"\n")
                    start = start or (now if lines else 0.0)
                    first = now if lines > 1 else 0.0
            seconds = time.perf_counter() - began
            cpu_after, own_after = self._cpu()
        finally:
            connection.close()
        answer = b"".join(parts)
        if response.status != 200:
            raise SystemExit(f"bench: the server answered {answer.decode()}")
        to_start, to_first = 1000 * (start - began), 1000 * (first - began)
        return Stream(answer, seconds, cpu_after - cpu, own_after - own, to_start, to_first)

    def _cpu(self) -> tuple[float, float]:
        """Seconds used so far: by all, and by the server's own process."""
        times = self.process.cpu_times()
        return processes.cpu_seconds(self.process), times.user + times.system


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
