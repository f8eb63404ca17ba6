"""`bench jobs`: one consumer and two, how soon a small job begins, memory of a large one."""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psutil
from bench_processes import environment, picture_host, rss, started
from bench_redis import redis_server
from PIL import Image

from workers.jobs import keys

__all__ = ["measure"]

PATIENCE_SECONDS = 3600.0
MiB = 1024 * 1024


class Stage:
    """A Redis with its append-only file, a data root, and pictures of some hundred bytes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.root = folder / "data"
        self.root.mkdir()
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        for number in range(16):
            Image.new("RGB", (16 + number, 16), (number * 16, 99, 200)).save(
                self.pictures / f"{number}.png"
            )
        server = stack.enter_context(redis_server(folder, append_only=True))
        self.pid, self.url, self.redis = server.pid, server.url, server.client

    @contextmanager
    def consumers(self, count: int, host: str) -> Iterator[list[psutil.Process]]:
        """So many of them, ready."""
        env = environment(
            REDIS_URL=self.url,
            DATA_ROOT=str(self.root),
            ALLOW_NETWORKS=f"127.0.0.1/32:{host.rpartition(':')[2]}",
            LOG_LEVEL="warning",
            POOL_SLOTS="1",
        )
        with ExitStack() as stack:
            command = [sys.executable, "-m", "workers"]
            yield [stack.enter_context(started(command, env=env))[0] for _ in range(count)]

    def inject(self, host: str, rows: int) -> str:
        """A job of so many rows; its id."""
        path = self.root / f"{rows}.tsv"
        with path.open("w") as file:
            file.write("id\turl\n")
            file.writelines(f"{number}\t{host}/{number}.png\n" for number in range(rows))
        fields = {"kind": "images_info", "filepath": path.name}
        job: bytes = self.redis.xadd(keys.INTAKE, fields)
        return job.decode()

    def ended(self, job: str) -> dict[bytes, bytes]:
        """The hash of a job, once it is done."""

        def done() -> bool:
            return self.redis.hget(keys.job(job), "state") not in (None, b"running")

        _until(done, f"job {job}")
        told: dict[bytes, bytes] = self.redis.hgetall(keys.job(job))
        if told[b"state"] != b"done" or told[b"ok"] != told[b"total"]:
            raise SystemExit(f"job {job} ended otherwise: {told}")
        return told

    def first_ms(self, job: str, began: float) -> float:
        """Milliseconds until the first result of a job could be read."""
        self.redis.xread({keys.results(job): "0"}, count=1, block=int(PATIENCE_SECONDS * 1000))
        return (time.perf_counter() - began) * 1000


class Peaks(threading.Thread):
    """The most memory each process had."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        super().__init__(daemon=True)
        self._processes = processes
        self._over = threading.Event()
        self.most = dict.fromkeys(processes, 0)

    def run(self) -> None:
        """Look until `stop`."""
        while not self._over.wait(0.2):
            for name, process in self._processes.items():
                self.most[name] = max(self.most[name], rss(process)[0])

    def stop(self) -> dict[str, int]:
        """The peaks, in MiB."""
        self._over.set()
        self.join()
        return {name: round(most / MiB) for name, most in self.most.items()}


def measure(options: argparse.Namespace) -> int:
    """Run the parts; prints a table, and JSON where it was asked for."""
    told: dict[str, object] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bj-")))
        stage = Stage(folder, stack)
        rates: dict[int, list[float]] = {1: [], 2: []}
        with picture_host(stage.pictures, options.latency_ms) as host:
            for turn in range(options.runs):
                for count in (1, 2) if turn % 2 == 0 else (2, 1):
                    with stage.consumers(count, host.url):
                        rates[count].append(_rate(stage, host.url, options.rows))
            told["rows_per_second"] = {n: round(median(found)) for n, found in rates.items()}
            told["two_to_one"] = round(median(rates[2]) / median(rates[1]), 2)
            _say(f"{options.rows} rows, host {options.latency_ms:g} ms late", told)
        with picture_host(stage.pictures, 0) as host:
            told |= _small_and_large(stage, host.url, options)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def _rate(stage: Stage, host: str, rows: int) -> float:
    job = stage.inject(host, rows)
    told = stage.ended(job)
    return rows / (float(told[b"finished"]) - float(told[b"started"]))


def _small_and_large(stage: Stage, host: str, options: argparse.Namespace) -> dict[str, object]:
    told: dict[str, object] = {}
    with stage.consumers(1, host) as (consumer,):
        told["first_ms_idle"] = round(median(_small(stage, host) for _ in range(options.times)), 1)
        _say(f"XADD to the first result of 10 rows, median of {options.times}", told)
        peaks = Peaks({"redis": psutil.Process(stage.pid), "consumer": consumer})
        peaks.start()
        job = stage.inject(host, options.large_rows)
        _until(lambda: stage.redis.hget(keys.job(job), "done") is not None, "the large job")
        behind = []
        for _ in range(options.times):
            behind.append(_small(stage, host))
            time.sleep(0.5)
        told["first_ms_behind"] = round(median(behind), 1)
        told["large_still_ran"] = stage.redis.hget(keys.job(job), "state") == b"running"
        _say(f"the same behind a job of {options.large_rows} rows", told)
        large = stage.ended(job)
        told["large_rows_per_second"] = round(
            options.large_rows / (float(large[b"finished"]) - float(large[b"started"]))
        )
        told["large_result_MiB"] = round(int(large[b"result_bytes"]) / MiB)
        told["peak_MiB"] = peaks.stop()
        _say("the large job, which nobody read", told)
    return told


def _small(stage: Stage, host: str) -> float:
    path = stage.root / "10.tsv"
    if not path.exists():
        stage.ended(stage.inject(host, 10))
    began = time.perf_counter()
    fields = {"kind": "images_info", "filepath": path.name}
    return stage.first_ms(stage.redis.xadd(keys.INTAKE, fields).decode(), began)


def _say(what: str, told: dict[str, object]) -> None:
    print(f"{what}: {json.dumps(told)}", flush=True)


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {PATIENCE_SECONDS:g} s")
        time.sleep(0.02)
