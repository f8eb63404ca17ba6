"""What `scripts/run` does once all is installed: a picture host, the server, a sample census.

Lines of the census go to stdout, everything else to stderr. The demo opens one address for
downloads, its own picture host's port, besides whatever CENSUS_ALLOW_NETWORKS names.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 40.0
PICTURES = 20


def say(text: str) -> None:
    """For people: not part of the census."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def running(command: list[str], env: dict[str, str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A program of ours and the JSON line it says when it is ready; ended on the way out."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = process.stdout.readline()
        if not line:
            sys.exit(process.wait(STOP_SECONDS) or 1)
        yield process, json.loads(line)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


#: Stands in every sample this wrote.
SAMPLE_ROW = "private\thttp://169.254.169.254/latest/meta-data"


def write_sample(base: str, folder: Path) -> tuple[str, int]:
    """A manifest of pictures and of what goes wrong with them; its name and its rows."""
    rows = [f"{number}\t{base}/demo/{number}" for number in range(1, PICTURES + 1)]
    rows += [
        f"missing\t{base}/status/404",
        f"page\t{base}/html/product",
        f"moved\t{base}/redirect/2/demo/1",
        SAMPLE_ROW,
        "other\tftp://example.org/picture.jpg",
        "no address at all",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sample.tsv"
    if path.exists() and SAMPLE_ROW not in path.read_text(encoding="utf-8", errors="replace"):
        sys.exit(f"{path} is not this demo's and is left alone: move it, or use --no-sample")
    path.write_text("id\turl\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path.name, len(rows)


def run_sample(url: str, manifest: str, rows: int) -> bool:
    """Post the sample, pass its lines on as they come; whether nothing was missing."""
    request = urllib.request.Request(  # noqa: S310 - the server started above
        f"{url}/api/v1/images_info",
        data=json.dumps({"filepath": manifest}).encode(),
        headers={"Content-Type": "application/json"},
    )
    records, complete = 0, False
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=START_SECONDS) as answer:
        for line in answer:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            said = json.loads(line)
            records += said["type"] == "image"
            complete = said["type"] == "summary" and said["complete"] and said["rows"] == rows
    return complete and records == rows


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the sample")
    parser.add_argument("--no-sample", action="store_true", help="only serve")
    arguments = parser.parse_args()
    env = dict(os.environ)
    if arguments.no_sample:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "server"], env)  # noqa: S606
    if arguments.once:
        env.setdefault("CENSUS_PORT", "0")  # any: nobody else is to find it
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: a shell's & has it ignored
        signal.signal(number, lambda *_: sys.exit(130 if arguments.once else 0))
    with ExitStack() as stack:
        host = [sys.executable, "scripts/picture_host.py"]
        _, ready = stack.enter_context(running(host, env))
        base = ready["url"]
        port = base.rpartition(":")[2]
        opened = [env.get("CENSUS_ALLOW_NETWORKS", ""), f"127.0.0.1/32:{port}"]
        env["CENSUS_ALLOW_NETWORKS"] = ",".join(filter(None, opened))
        folder = Path(env.get("CENSUS_DATA_ROOT") or ROOT / "data")
        manifest, rows = write_sample(base, folder)
        server, ready = stack.enter_context(running([sys.executable, "-m", "server"], env))
        url = ready["url"]
        began = time.monotonic()
        say(f"sample: {rows} rows of {folder / manifest} through {url}/api/v1/images_info")
        whole = run_sample(url, manifest, rows)
        say(f"sample: {'complete' if whole else 'NOT complete'}, {time.monotonic() - began:.2f} s")
        if arguments.once:
            return 0 if whole else 1
        say(f"\npictures on {base}: any path answers, and scripts/picture_host.py --help")
        say(f"serving on {url} until Ctrl-C; the sample again:")
        body = json.dumps({"filepath": manifest})
        say(f"  curl -N {url}/api/v1/images_info -H 'Content-Type: application/json' -d '{body}'")
        return int(server.wait())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
    except (OSError, urllib.error.URLError) as exc:
        say(f"the demo failed: {exc}")
        sys.exit(1)
