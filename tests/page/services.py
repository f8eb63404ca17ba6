"""The service whose page is tried: a real one, with a list of pictures that a host serves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.serving import ServerProcess, started
from tests.picture_hosts import PictureHost

__all__ = ["FAILING", "KEY", "WELL", "Service", "running", "write_list"]

KEY = "a-key-of-sixteen-signs-or-more"
#: Rows of `pictures.tsv` that are well, and those after them that fail.
WELL = 120
FAILING = (
    "gone\t{host}/hostile/status-404",
    "refused\t{host}/hostile/status-403",
    "script\tjavascript:alert(1)",
    "nowhere\thttp://no-such-host.invalid/x.jpg",
    "private\thttp://10.0.0.1/x.jpg",
    "<img src=x onerror=alert(1)>\t{host}/hostile/status-410",
)


@dataclass(frozen=True, slots=True)
class Service:
    """Where it is, and where its manifests lie."""

    url: str
    data_root: Path
    process: ServerProcess


def write_list(path: Path, host: PictureHost, rows: int = WELL) -> None:
    """A TSV list: so many rows that are well, then those that fail."""
    lines = [f"p{row:03}\t{host}/picture/{row}" for row in range(rows)]
    lines += [row.format(host=host) for row in FAILING]
    path.write_text("\n".join(["id\turl", *lines, ""]), encoding="utf-8")


@contextmanager
def running(folder: Path, host: PictureHost, **settings: str) -> Iterator[Service]:
    """`python -m server` with all it has in *folder*, and `pictures.tsv` in its data root.

    Without `REDIS_URL` it has a Redis and a consumer of its own.
    """
    data_root = folder / "data"
    data_root.mkdir()
    write_list(data_root / "pictures.tsv", host)
    with started(folder, **settings) as process:
        try:
            yield Service(f"http://127.0.0.1:{process.port}", data_root, process)
        finally:
            if process.process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.end()
