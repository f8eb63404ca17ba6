"""`./scripts/run` serving on a free port, and the folder that the commands of a page are run in."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.pages import ROOT

__all__ = ["Demo", "demo_running", "environment", "free_port"]


def environment(data_root: Path, **given: str) -> dict[str, str]:
    """The demo's, with everything it writes below a folder of the test's."""
    places = {"CENSUS_DATA_ROOT": str(data_root), "CENSUS_VAR": str(data_root / ".var")}
    return {**os.environ, **places, **given}


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Demo:
    """The demo: where it is, what it printed, and a shell beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  #: data/ and scripts/ are in it
        for name in ("scripts", ".venv"):
            (folder / name).symlink_to(ROOT / name)
        self.port = free_port()
        self.env = environment(folder / "data", CENSUS_PORT=str(self.port))
        self.lines: list[dict[str, Any]] = []  #: of the sample
        self.told = folder / "told"

    @property
    def sample(self) -> str:
        """The manifest of the sample."""
        return (self.folder / "data" / "sample.tsv").read_text(encoding="utf-8")

    @property
    def rows(self) -> int:
        """Of the sample."""
        return len(self.sample.splitlines()) - 1

    @property
    def job(self) -> str:
        """The id of the sample's job, which is done."""
        (job,) = {line["job"] for line in self.lines if line.get("job")}
        return str(job)

    def picture(self, name: str) -> bytes:
        """One that its host serves."""
        port = (self.folder / "data" / ".var" / "picture_port").read_text(encoding="utf-8")
        connection = HTTPConnection("127.0.0.1", int(port), timeout=10)
        try:
            connection.request("GET", f"/{name}")
            return connection.getresponse().read()
        finally:
            connection.close()

    def clone(self, name: str) -> Path:
        """A folder that looks like a clone in which `./scripts/run` serves, with a list."""
        place = self.folder / name
        place.mkdir()
        targets = {"data": self.folder / "data", "var": self.folder / "data" / ".var"}
        for linked in ("scripts", ".venv", "docs"):
            targets[linked] = ROOT / linked
        for linked, target in targets.items():
            (place / linked).symlink_to(target)
        (place / "images.tsv").write_text(self.sample, encoding="utf-8")
        with (place / "mylist.csv").open("w", encoding="utf-8", newline="") as table:
            csv.writer(table).writerows(line.split("\t") for line in self.sample.splitlines())
        (place / "images.tsv.gz").write_bytes(gzip.compress(self.sample.encode(), mtime=0))
        return place

    def shell(self, command: str) -> str:
        """What a command prints; one that does not end well is an error."""
        asked = command.replace("127.0.0.1:5000", f"127.0.0.1:{self.port}")
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", asked],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            timeout=60,
            check=True,
            text=True,
        ).stdout


@contextmanager
def demo_running(folder: Path) -> Iterator[Demo]:
    """The demo, its sample done. It ends with exit code 0 when it is told to."""
    made = Demo(folder)
    with (
        made.told.open("wb") as told,
        subprocess.Popen(
            ["./scripts/run"], cwd=ROOT, env=made.env, stdout=subprocess.PIPE, stderr=told
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                made.lines.append(json.loads(line))
                if [said["type"] for said in made.lines].count("summary") == 3:
                    break
            (folder / "data" / "images.tsv").write_text(made.sample, encoding="utf-8")
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
