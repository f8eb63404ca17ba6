"""img2dataset in a virtual environment of its own, run on a manifest as its users run it.

Its wants (an older Python, OpenCV, many others) do not mix with ours. Figures are of the whole
process with all it starts, its start-up included, and the same net of a run of one row.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import bench_processes as processes
from bench_census import write_manifest

__all__ = ["VERSION", "Ended", "Program", "prepare"]

VERSION = "1.47.0"
#: What decodes is pinned too: its figures are mostly OpenCV's.
NEEDED = [f"img2dataset=={VERSION}", "opencv-python-headless==4.14.0.94"]
NEWEST_PYTHON = (3, 12)
PROCESSES, THREADS, SHARD_ROWS = 2, 32, 625


class Ended(NamedTuple):
    """A run from start to end."""

    rows: int  #: that it calls a success
    seconds: float
    cpu: float  #: of it and all it started

    def net_of(self, start: "Ended") -> "Ended | None":
        """What is left when starting is taken off; None if nothing is."""
        seconds, cpu = self.seconds - start.seconds, self.cpu - start.cpu
        return Ended(self.rows - start.rows, seconds, cpu) if seconds > 0 and cpu > 0 else None


class Program:
    """The installed program."""

    def __init__(self, venv: Path) -> None:
        self._path = venv / "bin" / "img2dataset"

    def run(self, manifest: Path, size: int) -> Ended:
        """All rows of a manifest to Parquet, which is thrown away."""
        with tempfile.TemporaryDirectory(prefix="census-bench-", dir=manifest.parent) as folder:
            out, log = Path(folder) / "out", Path(folder) / "log"
            command = [str(self._path), "--url_list", str(manifest), "--output_folder", str(out)]
            command += ["--input_format", "tsv", "--url_col", "url", "--output_format", "parquet"]
            command += ["--image_size", str(size), "--resize_mode", "border"]
            command += ["--processes_count", str(PROCESSES), "--thread_count", str(THREADS)]
            command += ["--number_sample_per_shard", str(SHARD_ROWS)]
            with log.open("wb") as said:
                cpu, began = _cpu_of_ended(), time.perf_counter()
                code = subprocess.run(
                    command, check=False, stdout=said, stderr=said, env=_environment()
                ).returncode
                seconds, cpu = time.perf_counter() - began, _cpu_of_ended() - cpu
            if code:
                print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
                raise SystemExit(f"bench: img2dataset ended with {code}")
            told = [json.loads(path.read_bytes()) for path in out.glob("*_stats.json")]
            return Ended(sum(shard["successes"] for shard in told), seconds, cpu)

    def start(self, folder: Path, host: str, size: int) -> Ended:
        """A run of one row: what its starting costs."""
        return self.run(write_manifest(folder, host, 1, "one.tsv"), size)


def _environment() -> dict[str, str]:
    """Ours, without our code; it is to reach nothing but this machine."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    quiet = {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
    return kept | quiet | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


def _cpu_of_ended() -> float:
    """Of processes of ours that ended, with those they had waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def prepare(venv: Path) -> Program:
    """Make the environment, or reuse one that holds what is needed."""
    stamp, wanted = venv / "installed", "\n".join(NEEDED)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"bench: installing img2dataset {VERSION} into {venv}", file=sys.stderr, flush=True)
        subprocess.run([_python(), "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-qq", *NEEDED]
        subprocess.run(pip, check=True, stdout=sys.stderr, cwd=processes.ROOT)
        stamp.write_text(wanted)
    return Program(venv.absolute())


def _python() -> str:
    """A Python it runs on: this one, else another on PATH."""
    if sys.version_info[:2] <= NEWEST_PYTHON:
        return sys.executable
    for name in ("python3.12", "python3.11"):
        found = shutil.which(name)
        if found and not subprocess.run([found, "-V"], check=False, capture_output=True).returncode:
            return found
    raise SystemExit("bench: img2dataset needs a Python of at most 3.12 on PATH")
